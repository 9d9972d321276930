// What each service is sent (tests/golden/notify; UPDATE_GOLDEN=1 writes them), how it is signed, and what its answers
// mean.
#include "desk.h"
#include "fakes/golden.h"
#include "fakes/temporary_folder.h"
#include "incident_samples.h"
#include "notify/message_text.h"
#include "notify/registry.h"

namespace {

std::unique_ptr<const notify::Notifier> made(const std::string& type, const std::string& yaml,
                                             const std::vector<templates::Definitions>& definitions = {}) {
  config::Errors errors;
  auto out =
      notify::notifier_types().find(type)->parse(config::Node::parse(yaml, "r.yml", errors), "r", definitions, errors);
  REQUIRE(errors.text() == "");
  return out;
}

std::string mistakes(const std::string& type, const std::string& yaml) {
  config::Errors errors;
  CHECK(notify::notifier_types().find(type)->parse(config::Node::parse(yaml, "r.yml", errors), "r", {}, errors) ==
        nullptr);
  return errors.text();
}

model::Alert alert(const std::string& name, const std::string& instance, bool firing) {
  model::Alert out;
  out.labels = model::Labels{{"alertname", name}, {"service", "order"}, {"instance", instance}};
  out.annotations = model::Labels{{"summary", "order <is> \"slow\" & late"}};
  out.active_at = kStart;
  out.fired_at = kStart;
  out.state = firing ? model::AlertState::firing : model::AlertState::inactive;
  if (!firing) out.resolved_at = kStart + seconds{9};
  out.generator_url = "http://node1:10911/graph";
  return out;
}

notify::Envelope envelope() {
  notify::Envelope out;
  out.receiver = "ops";
  out.node = "node1";
  out.external_url = "http://node1:10911";
  out.group_key = "{}:{alertname=\"Slow\"}";
  out.external_labels = {{"cluster", "eu"}};
  out.group_labels = {{"alertname", "Slow"}, {"service", "order"}};
  out.at = kStart + seconds{10};
  return out;
}

// Of the four messages that a receiver may get, a line each.
std::string bodies(const notify::Notifier& notifier) {
  std::string out;
  const auto add = [&](const std::vector<model::Alert>& alerts, const notify::Envelope& e) {
    out += notifier.render(alerts, {}, e) + "\n";
  };
  add({alert("Slow", "i1", true), alert("Slow", "i2", false)}, envelope());
  add({alert("Slow", "i1", false)}, envelope());
  const model::Incident open = told(), over = ended(told());
  notify::Envelope e = envelope();
  e.group_key = "{}:{incident=\"inc_1\"}";
  e.group_labels = {{"service", "order"}};
  e.incident = &open;
  e.news = "page";
  add(open.alerts, e);
  e.incident = &over;
  e.news = "resolved";
  add(over.alerts, e);
  return out;
}

}  // namespace

TEST_CASE("what each service is sent") {
  for (const notify::NotifierType* type : notify::notifier_types()) {
    const std::string name(type->name);
    if (name == "alertmanager" || name == "exec") continue;
    CAPTURE(name);
    const std::string got = bodies(*made(name, std::string(type->example)));
    CHECK(got == fakes::golden("notify/" + name + ".json", got));
  }
}

