#include "model/json.h"

#include "model/annotations.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace {

model::Alert alert() {
  model::Alert out;
  out.labels = {{"alertname", "down"}, {"service", "order"}};
  out.annotations = {{"summary", "\"down\" <1>"}};
  out.state = model::AlertState::firing;
  out.value = 1.5;
  out.active_at = base::wall_from_ms(1'000);
  out.fired_at = base::wall_from_ms(2'000);
  out.generator_url = "http://n1/graph";
  return out;
}

void check_same(const model::Alert& a, const model::Alert& b) {
  CHECK(a.labels == b.labels);
  CHECK(a.annotations == b.annotations);
  CHECK(a.state == b.state);
  CHECK((a.value == b.value || (std::isnan(a.value) && std::isnan(b.value))));
  CHECK(a.active_at == b.active_at);
  CHECK(a.fired_at == b.fired_at);
  CHECK(a.resolved_at == b.resolved_at);
  CHECK(a.keep_firing_since == b.keep_firing_since);
  CHECK(a.generator_url == b.generator_url);
}

}  // namespace

TEST_CASE("labels go to JSON and back") {
  const model::Labels labels{{"b", "2"}, {"a", "1"}};
  CHECK(model::label_object(labels).dump() == R"({"a":"1","b":"2"})");
  CHECK(model::label_object<nlohmann::ordered_json>(labels).dump() == R"({"a":"1","b":"2"})");
  CHECK(model::read_labels(model::label_object(labels)) == labels);
  CHECK(model::label_object({}).dump() == "{}");
  CHECK_THROWS_AS(model::read_labels(json::parse(R"({"a":1})")), json::exception);
}

TEST_CASE("a record holds all of an alert") {
  check_same(model::read_alert_record(json::parse(model::alert_record(alert()).dump())), alert());
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity(), -0.1}) {
    model::Alert over = alert();
    over.state = model::AlertState::inactive;
    over.value = value;
    over.resolved_at = base::wall_from_ms(3'000);
    over.keep_firing_since = base::wall_from_ms(2'500);
    check_same(model::read_alert_record(json::parse(model::alert_record(over).dump())), over);
  }
}

TEST_CASE("records of earlier versions are read") {
  model::Alert want = alert();
  want.generator_url = "";
  // As rules wrote it.
  check_same(model::read_alert_record(json::parse(R"({"labels":{"alertname":"down","service":"order"},
      "annotations":{"summary":"\"down\" <1>"},"state":"firing","value":"1.5","active_at":1000,"fired_at":2000})")),
             want);
  // As a recovery wrote it.
  want.generator_url = "http://n1/graph";
  check_same(model::read_alert_record(json::parse(R"({"labels":{"alertname":"down","service":"order"},
      "annotations":{"summary":"\"down\" <1>"},"value":"1.5","active_at_ms":1000,"fired_at_ms":2000,
      "generator_url":"http://n1/graph"})")),
             want);
  // As a receiver wrote it.
  want.state = model::AlertState::inactive;
  want.resolved_at = base::wall_from_ms(3'000);
  check_same(model::read_alert_record(json::parse(R"({"labels":{"alertname":"down","service":"order"},
      "annotations":{"summary":"\"down\" <1>"},"value":"1.5","active_at_ms":1000,"fired_at_ms":2000,
      "resolved_at_ms":3000,"firing":false,"generator_url":"http://n1/graph"})")),
             want);
}

TEST_CASE("an annotation that is empty is so again after a restart") {
  model::Alert alert;
  alert.labels = {{"alertname", "down"}};
  alert.annotations = {{"gone", model::kept_text("")}, {"summary", "x"}};
  const json record = model::alert_record(alert);
  CHECK(record["annotations"].dump() == R"({"gone":"","summary":"x"})");
  CHECK(model::read_alert_record(record).annotations == alert.annotations);
}

TEST_CASE("what is no record of an alert is refused") {
  for (const char* text : {"1", "[]", "{}", R"({"labels":{}})", R"({"labels":[1],"active_at_ms":1})",
                           R"({"labels":{"a":1},"active_at_ms":1})", R"({"labels":{},"active_at_ms":"soon"})",
                           R"({"labels":{},"active_at_ms":1,"state":1})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(model::read_alert_record(json::parse(text)), json::exception);
  }
}
