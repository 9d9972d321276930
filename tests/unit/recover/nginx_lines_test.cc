// What becomes of nginx' server lines, and how long a drain waits for the requests that are under way.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakes/recovery_site.h"
#include "os/systemd/systemd.h"
#include "recover/traffic/nginx.h"

namespace traffic = recover::traffic;
using model::Health;
using recover::Flow;
using std::chrono::seconds;

namespace {

// The server lines of a file of fettle's, without the comment that begins it.
std::string lines_of(const std::vector<traffic::Server>& servers) {
  const std::string text = traffic::to_text(servers);
  return text.substr(text.find('\n') + 1);
}

traffic::NginxUpstream upstream(int min_live = 0) {
  traffic::NginxUpstream out;
  out.upstream = "order";
  out.self = "10.0.0.1:80";
  out.weight = 3;
  out.peers = {{.address = "10.0.0.2:80"}};
  out.min_live = min_live;
  return out;
}

// A process that nginx' pid file could name a worker: a child of this one.
class Worker {
 public:
  Worker() : pid_(::fork()) {
    if (pid_ != 0) return;
    while (true) ::pause();
  }
  ~Worker() { end(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("a server line follows drains, the service's health and the share of a slow start, and nobody else's hand") {
  const std::string scaled = "# All weights are 20 times as large while a server starts slowly.\n";
  struct Row {
    std::string name;
    const char* before;
    recover::DesiredState to;
    std::string want;
  };
  const Row rows[] = {
      {"no file yet", "", {.health = Health::up}, "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80 weight=1;\n"},
      {"a drain",
       "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80;\n",
       {.flow = Flow::drained, .health = Health::up},
       "server 10.0.0.1:80 weight=3 down; # drained by fettle for order\nserver 10.0.0.2:80;\n"},
      {"a health check that fails",
       "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80;\n",
       {.health = Health::down},
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80;\n"},
      {"healthy again",
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80;\n",
       {.health = Health::up},
       "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80;\n"},
      {"an agent that has just started knows no better than the last one",
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80;\n",
       {.health = Health::unknown},
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80;\n"},
      {"a drain is over, but the service is down",
       "server 10.0.0.1:80 weight=3 down; # drained by fettle for order\nserver 10.0.0.2:80;\n",
       {.health = Health::down},
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80;\n"},
      {"what a person took out stays out",
       "server 10.0.0.1:80 weight=3 down;\nserver 10.0.0.2:80;\n",
       {.health = Health::up},
       "server 10.0.0.1:80 weight=3 down;\nserver 10.0.0.2:80;\n"},
      {"a slow start: a quarter",
       "server 10.0.0.1:80 weight=3 down; # drained by fettle for order\nserver 10.0.0.2:80;\n",
       {.share = 25, .health = Health::up},
       "SCALED"
       "server 10.0.0.1:80 weight=15; # slow start by fettle of order: 25 %\nserver 10.0.0.2:80 weight=20;\n"},
      {"a share is a multiple of five per cent, and not less than that",
       "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80;\n",
       {.share = 3, .health = Health::up},
       "SCALED"
       "server 10.0.0.1:80 weight=3; # slow start by fettle of order: 5 %\nserver 10.0.0.2:80 weight=20;\n"},
      {"all of it: weights are as they were written",
       "SCALEDserver 10.0.0.1:80 weight=45; # slow start by fettle of order: 75 %\nserver 10.0.0.2:80 weight=20;\n",
       {.health = Health::up},
       "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80 weight=1;\n"},
      {"a failure in a slow start",
       "SCALEDserver 10.0.0.1:80 weight=45; # slow start by fettle of order: 75 %\nserver 10.0.0.2:80 weight=20;\n",
       {.health = Health::down},
       "server 10.0.0.1:80 weight=3 down; # unhealthy, says fettle of order\nserver 10.0.0.2:80 weight=1;\n"},
  };
  const auto with_scale = [&](std::string text) {
    if (const std::size_t at = text.find("SCALED"); at != text.npos) text.replace(at, 6, scaled);
    return text;
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    auto servers = traffic::parse_servers(with_scale(row.before), "order.conf");
    REQUIRE(servers.has_value());
    const auto after = traffic::desired_servers(upstream(), *std::move(servers), row.to, "order");
    REQUIRE(after.has_value());
    CHECK(lines_of(*after) == with_scale(row.want));
  }
}

TEST_CASE("the last server that is left stays in, whatever its health") {
  const auto servers = traffic::parse_servers("server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80 down;\n", "order.conf");
  REQUIRE(servers.has_value());
  const auto alone = traffic::desired_servers(upstream(), *servers, {.health = Health::down}, "order");
  REQUIRE_FALSE(alone.has_value());
  CHECK(alone.error().text ==
        "0 of 2 servers of upstream order would be live and there must be 1; 10.0.0.1:80 stays in");
  const auto both = traffic::parse_servers("server 10.0.0.1:80;\nserver 10.0.0.2:80;\n", "order.conf");
  REQUIRE(both.has_value());
  CHECK_FALSE(traffic::desired_servers(upstream(2), *both, {.flow = Flow::drained}, "order").has_value());
}

TEST_CASE("a drain waits for old workers that still answer, and no longer than in_flight") {
  struct Row {
    std::string name;
    bool old_worker_ends;
    const char* want;
  };
  for (const Row& row :
       {Row{"they end", true, "ok: nginx upstream order: 10.0.0.1:80 is out; 1 of 2 servers live"},
        Row{"they do not", false,
            "ok: nginx upstream order: 10.0.0.1:80 is out; 1 of 2 servers live; old workers still answer requests, and "
            "were given up"}}) {
    CAPTURE(row.name);
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-lines-XXXXXX").string();
    const std::string folder = ::mkdtemp(pattern.data());
    fakes::FakeLoop loop;
    fakes::FakeSystemd systemd{loop};
    fakes::FakeSpawner spawner{loop};
    traffic::Nginx nginx{loop, systemd, spawner};
    traffic::NginxUpstream settings = upstream();
    settings.file = folder + "/order.conf";
    settings.pid_file = folder + "/nginx.pid";
    settings.in_flight = seconds{5};
    REQUIRE(base::write_file_atomically(settings.pid_file, std::to_string(::getpid()) + "\n"));
    Worker old_worker;
    std::string result;
    const auto handle =
        nginx.apply(settings, {.flow = Flow::drained}, "order", loop.now() + seconds{60},
                    [&](recover::ApplyResult r) { result = std::string(to_string(r.result)) + ": " + r.text; });
    loop.run_due();
    Worker new_worker;
    systemd.jobs.answer(base::Result<std::string>("done"));
    loop.advance(seconds{4});
    CHECK(result.empty());
    if (row.old_worker_ends) old_worker.end();
    loop.advance(row.old_worker_ends ? std::chrono::milliseconds{100} : seconds{1});
    CHECK(result == row.want);
    std::filesystem::remove_all(folder);
  }
}

TEST_CASE("what the configuration does not say stays in the file: weights, parameters, comments, order") {
  const std::string file =
      "# rack 4, ask the platform team\n"
      "\tserver 10.0.0.2:80   weight=7 max_conns=100 fail_timeout=10s; # the old one\n"
      "\n"
      "server 10.0.0.1:80 max_fails=2 weight=5 backup; # new\n"
      "# the end\n";
  traffic::NginxUpstream settings = upstream();
  settings.weight.reset();
  auto servers = traffic::parse_servers(file, "order.conf");
  REQUIRE(servers.has_value());
  const auto out = traffic::desired_servers(settings, *servers, {.flow = Flow::drained, .health = Health::up}, "order");
  REQUIRE(out.has_value());
  CHECK(lines_of(*out) ==
        "# rack 4, ask the platform team\n"
        "\tserver 10.0.0.2:80   weight=7 max_conns=100 fail_timeout=10s; # the old one\n"
        "\n"
        "server 10.0.0.1:80 max_fails=2 weight=5 backup down; # drained by fettle for order # new\n"
        "# the end\n");
  const auto drained = traffic::parse_servers(traffic::to_text(*out), "order.conf");
  REQUIRE(drained.has_value());
  const auto back = traffic::desired_servers(settings, *drained, {.health = Health::up}, "order");
  REQUIRE(back.has_value());
  CHECK(lines_of(*back) == file);
}

TEST_CASE("an address of self that is not in the file is a refusal, and adds no strange server") {
  traffic::NginxUpstream settings = upstream();
  settings.file = "/etc/nginx/order.conf";
  settings.self = "10.0.0.1:88";
  const auto servers = traffic::parse_servers("server 10.0.0.1:80;\nserver 10.0.0.2:80;\n", "order.conf");
  for (const Flow flow : {Flow::drained, Flow::live}) {
    const auto out = traffic::desired_servers(settings, *servers, {.flow = flow, .health = Health::up}, "order");
    REQUIRE_FALSE(out.has_value());
    CHECK(out.error().kind == base::Kind::invalid);
    CHECK(out.error().text ==
          "no server line of /etc/nginx/order.conf has the address of self, 10.0.0.1:88; there are: 10.0.0.1:80, "
          "10.0.0.2:80; it was left as it is; did you mean 10.0.0.1:80?");
  }
}
