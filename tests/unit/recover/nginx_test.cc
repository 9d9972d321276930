#include "recover/traffic/nginx.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "fakes/recovery_site.h"
#include "os/subprocess.h"
#include "os/systemd/systemd.h"

namespace traffic = recover::traffic;
using recover::Flow;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// A folder of its own with the file of an upstream of three servers, and an nginx that the test answers for.
struct Upstream {
  Upstream() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fettle-nginx-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    settings.upstream = "order";
    settings.file = folder + "/order.conf";
    settings.self = "10.0.0.1:80";
    settings.weight = 2;
    settings.peers = {{.address = "10.0.0.2:80"}, {.address = "10.0.0.3:80"}};
    settings.test = {"/usr/sbin/nginx", "-t"};
  }
  ~Upstream() { std::filesystem::remove_all(folder); }

  void apply(Flow to, const std::string& service = "order") {
    handles.push_back(nginx.apply(
        settings, {.flow = to}, service, loop.now() + seconds{10},
        [this](recover::ApplyResult r) { results.push_back(std::string(to_string(r.result)) + ": " + r.text); }));
    loop.run_due();
  }
  void test_ends(int code, const std::string& says = "") {
    os::Finished finished;
    finished.exit_code = code;
    finished.err = says;
    spawner.desk.answer(finished);
  }
  void reload_ends(const std::string& result) { systemd.jobs.answer(base::Result<std::string>(result)); }
  void good_turn(Flow to) {
    apply(to);
    test_ends(0);
    reload_ends("done");
  }
  std::string content(const std::string& suffix = "") const {
    return base::read_file(settings.file + suffix).value_or("none");
  }

  std::string folder;
  traffic::NginxUpstream settings;
  fakes::FakeLoop loop;
  fakes::FakeSystemd systemd{loop};
  fakes::FakeSpawner spawner{loop};
  traffic::Nginx nginx{loop, systemd, spawner};
  std::vector<loop::Handle> handles;
  std::vector<std::string> results;
};

const std::string kHead = "# Owned by fettle: it adds and removes `down`. Only `server` lines may stand here.\n";
const std::string kLive =
    kHead + "server 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 weight=1;\nserver 10.0.0.3:80 weight=1;\n";
const std::string kDrained = kHead +
                             "server 10.0.0.1:80 weight=2 down; # drained by fettle for order\n"
                             "server 10.0.0.2:80 weight=1;\nserver 10.0.0.3:80 weight=1;\n";

}  // namespace

TEST_CASE("a drain writes the file, keeps the old one until nginx has taken it, tests and reloads") {
  Upstream u;
  u.apply(Flow::drained);
  CHECK(u.content() == kDrained);
  CHECK(u.content(".prev") == kLive);
  CHECK(u.spawner.desk.last().argv == std::vector<std::string>{"/usr/sbin/nginx", "-t"});
  CHECK(u.systemd.jobs.asked().empty());
  u.test_ends(0);
  CHECK(u.systemd.jobs.last() == "reload nginx.service");
  CHECK(u.results.empty());
  u.reload_ends("done");
  CHECK(u.results == std::vector<std::string>{"ok: nginx upstream order: 10.0.0.1:80 is out; 2 of 3 servers live"});
  CHECK(u.content(".prev") == "none");
  CHECK(traffic::left_drained(u.settings, "order"));
  u.loop.advance(seconds{2});
  u.good_turn(Flow::live);
  CHECK(u.content() == kLive);
  CHECK_FALSE(traffic::left_drained(u.settings, "order"));
}

