// What the agent lacks is never a word about a service: every probe type with its descriptors used up, and those that
// start programs or threads without a task left.
#include <doctest/doctest.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "compliance/surroundings.h"
#include "net/resolver.h"
#include "probe/health.h"

using namespace compliance;

namespace {

// Nothing can be opened while it lives. The last descriptors are taken, and not only forbidden, so that what a probe
// closes first it does not get again.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit_t most = static_cast<rlimit_t>(highest()) + 8;
    const rlimit tight{most, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.emplace_back(fd);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  using rlimit_t = ::rlim_t;
  static int highest() {
    int most = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      most = std::max(most, std::atoi(entry.path().filename().c_str()));
    return most;
  }
  rlimit before_{};
  std::vector<base::UniqueFd> taken_;
};

model::Outcome run(World& world, const probe::Spec& spec) {
  std::optional<model::Outcome> found;
  const auto attempt =
      probe::run_once(world.context, spec, [&](model::Outcome outcome) { found = std::move(outcome); });
  if (!fakes::run_until(world.loop, [&] { return found.has_value(); })) return model::Outcome::failure({}, "no answer");
  return *found;
}

// They look without opening anything, or ask somebody who has the answer.
const std::set<std::string_view> kNeedNothing{"heartbeat", "systemd", "file", "disk"};

}  // namespace

TEST_CASE("with its descriptors used up the agent says nothing about a service, of whatever type") {
  const Surroundings surroundings;
  const auto targets = surroundings.targets();
  World world;
  world.heartbeats.beat("order", false, "");
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    REQUIRE(targets.contains(type->name));
    if (!targets.at(type->name).skip.empty()) continue;
    const probe::Spec spec = spec_of(*type, targets.at(type->name).healthy, 2s);
    probe::HealthState health;
    CHECK_FALSE(run(world, spec).reason == model::Reason::agent_overloaded);
    world.run_for(20ms);  // what the run before has closed is closed
    model::Outcome starved;
    {
      const NoDescriptors none;
      starved = run(world, spec);
    }
    CAPTURE(starved.text);
    if (starved.up) CHECK(kNeedNothing.contains(type->name));
    else CHECK(starved.reason == model::Reason::agent_overloaded);
    // The most impatient thresholds: one failure of any reason is enough, and this is none.
    probe::Thresholds thresholds;
    thresholds.failure = 1;
    for (const model::Reason reason : model::all_reasons()) thresholds.fatal.insert(reason);
    health.health = model::Health::up;
    probe::judge(thresholds, starved, probe::Cause::event, probe::Starting::no, health);
    CHECK(health.health == model::Health::up);
  }
}

TEST_CASE("a name that is not there, with descriptors used up, is not called missing") {
  const Surroundings surroundings;
  World world;
  const std::vector<Target> asked{{"no such program", {}}, {surroundings.folder + "/none.pid", {}}};
  for (const Target& target : asked) {
    const probe::Spec spec = spec_of(*probe::types().find("process"), target, 2s);
    CHECK(run(world, spec).reason == model::Reason::process_gone);
    const NoDescriptors none;
    CHECK(run(world, spec).reason == model::Reason::agent_overloaded);
  }
  const probe::Spec pattern = spec_of(*probe::types().find("file"), {surroundings.folder + "/*.pid", {}}, 2s);
  CHECK(run(world, pattern).up);
  const probe::Spec absent =
      spec_of(*probe::types().find("file"), {surroundings.folder + "/*.lock", {"exists=false"}}, 2s);
  CHECK(run(world, absent).up);
  const NoDescriptors none;
  CHECK(run(world, pattern).reason == model::Reason::agent_overloaded);
  CHECK(run(world, absent).reason == model::Reason::agent_overloaded);
}

TEST_CASE("what could not be read for want of a descriptor is read again when the want is over") {
  const Surroundings surroundings;
  const std::string names = surroundings.folder + "/hosts";
  std::ofstream(names) << "127.0.0.1 shop.test\n";
  loop::EventLoop loop;
  net::AresResolver resolver(loop, {.servers = "127.0.0.1:1", .hosts_file = names});
  const auto found = [&] {
    std::optional<base::Result<std::vector<net::Address>>> told;
    const auto asking = resolver.resolve("shop.test", 80, net::Family::any, loop.now() + 5s,
                                         [&](base::Result<std::vector<net::Address>> answer) { told = answer; });
    REQUIRE(fakes::run_until(loop, [&] { return told.has_value(); }));
    return told->has_value();
  };
  {
    const NoDescriptors none;
    (void)found();
  }
  CHECK(found());
}

TEST_CASE("without a task left the agent says nothing about a service") {
  // In a process of its own and as an ordinary user: the limit does not hold root back.
  for (const char* type : {"exec", "restic", "file", "disk"}) {
    CAPTURE(type);
    const Surroundings surroundings;
    const Target healthy = surroundings.targets().at(type).healthy;
    const passwd* const nobody = ::getpwnam("nobody");
    REQUIRE(nobody != nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::geteuid() == 0 && (::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)) ::_exit(100);
      const rlimit none{0, 0};
      ::setrlimit(RLIMIT_NPROC, &none);
      World world;
      const model::Outcome outcome = run(world, spec_of(*probe::types().find(type), healthy, 2s));
      ::_exit(outcome.up ? 101 : static_cast<int>(outcome.reason));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == static_cast<int>(model::Reason::agent_overloaded));
  }
}