TEST_CASE("the texts of a receiver are templates, with the person's definitions") {
  const auto slack =
      made("slack",
           R"({api_url: "https://h/", channel: "#{{ .CommonLabels.service }}", title: '{{ template "t" . }}',
 text: '{{ .No }}', fallback: "", fields: [{title: Node, value: "{{ .Node }}", short: true}, {title: N, value: '{{ len .Alerts }}'}],
 actions: [{type: button, text: Look, url: "{{ .ExternalURL }}"}], link_names: true, mrkdwn_in: []})",
           {{"mine.tmpl", "{{ define \"t\" }}{{ .Status }} {{ (index .Alerts 0).Labels.cluster }}{{ end }}"}});
  const json body = json::parse(slack->render({alert("Slow", "i1", true)}, {}, envelope()));
  CHECK(body["channel"] == "#order");
  CHECK(body["link_names"] == true);
  const json& attachment = body["attachments"][0];
  CHECK(attachment["title"] == "firing eu");
  CHECK(attachment["text"] ==
        "<error expanding template: template: text:1:3: executing \"text\" at <.No>: can't evaluate field No in type "
        "*template.Data>");
  CHECK_FALSE(attachment.contains("fallback"));
  CHECK(attachment["fields"] ==
        json::parse(R"([{"title":"Node","value":"node1","short":true},{"title":"N","value":"1","short":false}])"));
  CHECK(attachment["actions"] == json::parse(R"([{"type":"button","text":"Look","url":"http://node1:10911"}])"));
  CHECK(attachment["mrkdwn_in"] == json::array());
}

TEST_CASE("names that Alertmanager's own templates have may be called; one that nothing defines is warned of") {
  const auto slack = made("slack", R"({api_url: "https://h/", title: '{{ template "__subject" . }}', title_link:
 '{{ template "__alertmanagerURL" . }}', text: '{{ template "__text_alert_list" .Alerts.Firing }}',
 pretext: '{{ template "__description" . }}', footer: '{{ template "__alertmanager" . }}'})");
  const json attachment = json::parse(slack->render({alert("Slow", "i1", true)}, {}, envelope()))["attachments"][0];
  CHECK(attachment["title"] == "[FIRING:1] Slow order");
  CHECK(attachment["title_link"] == "http://node1:10911");
  CHECK(attachment["text"] == "\nFIRING Slow of order: order <is> \"slow\" & late");
  CHECK(attachment["footer"] == "fettle");
  CHECK_FALSE(attachment.contains("pretext"));

  config::Errors errors;
  const config::Node node =
      config::Node::parse("{api_url: \"https://h/\", title: '{{ template \"tilte\" . }}'}", "r.yml", errors);
  CHECK(notify::notifier_types().find("slack")->parse(node, "r", {}, errors) != nullptr);
  REQUIRE(errors.warnings().size() == 1);
  CHECK(errors.warnings()[0] ==
        "r.yml:1:32: r.title: calls the template \"tilte\", which nothing defines: an error will stand in its place; "
        "`templates` names the files with definitions");
}

TEST_CASE("PagerDuty's source is the client, or what the configuration says") {
  const auto source = [](const std::string& yaml) {
    return json::parse(
        made("pagerduty", yaml)->render({alert("Slow", "i1", true)}, {}, envelope()))["payload"]["source"];
  };
  CHECK(source("{routing_key: k}") == "node1");
  CHECK(source("{routing_key: k, client: shop}") == "shop");
  CHECK(source("{routing_key: k, client: shop, source: '{{ .CommonLabels.instance }}'}") == "i1");
}

TEST_CASE("a button of Slack may ask before it does something") {
  const auto slack =
      made("slack", R"({api_url: "https://h/", actions: [{type: button, text: a, url: "http://h/"}, {type:
 button, text: b, name: n, confirm: {text: "sure of {{ .Node }}?", title: t, ok_text: "yes", dismiss_text: "no"}}]})");
  const json body = json::parse(slack->render({alert("Slow", "i1", true)}, {}, envelope()));
  CHECK(body["attachments"][0]["actions"] == json::parse(R"([{"type":"button","text":"a","url":"http://h/"},
 {"type":"button","text":"b","name":"n","confirm":{"text":"sure of node1?","title":"t","ok_text":"yes","dismiss_text":"no"}}])"));
}

TEST_CASE("a webhook that takes only some alerts is told how many there are besides") {
  const auto hook = made("webhook", "{url: \"http://h/\", max_alerts: 2}");
  const std::vector<model::Alert> three{alert("A", "i1", true), alert("A", "i2", true), alert("A", "i3", true)};
  const json body = json::parse(hook->render(three, {}, envelope()));
  CHECK(body["alerts"].size() == 2);
  CHECK(body["truncatedAlerts"] == 1);
}