TEST_CASE("a test or a reload that fails brings the old file back with the reason") {
  struct Row {
    int test;
    const char* reload;
    const char* want;
    std::size_t reloads;
  };
  const Row rows[] = {
      {1, "", "failed: nginx upstream order: /usr/sbin/nginx: exit code 1: [emerg] unexpected \"}\"; ", 0},
      {0, "failed",
       "failed: nginx upstream order: systemd reload nginx.service: the job ended as 'failed'; see: journalctl -u "
       "nginx.service; ",
       2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    Upstream u;
    REQUIRE(base::write_file_atomically(u.settings.file, kLive));
    u.apply(Flow::drained);
    REQUIRE(u.content() == kDrained);
    u.test_ends(row.test, "[emerg] unexpected \"}\"\nmore");
    if (row.test == 0) u.reload_ends(row.reload);
    CHECK(u.content() == kLive);
    if (row.test == 0) u.reload_ends("done");  // told once more, with the old file
    CHECK(u.results == std::vector<std::string>{row.want + u.settings.file + " is as it was before"});
    CHECK(u.systemd.jobs.asked().size() == row.reloads);
    CHECK(u.content(".prev") == "none");
  }
}

TEST_CASE("too few servers left is a refusal, and nothing is touched") {
  struct Row {
    int min_live;
    const char* file;
    const char* want;
  };
  const Row rows[] = {
      {0, "server 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 down;\nserver 10.0.0.3:80 down;\n",
       "refused: 0 of 3 servers of upstream order would be live and there must be 2; 10.0.0.1:80 stays in"},
      {1, "server 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 down;\nserver 10.0.0.3:80 down;\n",
       "refused: 0 of 3 servers of upstream order would be live and there must be 1; 10.0.0.1:80 stays in"},
      {0, "server 10.0.0.1:80 weight=2;\nserver 10.0.0.2:80 down;\nserver 10.0.0.3:80;\n",
       "refused: 1 of 3 servers of upstream order would be live and there must be 2; 10.0.0.1:80 stays in"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.file);
    Upstream u;
    u.settings.min_live = row.min_live;
    REQUIRE(base::write_file_atomically(u.settings.file, row.file));
    u.apply(Flow::drained);
    CHECK(u.results == std::vector<std::string>{row.want});
    CHECK(u.content() == row.file);
    CHECK(u.content(".prev") == "none");
    CHECK(u.spawner.desk.asked().empty());
  }
}

TEST_CASE("a file that somebody else wrote is refused and left alone") {
  Upstream u;
  REQUIRE(base::write_file_atomically(u.settings.file, "include /etc/passwd;\n"));
  u.apply(Flow::drained);
  REQUIRE(u.results.size() == 1);
  CHECK(u.results[0].starts_with("refused: " + u.settings.file + ":1: 'include' is not `server`; "));
  CHECK(u.content() == "include /etc/passwd;\n");
}

TEST_CASE("`down` that a person wrote stays, and servers that only the file has stay too") {
  Upstream u;
  const std::string by_hand = "server 10.0.0.1:80 weight=2 down;\nserver 10.0.0.9:80 weight=5 backup;\n";
  REQUIRE(base::write_file_atomically(u.settings.file, by_hand));
  u.good_turn(Flow::live);
  CHECK(u.results == std::vector<std::string>{
                         "ok: nginx upstream order: 10.0.0.1:80 stays down: it was not fettle that took it out of " +
                         u.settings.file + "; 3 of 4 servers live"});
  CHECK(u.content() == kHead + by_hand + "server 10.0.0.2:80 weight=1;\nserver 10.0.0.3:80 weight=1;\n");
  CHECK_FALSE(traffic::left_drained(u.settings, "order"));
}

TEST_CASE("turns that wait are done with one reload, and reloads are two seconds apart") {
  Upstream u;
  u.good_turn(Flow::drained);
  const base::Instant first = u.loop.now();
  traffic::NginxUpstream other = u.settings;
  other.file = u.folder + "/cart.conf";
  other.upstream = "cart";
  u.apply(Flow::live);
  u.handles.push_back(u.nginx.apply(
      other, {.flow = Flow::drained}, "cart", u.loop.now() + seconds{10},
      [&](recover::ApplyResult r) { u.results.push_back(std::string(to_string(r.result)) + ": " + r.text); }));
  u.loop.advance(milliseconds{1999});
  CHECK(u.spawner.desk.asked().size() == 1);
  CHECK(u.content() == kDrained);
  u.loop.advance(milliseconds{1});
  CHECK(u.loop.now() - first == seconds{2});
  CHECK(u.spawner.desk.asked().size() == 2);
  u.test_ends(0);
  u.reload_ends("done");
  CHECK(u.systemd.jobs.asked().size() == 2);
  CHECK(u.results.size() == 3);
  CHECK(u.content() == kLive);
}

TEST_CASE("what already is needs no reload, and a turn that was dropped before it began is not done") {
  Upstream u;
  u.good_turn(Flow::drained);
  u.loop.advance(seconds{3});
  u.apply(Flow::drained);
  CHECK(u.results.back() == "ok: nginx upstream order: 10.0.0.1:80 is out; 2 of 3 servers live, as before");
  CHECK(u.spawner.desk.asked().size() == 1);
  u.good_turn(Flow::live);
  u.apply(Flow::drained);  // waits: the last reload has just been
  u.handles.back().reset();
  u.loop.advance(minutes{1});
  CHECK(u.content() == kLive);
}

TEST_CASE("a turn that a crash cut off is seen, and the next one reloads whatever the file says") {
  Upstream u;
  u.apply(Flow::drained);
  REQUIRE(u.content(".prev") == kLive);
  fakes::FakeSystemd systemd{u.loop};
  fakes::FakeSpawner spawner{u.loop};
  traffic::Nginx next(u.loop, systemd, spawner);
  // The file of a crash in the middle of an undrain: live already, and nginx was not told.
  REQUIRE(base::write_file_atomically(u.settings.file, kLive));
  CHECK(traffic::left_drained(u.settings, "order"));
  std::string said;
  const auto handle = next.apply(u.settings, {.flow = Flow::live}, "order", u.loop.now() + seconds{10},
                                 [&](const recover::ApplyResult& r) { said = to_string(r.result); });
  u.loop.run_due();
  os::Finished good;
  good.exit_code = 0;
  spawner.desk.answer(good);
  systemd.jobs.answer(std::string("done"));
  CHECK(said == "ok");
  CHECK(u.content(".prev") == "none");
}

TEST_CASE("without new workers a reload that said it succeeded is undone") {
  Upstream u;
  u.settings.pid_file = u.folder + "/nginx.pid";  // never there: so no worker is ever seen
  u.apply(Flow::drained);
  u.test_ends(0);
  u.reload_ends("done");
  u.loop.advance(seconds{6});
  CHECK(u.content() == kLive);
  u.reload_ends("done");
  REQUIRE(u.results.size() == 1);
  CHECK(u.results[0].starts_with("failed: nginx upstream order: nginx (" + u.settings.pid_file +
                                 ") has no new workers 5s after the reload"));
}

TEST_CASE("settings have their mistakes named") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row rows[] = {
      {"{nginx: {upstream: o, file: /f, self: '127.0.0.1:1', peers: [{server: '127.0.0.1:2', weight: 3}]}}", ""},
      {"{nginx: {upstream: 'o;', file: /f, self: '127.0.0.1:1'}}",
       "f.yml:1:20: services.o.traffic.nginx.upstream: must be a name of letters, digits and _.-"},
      {"{nginx: {upstream: o, file: f, self: '127.0.0.1:1'}}",
       "f.yml:1:29: services.o.traffic.nginx.file: must be an absolute path"},
      {"{nginx: {upstream: o, file: /f, self: 'a b:1'}}",
       "f.yml:1:39: services.o.traffic.nginx.self: must be host:port, [address]:port or unix:/path, as in nginx's "
       "server lines"},
      {"{nginx: {upstream: o, file: /f, self: 'a:1', test: [nginx, -t]}}",
       "f.yml:1:52: services.o.traffic.nginx.test: there is no shell: write a list that begins with an absolute path, "
       "[/usr/sbin/nginx, -t]"},
      {"{ngnix: {}}", "f.yml:1:2: services.o.traffic.ngnix: unknown key; did you mean 'nginx'?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    const auto parsed = recover::parse_traffic("o", config::Node::parse(row.yaml, "f.yml", errors), errors);
    CHECK((errors.empty() ? "" : errors.lines().front()) == row.want);
    CHECK((parsed != nullptr) == (*row.want == 0));
  }
}

namespace {

// The site's plan, with a drain before the restart and an undrain in the end, on the upstream's file.
std::unique_ptr<recover::PlanSpec> draining_plan(fakes::RecoverySite& f, const Upstream& u) {
  config::Errors errors;
  config::Service service;
  service.unit = "order.service";
  service.probes = {config::Node::parse("{name: http, type: http}", "f.yml", errors)};
  const std::string traffic = "{nginx: {upstream: order, file: " + u.settings.file +
                              ", self: '10.0.0.1:80', weight: 2, peers: [{server: '10.0.0.2:80'}, {server: "
                              "'10.0.0.3:80'}]}}";
  f.use_traffic(traffic);
  service.traffic = config::Node::parse(traffic, "f.yml", errors);
  service.recovery = config::Node::parse(
      "{when: {alert: ServiceDown}, mode: enforce, guards: {agent_uptime: 0s}, steps: [{do: drain}, {do: {systemd: "
      "restart}}], finally: [{do: undrain}]}",
      "f.yml", errors);
  auto spec = recover::parse_plan("order", service, errors);
  CHECK(errors.text() == "");
  f.service_view.uptime = minutes{5};
  return spec;
}

}  // namespace

TEST_CASE("killed while drained, the agent gives the traffic back: by the unfinished run, or without one") {
  for (const bool unfinished : {true, false}) {
    CAPTURE(unfinished);
    Upstream u;
    fakes::RecoverySite f;
    f.use(draining_plan(f, u));
    f.alert("ServiceDown");
    f.loop.run_due();
    f.systemd.jobs.answer(std::string("done"));  // the reload
    REQUIRE(f.systemd.jobs.last() == "restart order.service");
    REQUIRE(u.content() == kDrained);
    f.dispatcher.reset();
    if (!unfinished) f.state.commit({state::Change::remove(state::Table::intents, "order")}, [](base::Result<>) {});
    f.loop.run_due();
    f.start();
    f.use(draining_plan(f, u));
    if (unfinished) {
      CHECK(f.status().state == model::PlanState::verifying);
      f.healthy();
    }
    f.loop.run_due();
    CHECK(f.systemd.jobs.last() == "reload nginx.service");
    f.systemd.jobs.answer(std::string("done"));
    CHECK(u.content() == kLive);
    if (unfinished) CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::recovered);
  }
}

