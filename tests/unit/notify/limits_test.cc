// What the services take at most, and what they answer beside the status.
#include "desk.h"
#include "notify/registry.h"

namespace {

std::unique_ptr<const notify::Notifier> made(const std::string& type, const std::string& yaml) {
  config::Errors errors;
  auto out = notify::notifier_types().find(type)->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors);
  REQUIRE(errors.text() == "");
  return out;
}

std::vector<model::Alert> alerts(std::size_t count, const std::string& summary) {
  std::vector<model::Alert> out;
  for (std::size_t i = 0; i < count; ++i) {
    model::Alert alert;
    alert.labels = model::Labels{{"alertname", "Slow"}, {"instance", "i" + std::to_string(i)}};
    alert.annotations = model::Labels{{"summary", summary}};
    alert.state = model::AlertState::firing;
    out.push_back(std::move(alert));
  }
  return out;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string rendered(const std::string& type, const std::string& yaml, std::size_t count = 300,
                     const std::string& summary = std::string(200, 'x') + "ü<&") {
  notify::Envelope envelope;
  envelope.node = "node1";
  envelope.group_labels = {{"alertname", std::string(3000, 'n')}};
  return made(type, yaml)->render(alerts(count, summary), {}, envelope);
}

// What the receiver says of an answer.
std::string said(const std::string& receiver, int status, const std::string& body) {
  Fixture f("{name: ops, " + receiver + "}");
  f.tell("Down");
  http::HttpResponse response;
  response.status = status;
  response.body = body;
  f.http.desk.answer(std::move(response));
  return f.results.empty() ? "" : f.results.front();
}

}  // namespace

