#include "cli/replay.h"

#include <doctest/doctest.h>

namespace {

base::WallTime at(int minutes) { return base::wall_from_ms(1'700'000'000'000 + minutes * 60'000); }

rules::Replayed shop() {
  rules::Replayed out;
  out.groups = 1;
  out.evaluations = 12;
  const model::Labels labels{{"alertname", "Down"}, {"job", "order"}};
  out.episodes = {{"g", labels, {{"summary", "order is down"}}, 0, at(0), at(2), at(5)},
                  {"g", labels, {{"summary", "order is down"}}, 0, at(7), {}, at(8)},
                  {"g", labels, {}, 0.5, at(9), at(11), {}}};
  out.written = {{{{"__name__", "ALERTS"}, {"alertname", "Down"}, {"alertstate", "firing"}},
                  {{1'700'000'000'000, 1}, {1'700'000'000'250, model::stale_marker()}}},
                 {{{"__name__", "a:b"}}, {{1'700'000'000'250, 0.1}}}};
  return out;
}

}  // namespace

TEST_CASE("the table of a replay has a row for each time an alert was active") {
  CHECK(cli::replay_table(shop(), base::Colour::never) ==
        "ALERT  PENDING FROM          FIRING FROM           ENDED AT              FIRED FOR  LABELS         SUMMARY\n"
        "Down   2023-11-14T22:13:20Z  2023-11-14T22:15:20Z  2023-11-14T22:18:20Z  3m         {job=\"order\"}  order is "
        "down\n"
        "Down   2023-11-14T22:20:20Z  never                 2023-11-14T22:21:20Z  -          {job=\"order\"}  order is "
        "down\n"
        "Down   2023-11-14T22:22:20Z  2023-11-14T22:24:20Z  not yet               -          {job=\"order\"}  \n"
        "groups: 1, evaluations: 12, fired: 2, pending only: 1\n");
  CHECK(cli::replay_table({}, base::Colour::never) == "groups: 0, evaluations: 0, fired: 0, pending only: 0\n");
}

TEST_CASE("as OpenMetrics a replay is what the rules would have written") {
  CHECK(cli::replay_openmetrics(shop()) ==
        "# TYPE ALERTS gauge\n"
        "ALERTS{alertname=\"Down\",alertstate=\"firing\"} 1 1700000000.000\n"
        "# TYPE a:b unknown\n"
        "a:b 0.1 1700000000.250\n"
        "# EOF\n");
}

TEST_CASE("as JSON a replay has the form of the API") {
  rules::Replayed replayed = shop();
  replayed.episodes.resize(1);
  replayed.errors = {{"g", "A", "failed", 3, at(0), at(2)}};
  CHECK(
      cli::replay_json(replayed) ==
      R"({"status":"success","data":{"groups":1,"evaluations":12,"alerts":[{"group":"g","labels":{"alertname":"Down",)"
      R"("job":"order"},"annotations":{"summary":"order is down"},"value":"0","pendingFrom":"2023-11-14T22:13:20Z",)"
      R"("firingFrom":"2023-11-14T22:15:20Z","endedAt":"2023-11-14T22:18:20Z"}],"errors":[{"group":"g","rule":"A",)"
      R"("error":"failed","times":3,"first":"2023-11-14T22:13:20Z","last":"2023-11-14T22:15:20Z"}]}})"
      "\n");
}
