#include "app/replay/plan_replay.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "app/replay/replay_recover.h"
#include "fakes/temporary_folder.h"
#include "promql/queryable.h"

namespace {

constexpr std::int64_t kBegin = 1'795'416'600'000;  // 2026-11-23T06:50:00Z

using Entry = promql::MemoryQueryable::Entry;

// A service order that depends on redis, each with a probe a second; both are up but for the seconds that are named.
struct Recorded {
  struct Fault {
    int from = 0, to = 0;
  };
  std::vector<Fault> order, redis;
  int length = 120;
  bool by_alert = false;  // the alert was recorded, and no rule makes it

  static bool fails(const std::vector<Fault>& faults, int second) {
    for (const Fault& fault : faults)
      if (second >= fault.from && second < fault.to) return true;
    return false;
  }
  std::vector<Entry> series() const {
    std::vector<Entry> out;
    for (const auto& [service, faults] : {std::pair{"order", &order}, std::pair{"redis", &redis}}) {
      const model::Labels of{{"service", service}, {"probe", "tcp"}, {"job", "fettle"}, {"instance", "n:1"}};
      Entry success{of.with("__name__", "probe_success"), {}}, took{of.with("__name__", "probe_duration_seconds"), {}};
      for (int s = 0; s < length; ++s) {
        success.samples.push_back({kBegin + 1'000 * s, fails(*faults, s) ? 0.0 : 1.0});
        took.samples.push_back({kBegin + 1'000 * s, 0.004});
      }
      out.push_back(std::move(success));
      out.push_back(std::move(took));
    }
    if (by_alert) {
      Entry alert{{{"__name__", "ALERTS"}, {"alertname", "Other"}, {"alertstate", "firing"}, {"service", "order"}}, {}};
      for (int s = 0; s < length; s += 5)
        if (fails(order, s)) alert.samples.push_back({kBegin + 1'000 * s, 1});
      out.push_back(std::move(alert));
    }
    return out;
  }
};

std::string config_with(const std::string& plan) {
  return R"(global: {interval: 1s, timeout: 500ms, evaluation_interval: 1s}
rule_files: [rules.yml]
services:
  redis:
    probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: 6379, failure_threshold: 2}]
  order:
    depends_on: [redis]
    probes: [{name: tcp, type: tcp, host: 127.0.0.1, port: 8081, failure_threshold: 2}]
    recovery:
      steps: [{do: {command: {argv: [/bin/true]}}, timeout: 5s, verify: {success_threshold: 2, within: 10s}}]
)" + plan;
}

std::string replayed_in(const fakes::TemporaryFolder& folder, const Recorded& recorded, const std::string& plan,
                        app::ReplayMode mode) {
  folder.write("rules.yml",
               "groups: [{name: g, rules: [{alert: ServiceDown, expr: 'probe_success == 0', for: 3s}]}]\n");
  const std::string file = folder.write("fettle.yml", config_with(plan));
  config::Errors errors;
  app::LoadedConfig loaded = app::load(file, errors);
  CHECK(errors.text() == "");
  return app::replay_text(app::replay_plans(std::move(loaded), recorded.series(), mode));
}

// Of the service order. When a rule is evaluated depends on where its file lies; the plans here go by the health.
std::string replayed(const Recorded& recorded, const std::string& plan, app::ReplayMode mode) {
  const fakes::TemporaryFolder folder;
  const std::string text = replayed_in(folder, recorded, plan, mode);
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find("  order  ") != std::string::npos && line.find("ServiceDown") == std::string::npos)
      out += line.substr(11) + "\n";
  return out;
}

const std::string kLimits =
    "      guards: {min_uptime: 0s, cooldown: 0s, agent_uptime: 0s}\n"
    "      budget: {attempts: 2, within: 15m, backoff: {initial: 1s, jitter: 0}}\n";
const std::string kWhenDown = "      when: {state: down, for: 3s}\n" + kLimits;

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a dry run over samples says what it would have done, and does it once for each alert") {
  CHECK(replayed({{{10, 40}}, {}}, kWhenDown, app::ReplayMode::configured) ==
        "06:50:00.004Z  order  up\n"
        "06:50:11.004Z  order  down\n"
        "06:50:14.004Z  order  begins    run 1: alert down: dry_run, attempt 1\n"
        "06:50:14.004Z  order  action    run 1: command /bin/true\n"
        "06:50:24.004Z  order  ends      run 1: would_run\n"
        "06:50:40.004Z  order  up\n");
}

TEST_CASE("as if it were in enforce: the budget is spent, and then it gives up") {
  CHECK(replayed({{{10, 20}, {40, 48}, {70, 100}}, {}}, kWhenDown, app::ReplayMode::enforce) ==
        "06:50:00.004Z  order  up\n"
        "06:50:11.004Z  order  down\n"
        "06:50:14.004Z  order  begins    run 1: alert down: enforce, attempt 1\n"
        "06:50:14.004Z  order  action    run 1: command /bin/true\n"
        "06:50:20.004Z  order  up\n"
        "06:50:21.004Z  order  ends      run 1: recovered\n"
        "06:50:41.004Z  order  down\n"
        "06:50:44.004Z  order  begins    run 2: alert down: enforce, attempt 2\n"
        "06:50:44.004Z  order  action    run 2: command /bin/true\n"
        "06:50:48.004Z  order  up\n"
        "06:50:49.004Z  order  ends      run 2: recovered\n"
        "06:51:11.004Z  order  down\n"
        "06:51:14.004Z  order  page      Recovery exhausted. order: 2 recoveries within 15m did not keep it healthy; "
        "fettle stops acting until a person has mended it and it was healthy for 10m\n"
        "06:51:14.004Z  order  held      exhausted: gave up after 2 attempts within 15m; after the repair: fettle ack "
        "order; or 10m of health\n"
        "06:51:14.004Z  order  ends      run 3: exhausted: budget\n"
        "06:51:40.004Z  order  up\n");
}

TEST_CASE("a dependency that is down holds the plan back until it is up again") {
  CHECK(replayed({{{10, 40}}, {{8, 30}}}, kWhenDown, app::ReplayMode::enforce) ==
        "06:50:00.004Z  order  up\n"
        "06:50:11.004Z  order  down\n"
        "06:50:14.004Z  order  held      dependencies: redis is down: a restart would not help\n"
        "06:50:30.004Z  order  begins    run 1: alert down: enforce, attempt 1\n"
        "06:50:30.004Z  order  action    run 1: command /bin/true\n"
        "06:50:40.004Z  order  ends      run 1: failed\n"
        "06:50:40.004Z  order  held      backoff: 1 failed in a row, 1s to go\n"
        "06:50:40.004Z  order  up\n");
}

TEST_CASE("alerts that no rule of the configuration makes are those that were recorded") {
  CHECK(replayed({{{10, 16}}, {}, 120, true}, "      when: {alert: Other}\n" + kLimits, app::ReplayMode::enforce) ==
        "06:50:00.004Z  order  up\n"
        "06:50:10Z      order  fires     Other\n"
        "06:50:10.004Z  order  begins    run 1: alert Other: enforce, attempt 1\n"
        "06:50:10.004Z  order  action    run 1: command /bin/true\n"
        "06:50:11.004Z  order  down\n"
        "06:50:16.004Z  order  up\n"
        "06:50:17.004Z  order  ends      run 1: recovered\n"
        "06:50:18.004Z  order  begins    run 2: alert Other: enforce, attempt 2\n"
        "06:50:18.004Z  order  action    run 2: command /bin/true\n"
        "06:50:20Z      order  resolved  Other\n"
        "06:50:20.004Z  order  ends      run 2: recovered\n");
}

TEST_CASE("the same samples and configuration give the same bytes, and its rules are evaluated") {
  const Recorded recorded{{{10, 20}, {40, 48}, {70, 100}}, {{30, 50}}};
  const fakes::TemporaryFolder folder;
  const std::string plan = "      when: {alert: ServiceDown}\n" + kLimits;
  const std::string text = replayed_in(folder, recorded, plan, app::ReplayMode::enforce);
  CHECK(replayed_in(folder, recorded, plan, app::ReplayMode::enforce) == text);
  CAPTURE(text);
  CHECK(has(text, "order  fires     ServiceDown"));
  CHECK(has(text, "run 1: alert ServiceDown: enforce, attempt 1"));
  CHECK(has(text, "held      dependencies: redis is down"));
  CHECK(
      has(text, "order: runs 2 (aborted 1, exhausted 1, recovered 1), actions 2, held by dependencies 1, exhausted 1"));
}

TEST_CASE("a recorded health replaces the one from probe runs, and runs of unknown probes are named") {
  Recorded recorded{{{10, 12}}, {}};
  std::vector<Entry> series = recorded.series();
  Entry health{{{"__name__", "fettle_service_up"}, {"service", "order"}}, {}};
  for (int s = 0; s < 120; ++s) health.samples.push_back({kBegin + 1'000 * s + 5, 1});  // the agent was busy, say
  series.push_back(health);
  series.push_back({{{"__name__", "probe_success"}, {"service", "cart"}, {"probe", "http"}}, {{kBegin, 1}}});
  const fakes::TemporaryFolder folder;
  folder.write("rules.yml", "groups: []\n");
  config::Errors errors;
  app::LoadedConfig loaded = app::load(folder.write("fettle.yml", config_with(kWhenDown)), errors);
  const app::PlanReplay replay = app::replay_plans(std::move(loaded), series, app::ReplayMode::enforce);
  const std::string text = app::replay_text(replay);
  CAPTURE(text);
  CHECK_FALSE(has(text, "order  down"));
  CHECK(replay.notes ==
        std::vector<std::string>{"1 runs of cart/http were left out: the configuration has no such probe"});
  CHECK(has(
      app::replay_json(replay, app::ReplayMode::enforce),
      R"({"at":"2026-11-23T06:50:00.005Z","service":"order","what":"up","name":"","text":"","run":0,"attempt":0})"));
}
