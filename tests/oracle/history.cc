// Ten scripted minutes of a node through the agent's own store, rule groups and alert states, on a clock that the
// script moves. What fires at each half minute is printed as a promtool unit test with the same series: if promtool
// agrees, Prometheus and the agent fire the same alerts for the same rule files.
//
//   history RULE-FILE... >test.yml && promtool test rules test.yml
#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "app/queryable.h"
#include "config/rule_file.h"
#include "fakes/fake_loop.h"
#include "rules/manager.h"
#include "state/state.h"
#include "store/store.h"

namespace {

using model::Labels;
using namespace std::chrono_literals;

constexpr int kStep = 5, kEnd = 600, kMark = 30;  // seconds

struct Script {
  Labels labels;
  std::function<double(int second)> value;
};

double between(int second, int from, int to, double inside, double outside) {
  return second >= from && second < to ? inside : outside;
}

// Changes stand five seconds after a mark, so that no alert turns on or off while it is looked at.
std::vector<Script> scripts() {
  const auto named = [](const char* name, Labels own) {
    return Labels{{"__name__", name}, {"job", "fettle"}, {"instance", "node1:10911"}}.merged(own);
  };
  const auto up = [&](const char* service) { return named("fettle_service_up", Labels{{"service", service}}); };
  const Labels heartbeat{{"service", "payment"}, {"probe", "heartbeat"}};
  return {
      {up("order"), [](int s) { return between(s, 125, 245, 0, 1); }},
      {up("redis"), [](int s) { return between(s, 305, 425, 0, 1); }},
      {up("gateway"), [](int s) { return s >= 185 && s < 365 && s / 30 % 2 == 0 ? 0.0 : 1.0; }},
      {named("fettle_service_dependency", Labels{{"service", "order"}, {"depends_on", "redis"}}),
       [](int) { return 1.0; }},
      {named("probe_success", heartbeat), [](int s) { return between(s, 155, 275, 0, 1); }},
      {named("fettle_probe_failures_total", heartbeat.with("reason", "heartbeat_missed")),
       [](int s) { return s < 155   ? 0.0
                          : s < 275 ? (s - 150) / 5
                                    : 25.0; }},
      {named("probe_ssl_earliest_cert_expiry", Labels{{"service", "gateway"}, {"probe", "tls"}}),
       [](int) { return 10 * 86400.0; }},
      {named("fettle_recovery_state", Labels{{"service", "order"}, {"state", "exhausted"}}),
       [](int s) { return between(s, 215, 335, 1, 0); }},
      {named("fettle_loop_stall_seconds", {}), [](int) { return 4.0; }},
      {named("fettle_config_last_reload_successful", {}), [](int s) { return between(s, 95, 500, 0, 1); }},
      {named("up", {}), [](int) { return 1.0; }},
  };
}

using Json = nlohmann::ordered_json;

Json json_of(const Labels& labels) {
  Json out = Json::object();
  for (const model::Label label : labels)
    if (label.name != "alertname") out[std::string(label.name)] = label.value;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  config::Errors errors;
  std::vector<config::RuleGroup> groups;
  std::set<std::string> names;
  for (int i = 1; i < argc; ++i)
    for (config::RuleGroup& group : config::load_rule_file(argv[i], errors)) groups.push_back(std::move(group));
  for (const config::RuleGroup& group : groups)
    for (const config::Rule& rule : group.rules)
      if (!rule.alert.empty()) names.insert(rule.alert);
  std::vector<rules::CompiledGroupPtr> compiled = rules::compile(std::move(groups), promql::Compat::v2, errors);
  if (!errors.empty() || compiled.empty()) {
    fmt::print(stderr, "history: {}\n", errors.empty() ? "name a rule file" : errors.text());
    return 1;
  }

  fakes::FakeLoop loop(base::wall_from_ms(0));  // promtool's time begins at the epoch
  store::Store store{{.retention = base::Millis{7'200'000}, .max_series = 20'000}};
  const app::StoreQueryable queryable(store);
  const auto state = state::in_memory(loop);
  rules::Options options;
  options.engine.compat = promql::Compat::v2;  // as the installed promtool has it
  options.evaluation_interval = base::Millis{kStep * 1000};
  options.node = "node1";
  rules::Callbacks callbacks;
  callbacks.append = [&](const Labels& labels, model::Sample sample) {
    return store.append(labels, sample).has_value();
  };
  callbacks.on_transitions = [](const auto&) {};
  callbacks.on_evaluated = [](const std::string&, const std::string&, base::Duration, bool) {};
  rules::Manager manager(options, loop, *state, queryable, callbacks);
  manager.replace(std::move(compiled));

  Json series = Json::array(), checks = Json::array();
  const std::vector<Script> all = scripts();
  std::vector<std::string> values(all.size());
  std::size_t firing = 0;
  for (int second = 0; second <= kEnd; second += kStep) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double value = all[i].value(second);
      values[i] += fmt::format("{}{}", second ? " " : "", value);
      if (!store.append(all[i].labels, {second * 1000, value})) return 1;
    }
    loop.advance(std::chrono::milliseconds(kStep * 1000 - 100));  // every group is evaluated once within a step
    if (second % kMark == 0) {
      for (const std::string& name : names) {
        Json expected = Json::array();
        for (const model::Alert& alert : manager.active_alerts())
          if (alert.name() == name && alert.state == model::AlertState::firing)
            expected.push_back(
                {{"exp_labels", json_of(alert.labels)}, {"exp_annotations", json_of(alert.annotations)}});
        firing += expected.size();
        checks.push_back({{"eval_time", fmt::format("{}s", second)}, {"alertname", name}, {"exp_alerts", expected}});
      }
    }
    loop.advance(100ms);
  }
  for (std::size_t i = 0; i < all.size(); ++i)
    series.push_back({{"series", all[i].labels.to_string()}, {"values", values[i]}});
  Json files = Json::array();
  for (int i = 1; i < argc; ++i) files.push_back(argv[i]);
  const Json test = {
      {"rule_files", files},
      {"evaluation_interval", fmt::format("{}s", kStep)},
      {"tests", {{{"interval", fmt::format("{}s", kStep)}, {"input_series", series}, {"alert_rule_test", checks}}}}};
  fmt::print("{}\n", test.dump(1));  // promtool reads JSON as the YAML that it is
  fmt::print(stderr, "history: {} alert names, {} looks, {} firing alerts\n", names.size(), checks.size(), firing);
  return firing > 0 ? 0 : 1;
}
