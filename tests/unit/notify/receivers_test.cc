#include <doctest/doctest.h>

#include "fakes/notify_configuration.h"
#include "notify/registry.h"

namespace {

notify::Configuration parse(const std::string& receivers, config::Errors& errors) {
  return fakes::notify_configuration("receivers:\n" + receivers, errors);
}

}  // namespace

TEST_CASE("each integration of a receiver is a way of its own") {
  config::Errors errors;
  const auto all = parse(R"(  - name: ops
    tell: healed
    webhook_configs:
      - {url: "https://hooks.example/fettle", secret: raw}
      - {url: "http://127.0.0.1:1/", send_resolved: false, timeout: 3s}
    exec_configs: [{argv: [/usr/bin/env, cat]}]
  - {name: am, alertmanager_configs: [{urls: ["http://127.0.0.1:9093"]}]}
  - {name: none}
)",
                         errors);
  CHECK(errors.text() == "");
  CHECK(all.names == 3);
  REQUIRE(all.receivers.size() == 4);
  CHECK(all.receivers[0].notifier->type() == "webhook");
  CHECK(all.receivers[0].id == "ops webhook[0]");
  CHECK(all.receivers[0].send_resolved);
  CHECK(all.receivers[0].timeout == base::Millis{10'000});
  CHECK(all.receivers[1].id == "ops webhook[1]");
  CHECK(all.receivers[1].name == "ops");
  CHECK_FALSE(all.receivers[1].send_resolved);
  CHECK(all.receivers[1].timeout == base::Millis{3'000});
  CHECK(all.receivers[2].id == "ops exec[0]");
  CHECK(all.receivers[2].tell == notify::Tell::healed);
  CHECK(all.receivers[3].notifier->resend() == base::Millis{60'000});
  CHECK(all.receivers[3].tell == notify::Tell::all);
  CHECK_FALSE(all.routing->has_route());
}

TEST_CASE("a receiver's mistakes are named with their place") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row rows[] = {
      {"  - {name: ops, webhook_configs: [{url: \"ftp://x\"}]}\n",
       "fettle.yml:2:41: receivers[0].webhook_configs[0].url: must be http:// or https:// and a host, such as "
       "https://hooks.shop.example/alerts\n"},
      {"  - {name: ops, webhook_configs: [{url: \"http://x\", secret: whsec_x}]}\n",
       "fettle.yml:2:61: receivers[0].webhook_configs[0].secret: after whsec_ there must be base64; write the secret "
       "as "
       "it was given to you\n"},
      {"  - {name: ops, webhook_configs: [{url: \"http://x\", timeout: 0s}]}\n",
       "fettle.yml:2:62: receivers[0].webhook_configs[0].timeout: must be longer than 0s\n"},
      {"  - {name: ops, webhook_configs: {url: \"http://x\"}}\n",
       "fettle.yml:2:34: receivers[0].webhook_configs: expected a list, got a mapping\n"},
      {"  - {name: a, webhook_configs: [{url: \"http://x\"}]}\n  - {name: a}\n",
       "fettle.yml:3:12: receivers[1].name: there is a receiver 'a' already: receivers[0]\n"},
      {"  - {name: a, webhook_configs: [{url: \"http://x\", http_config: {basic_auth: {username: a}, authorization: "
       "{credentials: b}}}]}\n",
       "fettle.yml:2:107: receivers[0].webhook_configs[0].http_config.authorization: cannot stand beside basic_auth\n"},
      {"  - {name: a, exec_configs: [{argv: [hook]}]}\n",
       "fettle.yml:2:37: receivers[0].exec_configs[0].argv: 'hook' is no absolute path; write where the program lies, "
       "such as /usr/bin/systemctl\n"},
      {"  - {name: a, exec_configs: [{argv: []}]}\n",
       "fettle.yml:2:37: receivers[0].exec_configs[0].argv: must name a program\n"},
      {"  - {name: a, alertmanager_configs: [{urls: []}]}\n",
       "fettle.yml:2:45: receivers[0].alertmanager_configs[0].urls: must name at least one Alertmanager\n"},
      {"  - {name: a, opsgenie_configs: [{api_key: k}]}\n",
       "fettle.yml:2:33: receivers[0].opsgenie_configs: fettle has no such integration. Send to an Alertmanager that "
       "has "
       "it (alertmanager_configs), or run a program that sends it (exec_configs)\n"},
      {"  - {name: a, webhook: {url: \"http://x\"}}\n",
       "fettle.yml:2:24: receivers[0].webhook: is a list now, as in Alertmanager: write webhook_configs: [{url: "
       "...}]\n"},
      {"  - {name: a, match: {severity: page}, webhook_configs: [{url: \"http://x\"}]}\n",
       "fettle.yml:2:22: receivers[0].match: what a receiver hears is said by route: write route: {receiver: ..., "
       "routes: [{receiver: ..., matchers: ['severity=\"page\"']}]} beside receivers\n"},
      {"  - {name: a, group_wait: 3s}\n",
       "fettle.yml:2:27: receivers[0].group_wait: belongs to a route: write it into route, beside receivers\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    CHECK(parse(row.yaml, errors).receivers.size() <= 1);
    CHECK(errors.text() == std::string(row.want));
  }
}

TEST_CASE("a receiver with a mistake in one of its integrations is left out as a whole") {
  config::Errors errors;
  const auto all = parse("  - {name: a, webhook_configs: [{url: \"http://x\"}, {url: x}]}\n  - {name: b}\n", errors);
  CHECK(errors.size() == 1);
  CHECK(all.receivers.empty());
  CHECK(all.names == 1);
}

TEST_CASE("every notifier type has an example that parses") {
  for (const notify::NotifierType* type : notify::notifier_types()) {
    CAPTURE(std::string(type->name));
    config::Errors errors;
    CHECK_FALSE(type->summary.empty());
    CHECK(type->parse(config::Node::parse(type->example, "example", errors), "r", {}, errors) != nullptr);
    CHECK(errors.text() == "");
  }
}