TEST_CASE("messages stay within what the services take") {
  const json slack = json::parse(
      rendered("slack", "{api_url: \"https://h/\", fields: [{title: t, value: '{{ template \"fettle.text\" . }}'}]}"));
  CHECK(characters(slack["attachments"][0]["title"]) == 1024);
  CHECK(characters(slack["attachments"][0]["text"]) == 3000);
  CHECK(characters(slack["attachments"][0]["fallback"]) == 3000);
  CHECK(characters(slack["attachments"][0]["fields"][0]["value"]) == 2000);

  const std::string pagerduty = rendered("pagerduty", "{routing_key: k}", 3000, std::string(200, '<'));
  CHECK(pagerduty.size() <= 512'000);
  const json event = json::parse(pagerduty);
  CHECK(characters(event["payload"]["summary"]) == 1024);
  CHECK(event["payload"]["custom_details"]["num_firing"] == "3000");
  CHECK(event["payload"]["custom_details"]["firing"].get<std::string>().ends_with("…"));

  const json telegram = json::parse(rendered("telegram", "{bot_token: t, chat_id: 1}"));
  CHECK(characters(telegram["text"]) == 4096);
  CHECK_FALSE(telegram.contains("parse_mode"));

  CHECK(rendered("msteams", "{webhook_url: \"https://h/\"}").size() < 28'000);
  CHECK(rendered("msteamsv2", "{webhook_url: \"https://h/\"}").size() < 28'000);
  const json wechat = json::parse(rendered("wechat", "{corp_id: c, agent_id: a, api_secret: s, to_user: u}"));
  CHECK(wechat["text"]["content"].get<std::string>().size() <= 2048);
  const json wecom = json::parse(rendered("wecom_robot", "{url: \"https://h/\"}", 300, std::string(200, 'x') + "日本"));
  CHECK(wecom["markdown"]["content"].get<std::string>().size() <= 4096);
  CHECK(rendered("dingtalk", "{url: \"https://h/\"}").size() <= 20'000);
  CHECK(rendered("feishu", "{url: \"https://h/\"}").size() <= 20'000);
}

TEST_CASE("what stands in an alert is no markup of Telegram, and a short message keeps its own") {
  const json body = json::parse(rendered(
      "telegram",
      "{bot_token: t, chat_id: 1, message: '<b>{{ .Status }}</b> {{ (index .Alerts 0).Annotations.summary }}'}", 1,
      "a < b & c"));
  CHECK(body["text"] == "<b>firing</b> a &lt; b &amp; c");
  CHECK(body["parse_mode"] == "HTML");
  const json plain = json::parse(rendered("telegram",
                                          "{bot_token: t, chat_id: 1, parse_mode: '', message_thread_id: 7, message: "
                                          "'{{ (index .Alerts 0).Annotations.summary }}'}",
                                          1, "a < b"));
  CHECK(plain["text"] == "a < b");
  CHECK(plain["message_thread_id"] == 7);
  CHECK_FALSE(plain.contains("parse_mode"));
}

TEST_CASE("PagerDuty is told a severity that it knows, and always a source") {
  const auto payload = [](const std::string& keys) {
    return json::parse(rendered("pagerduty", "{routing_key: k, " + keys + "}", 1))["payload"];
  };
  CHECK(payload("severity: warning")["severity"] == "warning");
  CHECK(payload("severity: page")["severity"] == "error");
  CHECK(payload("client: ''")["source"] == "node1");
}

TEST_CASE("what services answer is refused, comes later or was taken") {
  const std::string slack = "slack_configs: [{api_url: \"https://h/\"}]";
  const std::string pagerduty = "pagerduty_configs: [{routing_key: k}]";
  const std::string telegram = "telegram_configs: [{bot_token: t, chat_id: 1}]";
  const std::string teams = "msteams_configs: [{webhook_url: \"https://h/\"}]";
  const std::string flow = "msteamsv2_configs: [{webhook_url: \"https://h/\"}]";
  struct Row {
    std::string receiver;
    int status;
    const char* body;
    const char* want;
  };
  const Row rows[] = {
      {slack, 200, "ok", "ops sent"},
      {slack, 400, "invalid_payload", "ops refused"},
      {slack, 403, "action_prohibited", "ops refused"},
      {slack, 404, "channel_not_found", "ops refused"},
      {slack, 410, "channel_is_archived", "ops refused"},
      {slack, 429, "", "ops retried"},
      {slack, 500, "rollup_error", "ops retried"},
      {slack, 200, R"({"ok":false,"error":"invalid_auth"})", "ops refused"},
      {slack, 200, R"({"ok":false,"error":"ratelimited"})", "ops retried"},
      {slack, 200, R"({"ok":false,"error":"internal_error"})", "ops retried"},
      {pagerduty, 202, R"({"status":"success","message":"Event processed"})", "ops sent"},
      {pagerduty, 400, R"({"status":"invalid event"})", "ops refused"},
      {pagerduty, 429, "", "ops retried"},
      {pagerduty, 502, "", "ops retried"},
      {telegram, 200, R"({"ok":true})", "ops sent"},
      {telegram, 400, R"({"ok":false,"error_code":400,"description":"Bad Request: chat not found"})", "ops refused"},
      {telegram, 403, R"({"ok":false,"error_code":403})", "ops refused"},
      {teams, 200, "1", "ops sent"},
      {teams, 200,
       "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
       "ops retried"},
      {teams, 200,
       "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId x",
       "ops refused"},
      {teams, 413, "", "ops refused"},
      {flow, 202, "", "ops sent"},
      {flow, 401, "", "ops refused"},
      {flow, 408, "", "ops retried"},
      {"webhook_configs: [{url: \"https://h/\"}]", 301, "", "ops retried"},
      {"webhook_configs: [{url: \"https://h/\"}]", 425, "", "ops retried"},
      {"webhook_configs: [{url: \"https://h/\"}]", 204, "", "ops sent"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.receiver);
    CAPTURE(row.status);
    CAPTURE(row.body);
    CHECK(said(row.receiver, row.status, row.body) == row.want);
  }
}

TEST_CASE("every service's Retry-After is heard, as seconds and as a date") {
  for (const char* receiver : {"slack_configs: [{api_url: \"https://h/\"}]", "pagerduty_configs: [{routing_key: k}]",
                               "msteamsv2_configs: [{webhook_url: \"https://h/\"}]",
                               "webhook_configs: [{url: \"https://h/\"}]", "feishu_configs: [{url: \"https://h/\"}]"})
    for (const char* value : {"40", "Tue, 14 Nov 2023 22:14:00 GMT"}) {
      CAPTURE(receiver);
      CAPTURE(value);
      Fixture f(std::string("{name: ops, ") + receiver + "}");
      f.tell("Down");
      http::HttpResponse response;
      response.status = 429;
      response.headers = {{"Retry-After", value}};
      f.http.desk.answer(std::move(response));
      f.loop.advance(seconds{39});
      CHECK(f.sent() == 1);
      f.loop.advance(seconds{1});
      CHECK(f.sent() == 2);
    }
}
