// The keys of Alertmanager's `global` are defaults of receivers.
#include <doctest/doctest.h>

#include "fakes/notify_configuration.h"
#include "notify/notifications.h"

namespace {

std::string mistakes(const std::string& yaml) {
  config::Errors errors;
  (void)fakes::notify_configuration(yaml, errors);
  return errors.text();
}

std::string mistakes_of_file(const std::string& yaml) {
  config::Errors errors;
  (void)config::parse_agent_config(yaml, "fettle.yml", errors);
  return errors.text();
}

std::vector<std::string> targets(const std::string& yaml) {
  config::Errors errors;
  const auto all = fakes::notify_configuration(yaml, errors);
  REQUIRE(errors.text() == "");
  std::vector<std::string> out;
  for (const notify::ReceiverSpec& spec : all.receivers) out.push_back(spec.notifier->targets().front());
  return out;
}

}  // namespace

TEST_CASE("what an integration does not say, global says") {
  CHECK(targets(
            "global: {smtp_smarthost: 'mail:587', smtp_from: a@b, slack_api_url: 'https://hooks.test/x',\n"
            "  pagerduty_url: 'https://pd.test/', telegram_api_url: 'https://tg.test',\n"
            "  wechat_api_url: 'https://we.test/', wechat_api_secret: s, wechat_api_corp_id: c, resolve_timeout: 5m}\n"
            "receivers: [{name: ops, email_configs: [{to: c@d}, {to: c@d, smarthost: 'other:25'}],\n"
            "  slack_configs: [{}, {api_url: 'https://mine.test/y'}, {api_url_file: /f}], pagerduty_configs: "
            "[{routing_key: k}],\n"
            "  telegram_configs: [{bot_token: t, chat_id: 1}], wechat_configs: [{}]}]\n") ==
        std::vector<std::string>{"smtp://mail:587", "smtp://other:25", "https://hooks.test", "https://mine.test",
                                 "slack", "https://pd.test", "https://tg.test", "https://we.test"});
}

TEST_CASE("a mistake in global is shown at its place") {
  CHECK(mistakes("global: {smtp_smarthost: mail, smtp_from: a@b}\n"
                 "receivers: [{name: ops, email_configs: [{to: c@d}]}]\n") ==
        "fettle.yml:1:26: receivers[0].email_configs[0].smarthost: write HOST:PORT, as in mail.shop.example:587\n");
  CHECK(mistakes("global: {http_config: {bearer: x}}\n"
                 "receivers: [{name: ops, webhook_configs: [{url: 'http://h/'}]}]\n")
            .starts_with("fettle.yml:1:24: receivers[0].webhook_configs[0].http_config.bearer: unknown key"));
  CHECK(mistakes_of_file("global: {slack_app_token: k}\n")
            .starts_with("fettle.yml:1:27: global.slack_app_token: has another name here: write api_url"));
  CHECK(mistakes_of_file("global: {intervall: 1s}\n").find("opsgenie") == std::string::npos);
  CHECK(mistakes_of_file("global: {zzzzzzzzz: 1s}\n").find("opsgenie") == std::string::npos);
  CHECK(mistakes_of_file("global: {opsgenie_api_key: k}\n")
            .starts_with("fettle.yml:1:28: global.opsgenie_api_key: is for an "));
  CHECK(mistakes_of_file("global: {resolve_timeout: soon}\n").starts_with("fettle.yml:1:27: global.resolve_timeout: "));
  CHECK(mistakes_of_file("global: {smtp_form: a@b}\n").find("smtp_from") != std::string::npos);
}

TEST_CASE("both ways to write one secret are not mixed") {
  CHECK(mistakes(
            "global: {slack_api_url_file: /f}\nreceivers: [{name: ops, slack_configs: [{api_url: 'https://h/'}]}]\n") ==
        "");
  CHECK(mistakes("global: {smtp_auth_password: p, smtp_auth_username: u, smtp_from: a@b, smtp_smarthost: 'h:25'}\n"
                 "receivers: [{name: ops, email_configs: [{to: c@d, auth_password_file: /f}]}]\n") == "");
}

TEST_CASE("an Alertmanager is not asked through the proxy of the receivers") {
  CHECK(mistakes("global: {http_config: {proxy_url: 'http://p:3128'}}\n"
                 "receivers: [{name: am, alertmanager_configs: [{urls: ['http://am:9093']}]},\n"
                 "  {name: hook, webhook_configs: [{url: 'http://h/'}]}]\n") == "");
}
