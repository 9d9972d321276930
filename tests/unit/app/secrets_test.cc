// A marked secret in every key that any schema has: what a page shows of the configuration and what an error says of it
// has none of them. The keys come from the references of all types, so that a new one is tried by itself.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "app/loaded_config.h"
#include "cluster/registry.h"
#include "config/flow_text.h"
#include "config/redact.h"
#include "config/target_template.h"
#include "discover/registry.h"
#include "notify/registry.h"
#include "probe/registry.h"
#include "recover/registry.h"

namespace {

using config::Exposure;
using config::KeyReference;
using config::Node;

constexpr std::string_view kMark = "SEKR3T";

// What may stand under a key: in the place of text nobody may see, text as it is; of what is shown, what is hidden in
// it.
std::vector<std::string> values_of(const KeyReference& key) {
  std::vector<std::string> out;
  const std::string open = key.exposure == Exposure::shown
                               ? "\"http://bob:SEKR3T1@127.0.0.1:1/p?token=SEKR3T2&x=SEKR3T3abc\""
                           : key.exposure == Exposure::origin ? "\"https://bob:SEKR3T1@hooks.test/SEKR3T2\""
                                                              : "SEKR3T4";
  // Under a key whose parts are read later a word is no secret but a slip.
  if (key.exposure != Exposure::unknown || !key.inner.empty()) out.push_back(open);
  out.push_back("[" + open + "]");
  if (key.exposure != Exposure::shown) out.push_back("{any: " + open + "}");
  if (key.exposure == Exposure::shown) out.push_back("[/bin/true, --password, SEKR3T5, --token=SEKR3T6]");
  for (const KeyReference& inner : key.inner)
    for (const std::string& value : values_of(inner)) {
      out.push_back("{" + inner.key + ": " + value + "}");
      out.push_back("[{" + inner.key + ": " + value + "}]");
    }
  return out;
}

// The example with this value under the key.
std::string with(std::string_view example, const std::string& key, const std::string& value) {
  config::Errors errors;
  std::string out;
  for (const auto& [name, each] : Node::parse(example, "", errors).entries())
    if (name.scalar() != key) out += config::quoted_text(name.scalar()) + ": " + config::flow_text(each) + ", ";
  return "{" + out + key + ": " + value + "}";
}

template <typename Parse>
void try_all(std::string_view example, const std::vector<KeyReference>& keys, const Parse& parse) {
  for (const KeyReference& key : keys)
    for (const std::string& value : values_of(key)) {
      CAPTURE(key.key);
      CAPTURE(value);
      config::Errors errors;
      const Node node = Node::parse(with(example, key.key, value), "f.yml", errors);
      const Node parsed = parse(node, errors);
      errors.blot(config::secrets_of(parsed));
      CHECK(errors.text().find(kMark) == std::string::npos);
      const std::string shown = config::shown_config(parsed);
      CHECK(shown.find(key.key) != std::string::npos);
      CHECK(shown.find(kMark) == std::string::npos);
    }
}

}  // namespace

TEST_CASE("no probe type shows a secret") {
  for (const probe::Type* type : probe::types()) {
    CAPTURE(type->name);
    try_all(type->example, type->reference(), [&](const Node& node, config::Errors& errors) {
      const auto spec = probe::parse_probe(node, "probe", "shop", "shop.service", config::Global{}, errors);
      if (spec && errors.empty())
        CHECK(base::without_secrets(spec->settings->target()).find(kMark) == std::string::npos);
      return node;
    });
  }
}

TEST_CASE("no action shows a secret") {
  for (const recover::ActionType* type : recover::action_types()) {
    if (type->reference == nullptr) continue;
    CAPTURE(type->name);
    config::Errors unused;
    const Node example = Node::parse(type->example, "", unused);
    const std::string inner = example.is_mapping() ? config::flow_text(example.find(type->name)) : "{}";
    try_all(inner, type->reference(), [&](const Node& node, config::Errors& errors) {
      (void)type->parse(node, "do", recover::ActionOwner{"shop", "shop.service"}, errors);
      return node;
    });
  }
}

