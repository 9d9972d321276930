#include "rules/manager.h"

#include <doctest/doctest.h>

#include <map>

#include "fakes/fake_loop.h"
#include "promql/queryable.h"
#include "promql/value.h"
#include "state/state.h"

namespace {

using base::Millis;
using std::chrono::seconds;

const char* const kRules = R"(
groups:
  - name: g
    interval: 10s
    rules:
      - {record: "svc:down", expr: "up_of == bool 0"}
      - {alert: Down, expr: "svc:down == 1", for: 30s, labels: {severity: "{{ $labels.service }}-page"},
         annotations: {summary: "{{ $labels.service }} {{ $value }}"}}
)";

// A manager over a store in memory, and everything it said.
struct Agent {
  explicit Agent(fakes::FakeLoop& l, state::State& s) : loop(l) {
    rules::Options options;
    options.node = "n1";
    options.external_url = "http://n1:10911";
    rules::Callbacks callbacks;
    callbacks.append = [this](const model::Labels& labels, model::Sample sample) {
      data.append(labels, sample);
      return true;
    };
    callbacks.on_transitions = [this](const std::vector<model::AlertTransition>& transitions) {
      for (const model::AlertTransition& one : transitions) {
        said.push_back(std::string(one.alert.service()) + " " + std::string(model::to_string(one.from)) + ">" +
                       std::string(model::to_string(one.alert.state)));
        last = one;
      }
    };
    manager = std::make_unique<rules::Manager>(options, loop, s, data, std::move(callbacks));
  }

  void load(const std::string& text, const rules::Manager::Gone& gone = {}) {
    config::Errors errors;
    auto groups = rules::compile(config::parse_rule_file(text, "r.yml", errors), promql::Compat::v3, errors);
    REQUIRE_MESSAGE(errors.empty(), errors.text());
    manager->replace(std::move(groups), gone);
  }
  void up(const char* service, double value) {
    data.append({{"__name__", "up_of"}, {"service", service}}, {base::to_ms(loop.wall_now()), value});
  }
  void touch(const char* service) { manager->touched({{{"__name__", "up_of"}, {"service", service}}}); }
  // Time passes with a sample per second.
  void run(int n, double value) {
    for (int i = 0; i < n; ++i) {
      up("order", value);
      loop.advance(seconds{1});
    }
  }
  // The newest sample of a series, as text; "" without one.
  std::string newest(const model::Labels& labels) const {
    for (const auto& entry : data.entries())
      if (entry.labels == labels)
        return model::is_stale(entry.samples.back().v) ? "stale" : promql::format_value(entry.samples.back().v);
    return "";
  }

  fakes::FakeLoop& loop;
  promql::MemoryQueryable data;
  std::vector<std::string> said;
  model::AlertTransition last;
  std::unique_ptr<rules::Manager> manager;
};

using Said = std::vector<std::string>;

const model::Labels kAlert = {{"__name__", "ALERTS"},
                              {"alertname", "Down"},
                              {"alertstate", "firing"},
                              {"service", "order"},
                              {"severity", "order-page"}};

}  // namespace

TEST_CASE("a recording is there for the next rule, and the alert goes its way on the grid") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(kRules);
  agent.run(20, 1);
  CHECK(agent.said.empty());
  agent.run(60, 0);
  CHECK(agent.said == Said{"order inactive>pending", "order pending>firing"});
  CHECK(agent.last.alert.annotations.get("summary") == "order 1");
  CHECK(agent.last.alert.generator_url == "http://n1:10911/graph?g0.expr=svc%3Adown+%3D%3D+1&g0.tab=1");
  CHECK(*agent.last.alert.fired_at - agent.last.alert.active_at == seconds{30});
  CHECK(agent.newest(kAlert) == "1");
  CHECK(agent.newest(kAlert.with("alertstate", "pending")) == "stale");
  agent.run(20, 1);
  CHECK(agent.said.back() == "order firing>inactive");
  CHECK(agent.newest(kAlert) == "stale");
  const auto groups = agent.manager->groups();
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].iterations == 10);
  CHECK(groups[0].missed == 0);
  CHECK(groups[0].rules[1].health == model::RuleHealth::ok);
}