TEST_CASE("traffic that could not be given back is tried again") {
  Upstream u;
  REQUIRE(base::write_file_atomically(u.settings.file, kDrained));
  fakes::RecoverySite f;
  f.use(draining_plan(f, u));
  f.loop.run_due();
  f.systemd.jobs.answer(std::string("failed"));
  f.systemd.jobs.answer(std::string("failed"));
  CHECK(u.content() == kDrained);
  f.loop.advance(seconds{10});
  f.systemd.jobs.answer(std::string("done"));
  CHECK(u.content() == kLive);
}

TEST_CASE("an undrain that fails at the end of a run is tried again until the traffic is back") {
  Upstream u;
  fakes::RecoverySite f;
  f.use(draining_plan(f, u));
  f.alert("ServiceDown");
  f.loop.run_due();
  f.systemd.jobs.answer(std::string("done"));
  f.systemd.jobs.answer(std::string("done"));  // the restart
  f.healthy();
  f.loop.advance(seconds{3});
  f.systemd.jobs.answer(std::string("failed"));  // the reload of undrain
  f.systemd.jobs.answer(std::string("failed"));
  CHECK(f.dispatcher->reports().at(1).state == model::RecoveryState::recovered);
  CHECK(f.dispatcher->reports().at(1).actions.back().result == model::ActionStatus::failed);
  CHECK(f.dispatcher->reports().at(0).trigger == "it was left without its traffic");
  CHECK(u.content() == kDrained);
  f.loop.advance(seconds{3});
  CHECK(f.systemd.jobs.waiting() == 1);
  f.systemd.jobs.answer(std::string("done"));
  CHECK(u.content() == kLive);
}