TEST_CASE("no place behind a load balancer shows a secret") {
  for (const recover::TrafficType* type : recover::traffic_types()) {
    CAPTURE(type->name);
    config::Errors unused;
    const Node example = Node::parse(type->example, "", unused);
    try_all(config::flow_text(example.find(type->name)), type->reference(),
            [&](const Node& node, config::Errors& errors) {
              (void)type->parse(node, "traffic", errors);
              return node;
            });
  }
}

TEST_CASE("no source of targets shows a secret") {
  for (const discover::Type* type : discover::types()) {
    CAPTURE(type->key);
    config::Errors unused;
    const Node example = Node::parse(type->example, "", unused);
    try_all(config::flow_text(example.find(type->key).items()[0]), type->reference(),
            [&](const Node& node, config::Errors& errors) {
              (void)discover::parse_entry(*type, node, "sd", {"shop", "/etc"}, errors);
              (void)config::target_template_schema().parse_beside(node, "sd", errors);
              return node;
            });
  }
}

TEST_CASE("no store of a fleet shows a secret") {
  for (const cluster::StoreType* type : cluster::store_types()) {
    CAPTURE(type->name);
    try_all(type->example, type->reference(), [&](const Node& node, config::Errors& errors) {
      (void)type->parse(node, "fleet", errors);
      return node;
    });
  }
}

TEST_CASE("no receiver shows a secret") {
  for (const char* receiver :
       {"{name: a, webhook_configs: [{url: \"https://bob:SEKR3T1@hooks.test/services/SEKR3T2\", secret: SEKR3T3, "
        "headers: "
        "{X-Any: SEKR3T4}}]}",
        "{name: a, webhook: SEKR3T1}", "{name: a, webhook_configs: [{url: \"ftp://u:SEKR3T1@h/SEKR3T2\"}]}",
        "{name: a, alertmanager_configs: [{urls: [\"http://bob:SEKR3T1@h\", \"http://h/?token=SEKR3T2\"]}]}",
        "{name: a, alertmanager_configs: [{urls: \"http://bob:SEKR3T1@h\"}]}",
        "{name: a, slack_configs: [{api_url: \"https://hooks.slack.test/services/SEKR3T1\"}]}",
        "{name: a, msteams_configs: [{webhook_url: \"https://h/webhookb2/SEKR3T1\"}]}",
        "{name: a, wecom_robot_configs: [{url: \"https://h/cgi-bin/webhook/send?key=SEKR3T1\"}]}",
        "{name: a, dingtalk_configs: [{url: \"https://h/robot/SEKR3T1\", secret: SEKR3T2}]}",
        "{name: a, feishu_configs: [{url: \"https://open.feishu.test/open-apis/bot/v2/hook/SEKR3T1\"}]}",
        "{name: a, telegram_configs: [{bot_token: \"1:SEKR3T1\", chat_id: 1}]}",
        "{name: a, pagerduty_configs: [{routing_key: SEKR3T1}]}",
        "{name: a, email_configs: [{to: a@h, from: b@h, smarthost: \"h:25\", auth_username: u, auth_password: "
        "SEKR3T1}]}",
        "{name: a, exec_configs: [{argv: [/bin/true, -u, \"bob:SEKR3T1\"], environment: {KEY: SEKR3T2}}]}"}) {
    CAPTURE(receiver);
    config::Errors errors;
    const Node node = Node::parse(receiver, "f.yml", errors);
    config::AgentConfig config;
    config.receivers = {node};
    (void)notify::parse_settings(config, errors);
    errors.blot(config::secrets_of(node));
    CHECK(errors.text().find(kMark) == std::string::npos);
    CHECK(config::shown_config(node).find(kMark) == std::string::npos);
  }
}

TEST_CASE("the file itself shows no secret") {
  try_all("{}", config::agent_config_reference(), [](const Node& node, config::Errors& errors) {
    return config::parse_agent_config(config::flow_text(node), "f.yml", errors).root;
  });
}
