// Message bodies against bodies that a real Alertmanager 0.25 (webhook) and a real Prometheus 2.42 (alerts) sent. The
// recordings are read from $FETTLE_SHARED/promql or ../shared/promql when they are there; one of each kind is below.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/node.h"
#include "fakes/source_file.h"
#include "notify/registry.h"

using nlohmann::ordered_json;

namespace {

const char* const kWebhook =
    R"({"receiver":"hook","status":"firing","alerts":[{"status":"resolved","labels":{"alertname":"Down","instance":"n1","severity":"page"},"annotations":{"summary":"n1 down \u003cb\u003e\u0026"},"startsAt":"2026-11-23T02:26:46Z","endsAt":"2026-11-23T02:26:57.5Z","generatorURL":"http://prom/graph?g0.expr=up+%3D%3D+0\u0026g0.tab=1","fingerprint":"4491b11ec607f56e"},{"status":"firing","labels":{"alertname":"Down","instance":"n2","severity":"page"},"annotations":{"summary":"n2 down"},"startsAt":"2026-11-23T02:26:46Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"ee561ce1ee176639"}],"groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","severity":"page"},"commonAnnotations":{},"externalURL":"http://vm:18902","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0})";
const char* const kAlerts =
    R"([{"annotations":{"summary":"v=13 \u003cb\u003e"},"endsAt":"2026-11-23T02:28:15.730Z","startsAt":"2026-11-23T02:27:34.000Z","generatorURL":"http://prom.example/graph?g0.expr=vector%281%29\u0026g0.tab=1","labels":{"alertname":"Toggle","cluster":"eu-1","region":"mine"}},{"endsAt":"2026-11-23T02:28:15.730Z","startsAt":"2026-11-23T02:27:31.730Z","generatorURL":"","labels":{"alertname":"Always"}}])";

model::Labels labels(const ordered_json& in) {
  std::vector<model::Label> out;
  for (const auto& [name, value] : in.items()) out.push_back({name, value.get_ref<const std::string&>()});
  return model::Labels(std::move(out));
}

std::unique_ptr<const notify::Notifier> notifier(const std::string& type, const std::string& yaml) {
  config::Errors errors;
  auto made = notify::notifier_types().find(type)->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors);
  REQUIRE(errors.text() == "");
  return made;
}

model::Alert alert(const ordered_json& in) {
  model::Alert out;
  out.labels = labels(in["labels"]);
  out.annotations = labels(in.value("annotations", ordered_json::object()));
  out.fired_at = *base::parse_iso8601(in["startsAt"].get<std::string>());
  out.active_at = *out.fired_at - std::chrono::seconds{5};
  out.state = model::AlertState::firing;
  out.generator_url = in["generatorURL"];
  return out;
}

// Renders the alerts that a recorded webhook told, and takes our own fields out again.
std::string render_webhook(const std::string& body) {
  const auto in = ordered_json::parse(body);
  std::vector<model::Alert> alerts;
  for (const auto& item : in["alerts"]) {
    alerts.push_back(alert(item));
    if (item["status"] == "firing") continue;
    alerts.back().state = model::AlertState::inactive;
    alerts.back().resolved_at = *base::parse_iso8601(item["endsAt"].get<std::string>());
  }
  notify::Envelope envelope;
  envelope.receiver = in["receiver"];
  envelope.external_url = in["externalURL"];
  envelope.group_key = in["groupKey"];
  envelope.group_labels = labels(in["groupLabels"]);
  envelope.node = "n1";
  std::string out = notifier("webhook", "{url: \"http://h/\"}")->render(alerts, {}, envelope);
  const std::string ours = R"(,"node":"n1","recoveries":[]})";
  CHECK(out.ends_with(ours));
  return out.substr(0, out.size() - ours.size()) + "}";
}

