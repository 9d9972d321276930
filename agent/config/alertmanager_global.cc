#include "config/alertmanager_global.h"

#include <iterator>

namespace config {
namespace {

struct Key {
  const char* name;
  const char* help;
};

constexpr Key kDefaults[] = {
    {"http_config", "How receivers over HTTP are asked that have no http_config; not Alertmanagers."},
    {"pagerduty_url", "The default of url in pagerduty_configs."},
    {"slack_api_url", "The default of api_url in slack_configs."},
    {"slack_api_url_file", "The default of api_url_file in slack_configs."},
    {"smtp_auth_identity", "The default of auth_identity in email_configs."},
    {"smtp_auth_password", "The default of auth_password in email_configs."},
    {"smtp_auth_password_file", "The default of auth_password_file in email_configs."},
    {"smtp_auth_secret", "The default of auth_secret in email_configs."},
    {"smtp_auth_username", "The default of auth_username in email_configs."},
    {"smtp_from", "The default of from in email_configs."},
    {"smtp_hello", "The default of hello in email_configs."},
    {"smtp_require_tls", "The default of require_tls in email_configs."},
    {"smtp_smarthost", "The default of smarthost in email_configs."},
    {"smtp_tls_config", "The default of tls_config in email_configs."},
    {"telegram_api_url", "The default of api_url in telegram_configs."},
    {"wechat_api_corp_id", "The default of corp_id in wechat_configs."},
    {"wechat_api_secret", "The default of api_secret in wechat_configs."},
    {"wechat_api_secret_file", "The default of api_secret_file in wechat_configs."},
    {"wechat_api_url", "The default of api_url in wechat_configs."},
};

// Of integrations that are not offered.
constexpr const char* kNotOffered[] = {
    "jira_api_url",           "mattermost_webhook_url",   "mattermost_webhook_url_file",
    "opsgenie_api_key",       "opsgenie_api_key_file",    "opsgenie_api_url",
    "rocketchat_api_url",     "rocketchat_token",         "rocketchat_token_file",
    "rocketchat_token_id",    "rocketchat_token_id_file", "victorops_api_key",
    "victorops_api_key_file", "victorops_api_url",        "webex_api_url"};
constexpr const char* kInstead =
    "is for an integration that fettle does not have. Take it out, and send to an Alertmanager that has the "
    "integration (alertmanager_configs), or run a program that sends it (exec_configs)";
constexpr const char* kSlackApp[] = {"slack_app_token", "slack_app_token_file", "slack_app_url"};

void check_timeout(const Node& node, Global&, const std::string& path, Errors& errors) {
  base::Millis unused{};
  std::string why;
  if (!read(node, unused, why)) errors.add(node.mark(), path, why);
}

}  // namespace

void add_alertmanager_keys(Schema<Global>& schema) {
  for (const Key& key : kDefaults)
    schema.custom(key.name, key.help, "none", [](const Node&, Global&, const std::string&, Errors&) {});
  schema.custom("resolve_timeout",
                "Taken so that Alertmanager's global can be pasted; of no effect, since rules say when an alert ends.",
                "none", check_timeout);
  schema.shows({"pagerduty_url", "smtp_auth_identity", "smtp_auth_username", "smtp_from", "smtp_hello",
                "smtp_require_tls", "smtp_smarthost", "telegram_api_url", "wechat_api_corp_id", "wechat_api_url",
                "resolve_timeout"});
  for (const char* key : kNotOffered) schema.refuses(key, kInstead);
  for (const char* key : kSlackApp) schema.refuses(key, kSlackAppInstead);
  schema.refuses("smtp_force_implicit_tls", kImplicitTlsInstead);
}

}  // namespace config