TEST_CASE("mistakes in what a service needs are named") {
  CHECK(mistakes("slack", "{channel: a}") == "r.yml:1:1: r: write api_url or api_url_file\n");
  CHECK(mistakes("slack", "{api_url: \"https://h/\", api_url_file: f}") ==
        "r.yml:1:39: r.api_url_file: cannot stand beside api_url\n");
  CHECK(mistakes("slack", "{api_url: \"https://h/\", title: \"{{ if }}\"}") ==
        "r.yml:1:32: r.title: the template cannot be read: line 1: missing value for if\n");
  for (const std::string key : {"service_key", "service_key_file"})
    CHECK(mistakes("pagerduty", "{" + key + ": k}").find("r." + key + ": is a key of the Events API v1") !=
          std::string::npos);
  for (const std::string key : {"app_token", "app_token_file", "app_url"})
    CHECK(mistakes("slack", "{" + key + ": k, api_url: \"https://h/\"}").find("r." + key + ": has another name here") !=
          std::string::npos);
  CHECK(mistakes("slack", "{api_url: \"https://h/\", actions: [{type: button, text: a}]}") ==
        "r.yml:1:35: r.actions[0]: write url, or name\n");
  CHECK(mistakes("telegram", "{bot_token: t, chat_id: 0}") == "r.yml:1:25: r.chat_id: must not be 0\n");
  CHECK(mistakes("telegram", "{bot_token: t}") == "r.yml:1:1: r: the required key 'chat_id' is missing\n");
}

// https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages and
// https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot say how; the values were computed with Python's
// hmac by their sample code.
TEST_CASE("robots are signed with the time at which a message is sent") {
  Fixture ding(
      "{name: ops, dingtalk_configs: [{url: \"https://oapi.dingtalk.com/robot/send?access_token=k\", secret: "
      "SEC000}]}");
  ding.tell("Down");
  CHECK(ding.http.desk.last().url ==
        "https://oapi.dingtalk.com/robot/"
        "send?access_token=k&timestamp=1700000000000&sign=ltBBey5eZrWKh1cPzFIdz3v3xpkc4Tjx4lLsPSHqdtA%3D");
  Fixture feishu("{name: ops, feishu_configs: [{url: \"https://h/hook/k\", secret: demo}]}");
  feishu.tell("Down");
  CHECK(feishu.body()["timestamp"] == "1700000000");
  CHECK(feishu.body()["sign"] == "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=");
  CHECK(feishu.body()["msg_type"] == "post");
}

TEST_CASE("a secret is read for each message, is not kept with it, and without it the message waits") {
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("key", "k1\n");
  Fixture f("{name: ops, pagerduty_configs: [{routing_key_file: " + file + "}]}");
  f.tell("Down");
  CHECK(f.body()["routing_key"] == "k1");
  CHECK(f.body()["event_action"] == "trigger");
  for (const auto& entry : f.state.durable().at(state::Table::notifications))
    CHECK(entry.second.find("k1") == std::string::npos);
  std::filesystem::remove(file);
  f.answer(500);
  f.loop.advance(seconds{5});
  CHECK(f.sent() == 1);
  CHECK(f.notifications->statuses()[0].last_error.find(file) != std::string::npos);
  folder.write("key", "k2\n");
  f.loop.advance(seconds{30});
  REQUIRE(f.sent() == 2);
  CHECK(f.body()["routing_key"] == "k2");
}

TEST_CASE("a webhook's URL may be in a file, and is on no page then") {
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("url", "http://h/key\n");
  Fixture f("{name: ops, webhook_configs: [{url_file: " + file + "}]}");
  f.tell("Down");
  CHECK(f.http.desk.last().url == "http://h/key");
  CHECK(f.notifications->statuses()[0].last_error == "");
  f.answer(500);
  CHECK(f.notifications->statuses()[0].last_error.find("key") == std::string::npos);
  CHECK(mistakes("webhook", "{max_alerts: 1}") == "r.yml:1:1: r: write url or url_file\n");
  CHECK(mistakes("webhook", "{url: \"http://h/\", url_file: f}") ==
        "r.yml:1:30: r.url_file: cannot stand beside url\n");
}