// `sent` tells which alerts had ended; the rest say four times the resend delay of 8s.
std::string render_alerts(const std::string& body, base::WallTime sent) {
  const auto in = ordered_json::parse(body);
  std::vector<model::Alert> alerts;
  notify::Envelope envelope;
  for (const auto& item : in) {
    alerts.push_back(alert(item));
    const base::WallTime ends = *base::parse_iso8601(item["endsAt"].get<std::string>());
    if (ends > sent) envelope.at = ends - std::chrono::seconds{32};
    else {
      alerts.back().state = model::AlertState::inactive;
      alerts.back().resolved_at = ends;
    }
  }
  return notifier("alertmanager", "{urls: [\"http://am\"], resend: 8s}")->render(alerts, {}, envelope);
}

std::vector<ordered_json> recorded(const std::string& file) {
  const char* const shared = std::getenv("FETTLE_SHARED");
  std::ifstream in((shared ? std::string(shared) : fakes::source_file("../shared")) + "/promql/" + file);
  std::vector<ordered_json> out;
  for (std::string line; std::getline(in, line);) out.push_back(ordered_json::parse(line));
  return out;
}

std::string without_newline(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

TEST_CASE("the webhook body is Alertmanager's, byte for byte, with our fields after it") {
  CHECK(render_webhook(kWebhook) == kWebhook);
  for (const auto& line : recorded("hook.jsonl")) {
    const std::string body = without_newline(line["body"].get<std::string>());
    CHECK(render_webhook(body) == body);
  }
}

TEST_CASE("alerts are posted as Prometheus posts them, byte for byte") {
  CHECK(render_alerts(kAlerts, *base::parse_iso8601("2026-11-23T02:27:43Z")) == kAlerts);
  for (const auto& line : recorded("amcap.jsonl")) {
    const std::string body = without_newline(line["body"].get<std::string>());
    if (line["path"] != "/api/v2/alerts") continue;
    const auto sent = base::wall_from_ms(static_cast<std::int64_t>(line["t"].get<double>() * 1000));
    CHECK(render_alerts(body, sent) == body);
  }
}

TEST_CASE("external labels are added only where the alert has none of that name") {
  model::Alert a;
  a.labels = model::Labels{{"alertname", "Down"}, {"region", "mine"}};
  a.state = model::AlertState::firing;
  notify::Envelope envelope;
  envelope.external_labels = model::Labels{{"cluster", "eu-1"}, {"region", "x"}};
  const ordered_json want{{"alertname", "Down"}, {"cluster", "eu-1"}, {"region", "mine"}};
  CHECK(ordered_json::parse(
            notifier("alertmanager", "{urls: [\"http://am\"]}")->render({a}, {}, envelope))[0]["labels"] == want);
  const auto hook = ordered_json::parse(notifier("webhook", "{url: \"http://h/\"}")->render({a}, {}, envelope));
  CHECK(hook["alerts"][0]["labels"] == want);
  CHECK(hook["commonLabels"] == want);
}

TEST_CASE("a webhook tells what recovery did") {
  model::RecoveryReport report;
  report.id = "0123";
  report.service = "order";
  report.trigger = "alert ServiceDown";
  report.mode = model::RecoveryMode::enforce;
  report.state = model::RecoveryState::recovered;
  report.attempt = 1;
  report.started = base::wall_from_ms(1'700'000'000'000);
  report.ended = base::wall_from_ms(1'700'000'002'500);
  report.actions.push_back({"systemd restart order.service", model::ActionStatus::ok, "done", report.started,
                            std::chrono::milliseconds{250}});
  const auto body =
      ordered_json::parse(notifier("webhook", "{url: \"http://h/\"}")->render({}, {report}, notify::Envelope{}));
  CHECK(body["recoveries"].dump() ==
        R"([{"id":"0123","service":"order","trigger":"alert ServiceDown","mode":"enforce","state":"recovered",)"
        R"("reason":"","attempt":1,"startedAt":"2023-11-14T22:13:20.000Z","endedAt":"2023-11-14T22:13:22.500Z",)"
        R"("actions":[{"action":"systemd restart order.service","result":"ok","text":"done",)"
        R"("startedAt":"2023-11-14T22:13:20.000Z","seconds":0.25}]}])");
}