TEST_CASE("a touched series is evaluated in the next turn, once, without moving the grid or shortening for") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(kRules);
  agent.run(11, 1);
  const auto iterations = agent.manager->groups()[0].iterations;
  const auto grid = agent.manager->groups()[0].last_evaluation;
  agent.up("order", 0);
  agent.touch("other");  // the selector has no service: any series of the name is read
  agent.touch("order");
  CHECK(agent.said.empty());
  loop.run_due();
  CHECK(agent.said == Said{"order inactive>pending"});
  CHECK(agent.manager->groups()[0].iterations == iterations);
  agent.manager->touched({{{"__name__", "unread"}}});
  CHECK(loop.timers() == 2);  // the grid's and the one that remembers being alive
  for (int i = 0; i < 29; ++i) {
    agent.run(1, 0);
    agent.touch("order");
  }
  CHECK(agent.said.size() == 1);
  agent.run(1, 0);
  agent.touch("order");
  loop.run_due();
  CHECK(agent.said.back() == "order pending>firing");
  agent.run(10, 0);
  CHECK((agent.manager->groups()[0].last_evaluation - grid) % seconds{10} == Millis{0});
}

TEST_CASE("points of the grid that pass while the loop is busy are counted and not made up for") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(kRules);
  int evaluations = 0;
  fakes::FakeLoop* const clock = &loop;
  rules::Callbacks callbacks;
  callbacks.append = [](const model::Labels&, model::Sample) { return true; };
  callbacks.on_evaluated = [&](const std::string&, const std::string& rule, base::Duration, bool ok) {
    CHECK(ok);
    if (rule == "Down" && ++evaluations == 1) clock->advance(seconds{35});
  };
  rules::Manager slow({}, loop, *state, agent.data, callbacks);
  config::Errors errors;
  slow.replace(rules::compile(config::parse_rule_file(kRules, "r.yml", errors), promql::Compat::v3, errors));
  loop.advance(seconds{10});
  CHECK(evaluations == 1);
  CHECK(slow.groups()[0].missed == 3);
  CHECK(slow.groups()[0].iterations == 4);
}

TEST_CASE("an agent that stood still ends and raises no alert before its probes have run") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(R"yaml(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Down, expr: "up_of == 0", labels: {service: "{{ $labels.service }}"}}
      - {alert: Gone, expr: "absent_over_time(up_of[5s])", labels: {service: gone}}
)yaml");
  agent.run(10, 0);
  CHECK(agent.said == Said{"order inactive>firing"});
  loop.stand_still(seconds{600});  // longer than the lookback
  loop.advance(Millis{300});       // the first runs are under way
  CHECK(agent.said.size() == 1);
  agent.run(10, 0);
  CHECK(agent.said.size() == 1);
  agent.run(10, 1);
  CHECK(agent.said == Said{"order inactive>firing", "order firing>inactive"});

  agent.run(10, 0);
  loop.stand_still(seconds{600});
  loop.advance(seconds{20});  // nothing is measured any more
  CHECK(agent.said.back() == "gone inactive>firing");
  loop.advance(seconds{300});
  CHECK(agent.said.back() == "order firing>inactive");
}

TEST_CASE("evaluations and failures are counted over a change of the group") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  const std::string wrong = R"(
groups: [{name: g, interval: 10s, rules: [{record: a, expr: up_of}, {record: b, expr: up_of + on () up_of}]}])";
  agent.up("order", 1);
  agent.up("stock", 1);
  agent.load(wrong);
  loop.advance(seconds{10});
  CHECK(agent.manager->groups()[0].evaluations == 2);
  CHECK(agent.manager->groups()[0].failures == 1);
  agent.touch("order");  // out of turn
  loop.advance(Millis{1});
  CHECK(agent.manager->groups()[0].evaluations == 4);
  CHECK(agent.manager->groups()[0].iterations == 1);
  agent.load(kRules);
  CHECK(agent.manager->groups()[0].evaluations == 4);
  CHECK(agent.manager->groups()[0].failures == 2);
}

TEST_CASE("a rule is unmatched until a selector of it finds a series, whatever the series' value") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(R"yaml(
groups:
  - name: g
    interval: 10s
    rules:
      - {alert: Typo, expr: "up_off == 0"}
      - {alert: Down, expr: "up_of == 0"}
      - {alert: Always, expr: "vector(1)"
}
      - {alert: Gone, expr: "absent(nowhere)"}
)yaml");
  const auto unmatched = [&] {
    std::string out;
    const auto groups = agent.manager->groups();
    for (const rules::RuleStatus& rule : groups[0].rules)
      if (rule.unmatched_since) out += rule.name + " ";
    return out;
  };
  CHECK(unmatched().empty());  // not evaluated yet
  loop.advance(seconds{10});
  CHECK(unmatched() == "Typo Down ");
  const auto since = agent.manager->groups()[0].rules[0].unmatched_since;
  agent.run(10, 1);
  CHECK(unmatched() == "Typo ");
  CHECK(agent.manager->groups()[0].rules[0].unmatched_since == since);
}