TEST_CASE("a service that answers 200 and refuses all the same has not taken the message") {
  struct Row {
    const char* receiver;
    const char* answer;
    const char* want;
    const char* error;
  };
  const Row rows[] = {
      {"slack_configs: [{api_url: \"https://h/\"}]", "ok", "ops sent", ""},
      {"slack_configs: [{api_url: \"https://h/\"}]", R"({"ok":true})", "ops sent", ""},
      {"slack_configs: [{api_url: \"https://h/\"}]", R"({"ok":false,"error":"channel_not_found"})", "ops refused",
       "ok false: channel_not_found"},
      {"dingtalk_configs: [{url: \"https://h/\"}]", R"({"errcode":0,"errmsg":"ok"})", "ops sent", ""},
      {"dingtalk_configs: [{url: \"https://h/\"}]", R"({"errcode":310000,"errmsg":"sign not match"})", "ops refused",
       "errcode 310000: sign not match"},
      {"dingtalk_configs: [{url: \"https://h/\"}]", R"({"errcode":130101,"errmsg":"send too fast"})", "ops retried",
       "errcode 130101: send too fast"},
      {"feishu_configs: [{url: \"https://h/\"}]", R"({"code":0,"msg":"success"})", "ops sent", ""},
      {"feishu_configs: [{url: \"https://h/\"}]", R"({"code":19021,"msg":"sign match fail"})", "ops refused",
       "code 19021: sign match fail"},
      {"wecom_robot_configs: [{url: \"https://h/\"}]", R"({"errcode":45009,"errmsg":"api freq out of limit"})",
       "ops retried", "errcode 45009: api freq out of limit"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.receiver);
    CAPTURE(row.answer);
    Fixture f(std::string("{name: ops, ") + row.receiver + "}");
    f.tell("Down");
    http::HttpResponse response;
    response.status = 200;
    response.body = row.answer;
    f.http.desk.answer(std::move(response));
    CHECK(f.results == std::vector<std::string>{row.want});
    CHECK(f.notifications->statuses()[0].last_error == row.error);
  }
}

TEST_CASE("Telegram says in its body when to come again") {
  Fixture f("{name: ops, telegram_configs: [{bot_token: \"1:T\", chat_id: -7}]}");
  f.tell("Down");
  CHECK(f.http.desk.last().url == "https://api.telegram.org/bot1:T/sendMessage");
  http::HttpResponse response;
  response.status = 429;
  response.body = R"({"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":40}})";
  f.http.desk.answer(std::move(response));
  f.loop.advance(seconds{39});
  CHECK(f.sent() == 1);
  f.loop.advance(seconds{1});
  CHECK(f.sent() == 2);
}

TEST_CASE("a text that is too long ends with an ellipsis, between two characters") {
  CHECK(notify::shortened("abc", 3) == "abc");
  CHECK(notify::shortened("abcd", 3) == "ab…");
  CHECK(notify::shortened("äöüß", 3) == "äö…");
  CHECK(notify::shortened("", 3) == "");
}

TEST_CASE("files of templates are read with the configuration, and their mistakes are named") {
  fakes::TemporaryFolder folder;
  folder.write("good.tmpl", "{{ define \"mine\" }}my {{ .Status }}{{ end }}");
  const std::string receivers =
      "receivers: [{name: ops, slack_configs: [{api_url: \"https://h/\", title: '{{ template \"mine\" . }}'}]}]\n";
  config::Errors errors;
  const auto all = fakes::notify_configuration(receivers + "templates: [" + folder.path() + "/*.tmpl]\n", errors);
  REQUIRE(errors.text() == "");
  const json body = json::parse(all.receivers[0].notifier->render({alert("Slow", "i1", true)}, {}, envelope()));
  CHECK(body["attachments"][0]["title"] == "my firing");
  const std::string bad = folder.write("bad.tmpl", "\n{{ define }}");
  (void)fakes::notify_configuration(receivers + "templates: [" + folder.path() + "/*.tmpl]\n", errors);
  CHECK(errors.text().find("templates[0]: " + bad + ": line 2: ") != std::string::npos);
}
