#include "rules/group.h"
#include "promql/engine.h"
#include "promql/queryable.h"
#include "promql/value.h"

#include <doctest/doctest.h>

namespace {

// One group over samples in memory, evaluated when the test says so.
struct Fixture {
  explicit Fixture(const std::string& text) {
    config::Errors errors;
    auto groups = rules::compile(config::parse_rule_file(text, "r.yml", errors), promql::Compat::v3, errors);
    REQUIRE_MESSAGE(errors.empty(), errors.text());
    group = std::make_unique<rules::Group>(std::move(groups.at(0)),
                                           rules::EvaluationContext{options, engine, data, append});
  }
  rules::Evaluation evaluate(std::int64_t seconds) {
    return group->evaluate(base::wall_from_ms(seconds * 1000), [] { return base::Instant{}; }, {});
  }
  void sample(const model::Labels& labels, std::int64_t seconds, double value) {
    data.append(labels, {seconds * 1000, value});
  }
  // Samples of a metric as "{labels} value@seconds", in order of labels and time.
  std::vector<std::string> written(std::string_view metric) const {
    std::vector<std::string> out;
    for (const auto& entry : data.entries())
      if (entry.labels.metric_name() == metric)
        for (const model::Sample& s : entry.samples)
          out.push_back(entry.labels.without_metric_name().to_string() + " " +
                        (model::is_stale(s.v) ? "stale" : promql::format_value(s.v)) + "@" +
                        std::to_string(s.t / 1000));
    return out;
  }

  rules::Options options;
  promql::Engine engine{options.engine};
  promql::MemoryQueryable data;
  std::function<bool(const model::Labels&, model::Sample)> append = [this](const model::Labels& l, model::Sample s) {
    data.append(l, s);
    return true;
  };
  std::unique_ptr<rules::Group> group;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a recorded series that vanishes gets a stale marker, once") {
  Fixture f("groups: [{name: g, rules: [{record: r, expr: 'm > 1'}]}]");
  f.sample({{"__name__", "m"}, {"a", "x"}}, 0, 2);
  f.evaluate(10);
  f.sample({{"__name__", "m"}, {"a", "x"}}, 15, 1);
  f.evaluate(20);
  f.evaluate(30);
  CHECK(f.written("r") == Lines{"{a=\"x\"} 2@10", "{a=\"x\"} stale@20"});
}

TEST_CASE("a rule whose samples the store refuses is not well, says so, and its alerts fire all the same") {
  Fixture f("groups: [{name: g, rules: [{record: r, expr: m}, {alert: A, expr: 'm > 1'}]}]");
  bool full = false;
  f.append = [&](const model::Labels& labels, model::Sample sample) {
    if (full && labels.get("a") == "x") return false;
    f.data.append(labels, sample);
    return true;
  };
  f.sample({{"__name__", "m"}, {"a", "x"}}, 0, 2);
  f.sample({{"__name__", "m"}, {"a", "y"}}, 0, 2);
  full = true;
  const rules::Evaluation evaluation = f.evaluate(10);
  CHECK(f.group->rules()[0].error ==
        "the store refused 1 of 2 samples of this rule; fettle_store_refused_total says why");
  CHECK(f.group->rules()[1].error ==
        "the store refused 2 of 4 samples of this rule; fettle_store_refused_total says why");
  CHECK(evaluation.changes.transitions.size() == 2);
  full = false;
  f.evaluate(20);
  CHECK(f.group->rules()[0].error == "");
  CHECK(f.group->rules()[1].error == "");
}

TEST_CASE("labels of the group stand under those of the rule, and an empty one takes a label away") {
  Fixture f(R"(
groups:
  - name: g
    labels: {team: shop, tier: a}
    rules:
      - {record: r, expr: m, labels: {tier: b, drop: ""}}
      - {alert: A, expr: m, labels: {tier: "{{ $value }}", drop: ""}}
)");
  f.sample({{"__name__", "m"}, {"drop", "x"}, {"keep", "y"}}, 0, 2);
  f.evaluate(10);
  CHECK(f.written("r") == Lines{"{keep=\"y\", team=\"shop\", tier=\"b\"} 2@10"});
  CHECK(f.written("ALERTS") ==
        Lines{"{alertname=\"A\", alertstate=\"firing\", keep=\"y\", team=\"shop\", tier=\"2\"} 1@10"});
  CHECK(f.written("ALERTS_FOR_STATE") == Lines{"{alertname=\"A\", keep=\"y\", team=\"shop\", tier=\"2\"} 10@10"});
}

TEST_CASE("with a query offset the group looks back and writes at that time") {
  Fixture f(
      "groups: [{name: g, query_offset: 30s, rules: [{record: r, expr: 'time()'}, {alert: A, expr: 'm', annotations: "
      "{at: '{{ query \"time()\" | first | value }}'}}]}]");
  f.sample({{"__name__", "m"}}, 30, 1);
  f.evaluate(40);
  f.evaluate(60);
  CHECK(f.written("r") == Lines{"{} 10@10", "{} 30@30"});
  REQUIRE(f.group->rules()[1].alerts.active() == 1);
  const model::Alert& alert = f.group->rules()[1].alerts.alerts().begin()->second;
  CHECK(alert.active_at == base::wall_from_ms(60'000));
  CHECK(alert.annotations.get("at") == "60");  // a query in a template does not look back
}

TEST_CASE("what a rule cannot mean is its error, and the next rule goes on") {
  struct Row {
    const char* rule;
    const char* error;
  };
  for (const Row& row : {
           Row{"{record: r, expr: 'm[5m]'}", "rule result is not a vector or scalar"},
           Row{"{record: r, expr: 'm', labels: {a: same}}",
               "vector contains metrics with the same labelset after applying rule labels"},
           Row{"{alert: A, expr: 'm', labels: {a: same}}",
               "vector contains metrics with the same labelset after applying alert labels"},
       }) {
    CAPTURE(row.rule);
    Fixture f("groups: [{name: g, rules: [" + std::string(row.rule) + ", {record: after, expr: '1'}]}]");
    f.sample({{"__name__", "m"}, {"a", "1"}}, 0, 1);
    f.sample({{"__name__", "m"}, {"a", "2"}}, 0, 1);
    f.evaluate(10);
    CHECK(f.group->rules()[0].error == row.error);
    CHECK(f.group->rules()[1].error == "");
    CHECK(f.written("after") == Lines{"{} 1@10"});
  }
}

TEST_CASE("a series is read when a selector of some rule matches it") {
  Fixture f("groups: [{name: g, rules: [{alert: A, expr: 'sum(rate(a{x=\"1\"}[5m])) > 0 unless absent(b)'}]}]");
  CHECK(f.group->reads({{{"__name__", "a"}, {"x", "1"}, {"y", "2"}}}));
  CHECK(f.group->reads({{{"__name__", "c"}}, {{"__name__", "b"}}}));
  CHECK_FALSE(f.group->reads({{{"__name__", "a"}, {"x", "2"}}}));
  CHECK_FALSE(f.group->reads({}));
}