TEST_CASE("a plan that drains needs an undrain, and the polkit rule hears of the reload") {
  config::Errors errors;
  const auto traffic = recover::parse_traffic(
      "o", config::Node::parse("{nginx: {upstream: o, file: /f, self: 'a:1'}}", "f.yml", errors), errors);
  const auto job = traffic->places.at(0)->systemd_job();
  REQUIRE(job.has_value());
  CHECK(job->verb + " " + job->unit == "reload nginx.service");
  config::Service service;
  service.traffic = config::Node::parse("{nginx: {upstream: o, file: /f, self: 'a:1'}}", "f.yml", errors);
  service.recovery =
      config::Node::parse("{when: {alert: Down}, steps: [{do: drain}, {do: {alert: page}}]}", "f.yml", errors);
  CHECK(recover::parse_plan("order", service, errors) != nullptr);
  CHECK(errors.lines() ==
        std::vector<std::string>{"f.yml:1:30: services.order.recovery.steps: a plan that drains must give "
                                 "the traffic back: add {do: undrain} to finally"});
}

TEST_CASE("of two turns that end together the second is silent if the first one's answer dropped it") {
  struct Row {
    const char* name;
    int test;  // exit code of nginx -t
    Flow to;
  };
  for (const Row& row : {Row{"done", 0, Flow::live}, Row{"drained", 0, Flow::drained}, Row{"failed", 1, Flow::live}}) {
    CAPTURE(row.name);
    Upstream u;
    u.good_turn(row.to == Flow::live ? Flow::drained : Flow::live);
    u.results.clear();
    traffic::NginxUpstream other = u.settings;
    other.file = u.folder + "/cart.conf";
    std::vector<std::string> told;
    loop::Handle second;
    const loop::Handle first =
        u.nginx.apply(u.settings, {.flow = row.to}, "order", u.loop.now() + seconds{10}, [&](recover::ApplyResult r) {
          told.push_back("first " + std::string(to_string(r.result)));
          second.reset();
        });
    second =
        u.nginx.apply(other, {.flow = Flow::drained}, "cart", u.loop.now() + seconds{10},
                      [&](recover::ApplyResult r) { told.push_back("second " + std::string(to_string(r.result))); });
    u.loop.advance(seconds{3});
    u.test_ends(row.test, "[emerg]");
    if (row.test == 0) u.reload_ends("done");
    u.loop.advance(seconds{1});
    CHECK(told == std::vector<std::string>{row.test == 0 ? "first ok" : "first failed"});
  }
}