TEST_CASE("after a restart alerts go on before anything is evaluated, and are not resolved for want of data") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  {
    Agent first(loop, *state);
    first.load(kRules);
    first.run(60, 0);
    REQUIRE(first.said.back() == "order pending>firing");
  }
  const auto fired = loop.wall_now();
  Agent second(loop, *state);
  second.load(kRules);
  REQUIRE(second.manager->active_alerts().size() == 1);
  CHECK(second.manager->active_alerts()[0].state == model::AlertState::firing);
  CHECK(second.manager->active_alerts()[0].fired_at < fired);
  loop.advance(seconds{40});  // nothing measured yet
  CHECK(second.said.empty());
  CHECK(second.newest(kAlert) == "1");
  second.run(20, 0);
  CHECK(second.said.empty());
  second.run(20, 1);
  CHECK(second.said == Said{"order firing>inactive"});
}

TEST_CASE("after a restart an alert of a service that the configuration lost ends at the first evaluation") {
  const std::string named =
      "groups: [{name: g, interval: 10s, rules: [{alert: Down, expr: up_of == 0, labels: {service: order}}]}]";
  for (const bool rule_names_service : {false, true}) {
    CAPTURE(rule_names_service);
    const std::string text = rule_names_service ? named : kRules;
    fakes::FakeLoop loop;
    const auto state = state::in_memory(loop);
    {
      Agent first(loop, *state);
      first.load(text);
      first.run(60, 0);
      REQUIRE(first.manager->active_alerts().size() == 1);
    }
    Agent second(loop, *state);
    second.load(text, [](const model::Labels& alert) { return alert.get("service") == "order"; });
    loop.advance(seconds{20});
    // What the rule itself calls a service need not be one of the configuration.
    CHECK(second.said == (rule_names_service ? Said{} : Said{"order firing>inactive"}));
  }
}

TEST_CASE("a short absence counts towards for, a long one does not") {
  for (const auto& row : {std::pair{seconds{15}, 15}, std::pair{seconds{1000}, 30}}) {
    const auto& [away, want] = row;
    CAPTURE(row.first.count());
    fakes::FakeLoop loop;
    const auto state = state::in_memory(loop);
    {
      Agent first(loop, *state);
      first.load(kRules);
      first.run(11, 0);
      REQUIRE(first.said == Said{"order inactive>pending"});
      loop.run_due();
    }
    loop.advance(away);
    Agent second(loop, *state);
    second.load(kRules);
    int waited = 0;
    for (; waited < 100 && second.said.empty(); ++waited) second.run(1, 0);
    CHECK(second.said == Said{"order pending>firing"});
    CHECK(waited <= want + 10);
    CHECK(waited >= want - 20);
  }
}

TEST_CASE("alerts of a rule that is gone end, also those of an earlier life") {
  const std::string other = "groups: [{name: x, rules: [{alert: B, expr: 'vector(0) > 1'}]}]";
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  {
    Agent first(loop, *state);
    first.load(kRules);
    first.run(60, 0);
    first.load(other);
    CHECK(first.said.back() == "order pending>firing");
    loop.run_due();
    CHECK(first.said.back() == "order firing>inactive");
    loop.advance(seconds{25});
    CHECK(first.newest(kAlert) == "stale");
    first.load(kRules);
    first.run(60, 0);
    REQUIRE(first.said.back() == "order pending>firing");
  }
  Agent second(loop, *state);
  second.load(other);
  loop.run_due();
  CHECK(second.said == Said{"order firing>inactive"});
  CHECK(second.manager->active_alerts().empty());
}

TEST_CASE("a changed group keeps the alerts of the rules that are still there") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(kRules);
  agent.run(60, 0);
  std::string changed = kRules;
  changed.replace(changed.find("interval: 10s"), 13, "interval: 5s ");
  agent.load(changed);
  agent.run(20, 0);
  CHECK(agent.said == Said{"order inactive>pending", "order pending>firing"});
  CHECK(agent.manager->groups()[0].interval == seconds{5});
  const auto iterations = agent.manager->groups()[0].iterations;
  agent.load(changed);
  CHECK(agent.manager->groups()[0].iterations == iterations);  // nothing changed: it goes on
}

