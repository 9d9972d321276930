#include "rules/tools/replay.h"
#include "promql/queryable.h"

#include <doctest/doctest.h>

#include <limits>

namespace {

using Entries = std::vector<promql::MemoryQueryable::Entry>;

// A series with one sample a minute from zero on.
promql::MemoryQueryable::Entry each_minute(const model::Labels& labels, const std::vector<double>& values) {
  promql::MemoryQueryable::Entry entry{labels, {}};
  for (const double v : values) entry.samples.push_back({static_cast<std::int64_t>(entry.samples.size()) * 60'000, v});
  return entry;
}

rules::Replayed replay(const std::string& text, Entries samples, std::int64_t minutes) {
  config::Errors errors;
  auto groups = rules::compile(config::parse_rule_file(text, "r.yml", errors), promql::Compat::v3, errors);
  REQUIRE_MESSAGE(errors.empty(), errors.text());
  rules::ReplayOptions options;
  options.rules.evaluation_interval = std::chrono::minutes{1};
  options.end_ms = minutes * 60'000;
  return rules::replay(std::move(groups), std::move(samples), options);
}

std::int64_t minute(base::WallTime t) { return base::to_ms(t) / 60'000; }

// "{labels} pending 1 firing 3 ended 5: annotations"
std::string shown(const rules::Episode& one) {
  const auto at = [](const std::optional<base::WallTime>& t) { return t ? std::to_string(minute(*t)) : "-"; };
  return one.labels.to_string() + " pending " + at(one.pending_from) + " firing " + at(one.firing_from) + " ended " +
         at(one.ended_at) + ": " + one.annotations.to_string();
}

const model::Labels kUp{{"__name__", "up"}, {"job", "order"}};

}  // namespace

TEST_CASE("each alert's way from pending to its end is one episode, through recordings, for and keep_firing_for") {
  const rules::Replayed replayed = replay(R"(
groups:
  - name: g
    rules:
      - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
      - {alert: Down, expr: 'job:up:sum == 0', for: 2m, annotations: {summary: "{{ $labels.job }} since {{ $value }}"}}
      - {alert: Kept, expr: 'up == 0', keep_firing_for: 2m}
)",
                                          {each_minute(kUp, {1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0})}, 12);
  std::vector<std::string> lines;
  for (const rules::Episode& one : replayed.episodes) lines.push_back(shown(one));
  CHECK(lines == std::vector<std::string>{
                     R"({alertname="Down", job="order"} pending 1 firing 3 ended 4: {summary="order since 0"})",
                     R"({alertname="Kept", job="order"} pending 1 firing 1 ended 6: {})",
                     R"({alertname="Down", job="order"} pending 7 firing - ended 8: {summary="order since 0"})",
                     R"({alertname="Kept", job="order"} pending 7 firing 7 ended 10: {})",
                     R"({alertname="Down", job="order"} pending 11 firing - ended -: {summary="order since 0"})",
                     R"({alertname="Kept", job="order"} pending 11 firing 11 ended -: {})"});
  CHECK(replayed.evaluations == 13);
  CHECK(replayed.errors.empty());
  std::vector<std::string> names;
  for (const auto& entry : replayed.written) names.push_back(entry.labels.to_string());
  CHECK(names == std::vector<std::string>{R"(ALERTS{alertname="Down", alertstate="firing", job="order"})",
                                          R"(ALERTS{alertname="Down", alertstate="pending", job="order"})",
                                          R"(ALERTS{alertname="Kept", alertstate="firing", job="order"})",
                                          R"(ALERTS_FOR_STATE{alertname="Down", job="order"})",
                                          R"(ALERTS_FOR_STATE{alertname="Kept", job="order"})",
                                          R"(job:up:sum{job="order"})"});
}

TEST_CASE("a group is evaluated on its own interval") {
  const rules::Replayed replayed = replay(R"(
groups:
  - {name: slow, interval: 5m, rules: [{record: slow, expr: up}]}
  - {name: fast, interval: 30s, rules: [{record: fast, expr: up}]}
)",
                                          {each_minute(kUp, std::vector<double>(11, 1))}, 10);
  CHECK(replayed.evaluations == 3 + 21);
  REQUIRE(replayed.written.size() == 2);
  CHECK(replayed.written[0].samples.size() == 21);
  CHECK(replayed.written[1].samples.size() == 3);
}

TEST_CASE("what the rules write themselves is made anew, and the same error is counted once") {
  const rules::Replayed replayed =
      replay(R"(
groups:
  - name: g
    rules:
      - {record: r, expr: up}
      - {alert: A, expr: 'up * on () up'}
)",
             {each_minute(kUp, {1, 1, 1}), each_minute({{"__name__", "up"}, {"job", "payment"}}, {1, 1, 1}),
              each_minute({{"__name__", "r"}, {"job", "old"}}, {1, 1, 1}),
              each_minute({{"__name__", "ALERTS"}, {"alertname", "A"}}, {1}),
              each_minute({{"__name__", "ALERTS"}, {"alertname", "B"}}, {1})},
             2);
  CHECK(replayed.replaced == 2);
  CHECK(replayed.written.size() == 2);
  REQUIRE(replayed.errors.size() == 1);
  CHECK(replayed.errors[0].rule == "A");
  CHECK(replayed.errors[0].times == 3);
  CHECK(minute(replayed.errors[0].first) == 0);
  CHECK(minute(replayed.errors[0].last) == 2);
}
