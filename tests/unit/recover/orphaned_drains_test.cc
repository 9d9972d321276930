// Traffic that fettle took away comes back, whoever is left to do it: plans and traffic that a reload removed, or that
// were gone when the agent started again.
#include "recover/orphaned_drains.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "fakes/recovery_site.h"

using model::Health;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "fettle-give-back-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

// A service that is drained by a flag file and waits, because the dependency that it needs is down.
struct Site : fakes::RecoverySite {
  Site() {
    service_view.health["redis"] = Health::down;
    configure();
    alert("ServiceDown");
    loop.run_due();
    REQUIRE(is_out());
    REQUIRE(status().state == model::PlanState::holding);
  }
  std::string traffic() const { return fmt::format("{{file: {{path: \"{}/order out\"}}}}", folder.path); }
  void configure() {
    use_traffic(traffic());
    use(draining());
  }
  std::unique_ptr<recover::PlanSpec> draining(model::RecoveryMode mode = model::RecoveryMode::enforce) {
    config::Errors errors;
    config::Service service;
    service.depends_on = {"redis"};
    service.traffic = config::Node::parse(traffic(), "f.yml", errors);
    service.recovery = config::Node::parse(
        "{when: {alert: ServiceDown}, guards: {agent_uptime: 0s}, steps: [{do: drain}, {do: {command: {argv: "
        "[/bin/true]}}}], finally: [{do: undrain}]}",
        "f.yml", errors);
    auto spec = recover::parse_plan("order", service, errors);
    CHECK(errors.text() == "");
    spec->mode = mode;
    return spec;
  }
  void no_traffic() { traffic_controller->replace({}); }
  bool is_out() const { return std::filesystem::exists(folder.path + "/order out"); }
  void restart_agent() {
    dispatcher.reset();
    said.clear();
    start();
  }
  long times_said(const std::string& line) const { return std::count(said.begin(), said.end(), line); }

  Folder folder;
};

}  // namespace

TEST_CASE("a plan that a reload removes while its service is drained ends, and gives the traffic back") {
  Site f;
  f.use(nullptr);
  f.loop.run_due();
  CHECK_FALSE(f.is_out());
  CHECK(f.dispatcher->statuses().empty());
  CHECK(f.dispatcher->reports().at(0).state == model::RecoveryState::aborted);
  CHECK(f.dispatcher->reports().at(0).actions.back().action == "undrain");
  CHECK(f.table(state::Table::traffic).empty());
}

TEST_CASE("traffic that a reload removes while its service is drained is given back; a recovery of its own tells") {
  Site f;
  f.said.clear();
  f.no_traffic();
  f.use(nullptr);
  f.loop.run_due();
  CHECK_FALSE(f.is_out());
  CHECK(f.table(state::Table::traffic).empty());
  f.loop.run_due();
  CHECK(f.traffic_controller->statuses().empty());
}

TEST_CASE("what an agent left drained is given back by one that has no plan, no traffic, or neither for it") {
  struct Row {
    const char* name;
    bool plan, traffic;
    model::RecoveryMode mode = model::RecoveryMode::enforce;
  };
  for (const Row& row : {Row{"no plan", false, true}, Row{"no traffic", true, false}, Row{"neither", false, false},
                         Row{"a plan that is a dry run by now", true, true, model::RecoveryMode::dry_run}}) {
    CAPTURE(row.name);
    Site f;
    f.restart_agent();
    if (row.traffic) f.use_traffic(f.traffic());
    else f.no_traffic();
    // A plan that drains cannot be configured without traffic: this one only restarts.
    f.use(!row.plan ? nullptr : row.traffic ? f.draining(row.mode) : f.plan());
    f.loop.run_due();
    CHECK_FALSE(f.is_out());
    CHECK(f.table(state::Table::traffic).empty());
    CHECK(f.times_said("order undrain ok enforce") == 1);
    CHECK(f.times_said("report recovered") == 1);
    const auto reports = f.dispatcher->reports();
    const auto told = std::find_if(reports.begin(), reports.end(),
                                   [](const auto& r) { return r.trigger == "it was left without its traffic"; });
    REQUIRE(told != reports.end());
    CHECK(told->actions.at(0).action == "undrain");
    CHECK(told->ended.has_value());
  }
}

TEST_CASE("a place that cannot be turned back is tried again, also by the next agent, and told once") {
  Site f;
  f.restart_agent();
  const std::string name = f.folder.path + "/order out";
  std::filesystem::remove(name);
  std::filesystem::create_directories(name + "/in the way");  // no file that could be removed
  f.no_traffic();
  f.use(nullptr);
  f.loop.advance(minutes{1});
  CHECK(f.times_said("order undrain failed enforce") == 1);
  CHECK(f.table(state::Table::traffic).count("order") == 1);
  f.restart_agent();
  f.no_traffic();
  f.use(nullptr);
  f.loop.advance(seconds{5});
  CHECK(f.times_said("order undrain failed enforce") == 1);
  std::filesystem::remove_all(name);
  REQUIRE(base::write_file_atomically(name, "drained\n"));
  f.loop.advance(seconds{11});
  CHECK_FALSE(f.is_out());
  CHECK(f.times_said("order undrain ok enforce") == 1);
  CHECK(f.table(state::Table::traffic).empty());
}

TEST_CASE("a record without its settings is said and dropped: nobody knows where the traffic was") {
  Site f;
  f.state.commit({state::Change::put(state::Table::traffic, "ghost", "{\"drained\":true}")}, [](base::Result<>) {});
  f.loop.run_due();
  f.restart_agent();
  f.configure();
  f.loop.run_due();
  CHECK(f.table(state::Table::traffic).count("ghost") == 0);
  CHECK(f.table(state::Table::traffic).count("order") == 1);  // its run goes on: it is held, and drained
  CHECK(f.is_out());
}

TEST_CASE("a drain without places in the configuration that comes back with a reload is the plan's again") {
  Site f;
  f.no_traffic();
  f.use_traffic(f.traffic());
  f.loop.run_due();
  CHECK(f.is_out());
  CHECK(f.status().state == model::PlanState::holding);
}

TEST_CASE("settings of traffic survive their way through one line") {
  config::Errors errors;
  const std::string yaml =
      "file:\n  path: '/run/a \"b\": {c}, d'  # a comment\n  present: live\n"
      "nginx: {upstream: order, file: /f, self: 'a:1', peers: [{server: \"b:2\", weight: 3}, {server: c:3}]}\n";
  const auto first = recover::parse_traffic("order", config::Node::parse(yaml, "f.yml", errors), errors);
  REQUIRE(first != nullptr);
  CHECK(first->text ==
        "{file: {path: \"/run/a \\\"b\\\": {c}, d\", present: live}, nginx: {upstream: order, file: /f, self: \"a:1\", "
        "peers: [{server: \"b:2\", weight: 3}, {server: \"c:3\"}]}}");
  const auto second = recover::parse_traffic("order", config::Node::parse(first->text, "f.yml", errors), errors);
  REQUIRE(second != nullptr);
  CHECK(errors.text() == "");
  CHECK(second->text == first->text);
  CHECK(second->places.at(0)->text() == first->places.at(0)->text());
}