TEST_CASE("a wall clock that is set leaves for as it was") {
  for (const int hours : {-1, 1}) {
    CAPTURE(hours);
    fakes::FakeLoop loop;
    const auto state = state::in_memory(loop);
    Agent agent(loop, *state);
    agent.load(kRules);
    agent.run(11, 0);
    REQUIRE(agent.said == Said{"order inactive>pending"});
    loop.jump_wall(std::chrono::hours{hours});
    agent.run(20, 0);
    CHECK(agent.said.size() == 1);
    agent.run(20, 0);
    CHECK(agent.said.back() == "order pending>firing");
  }
}

TEST_CASE("a wall clock that is set is told once, and being late is not") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  const promql::MemoryQueryable data;
  std::vector<std::chrono::milliseconds> told;
  rules::Callbacks callbacks;
  callbacks.on_clock_set = [&](base::Millis step) { told.push_back(step); };
  rules::Manager manager({}, loop, *state, data, callbacks);
  loop.advance(std::chrono::hours{1});
  manager.follow_clock();
  CHECK(told.empty());
  for (const auto step : {std::chrono::milliseconds{-3'600'000}, std::chrono::milliseconds{400},
                          std::chrono::milliseconds{-250}, std::chrono::milliseconds{99}}) {
    loop.jump_wall(step);
    loop.advance(seconds{3});
    manager.follow_clock();
    manager.follow_clock();
  }
  using std::chrono::milliseconds;
  CHECK(told == std::vector{milliseconds{-3'600'000}, milliseconds{400}, milliseconds{-250}});
}

TEST_CASE("a query that fails leaves alerts alone; too many alerts end them") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(R"yaml(
groups:
  - name: g
    interval: 10s
    limit: 1
    rules: [{alert: Down, expr: "up_of == 0 and on (service) (x / on (service) y >= 0)"
}]
)yaml");
  const auto joined = [&](bool clash) {
    const auto t = base::to_ms(loop.wall_now());
    agent.data.append({{"__name__", "x"}, {"service", "order"}}, {t, 1});
    agent.data.append({{"__name__", "y"}, {"service", "order"}, {"n", "1"}}, {t, 1});
    if (clash) agent.data.append({{"__name__", "y"}, {"service", "order"}, {"n", "2"}}, {t, 1});
  };
  joined(false);
  agent.run(11, 0);
  REQUIRE(agent.said == Said{"order inactive>firing"});
  joined(true);
  agent.run(10, 0);
  CHECK(agent.said.size() == 1);
  CHECK(agent.manager->groups()[0].rules[0].health == model::RuleHealth::err);
  CHECK(agent.manager->groups()[0].rules[0].last_error.find("many-to-many") != std::string::npos);
  CHECK(agent.manager->active_alerts().size() == 1);
  agent.load(R"yaml(
groups:
  - name: g
    interval: 10s
    limit: 1
    rules: [{alert: Down, expr: "up_of == 0"}]
)yaml");
  agent.up("payment", 0);
  agent.run(10, 0);
  CHECK(agent.said.back() == "order firing>inactive");
  CHECK(agent.said.size() == 2);
  CHECK(agent.manager->groups()[0].rules[0].last_error == "exceeded limit of 1 with 2 alerts");
}

TEST_CASE("mistakes in expressions and templates are placed in the rule file") {
  config::Errors errors;
  rules::compile(config::parse_rule_file(R"(groups:
  - name: g
    rules:
      - alert: A
        expr: sum(
        annotations:
          summary: |
            {{ $labels.a }}
            {{ $nothing }}
      - record: r
        expr: |
          up
            + rate(up)
)",
                                         "r.yml", errors),
                 promql::Compat::v3, errors);
  const auto lines = errors.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find("r.yml:5:19: groups[0].rules[0].expr: 1:5: parse error: ") == 0);
  CHECK(lines[1].starts_with("r.yml:9:1: groups[0].rules[0].annotations.summary: bad template: line 2: undefined"));
  CHECK(lines[2].find("groups[0].rules[1].expr: ") != std::string::npos);
}

TEST_CASE("an alert whose rule was taken away is ended once, also by a manager that goes in the same turn") {
  fakes::FakeLoop loop;
  const auto state = state::in_memory(loop);
  Agent agent(loop, *state);
  agent.load(kRules);
  agent.run(60, 0);
  CHECK(agent.said.back() == "order pending>firing");
  agent.said.clear();
  agent.load("groups: []");
  CHECK(agent.said.empty());
  SUBCASE("in the next turn") { loop.run_due(); }
  SUBCASE("at once") { agent.manager->end_what_is_gone(); }
  CHECK(agent.said == Said{"order firing>inactive"});
  agent.manager->end_what_is_gone();
  agent.manager.reset();
  loop.advance(seconds{60});
  CHECK(agent.said == Said{"order firing>inactive"});
}
