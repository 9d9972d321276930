#include <doctest/doctest.h>

#include "notify/notifications.h"
#include "notify/registry.h"

namespace {

std::vector<notify::ReceiverSpec> parse(const std::string& yaml, config::Errors& errors) {
  const config::Node whole = config::Node::parse("receivers:\n" + yaml, "fettle.yml", errors);
  return notify::parse_receivers(whole.find("receivers").items(), errors);
}

}  // namespace

TEST_CASE("the receivers of the product description parse") {
  config::Errors errors;
  const auto receivers =
      parse(R"(  - {name: ops, match: {severity: page}, webhook: {url: "https://hooks.example/fettle", secret: raw}}
  - {name: am, group_wait: 3s, send_resolved: false, alertmanager: {urls: ["http://127.0.0.1:9093"]}}
)",
            errors);
  CHECK(errors.text() == "");
  REQUIRE(receivers.size() == 2);
  CHECK(receivers[0].notifier->type() == "webhook");
  CHECK(receivers[0].match == std::vector<std::pair<std::string, std::string>>{{"severity", "page"}});
  CHECK(receivers[0].send_resolved);
  CHECK(receivers[1].notifier->resend() == base::Millis{60'000});
  CHECK(receivers[1].group_wait == base::Millis{3'000});
  CHECK_FALSE(receivers[1].send_resolved);
}

TEST_CASE("a receiver's mistakes are named with their place") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row rows[] = {
      {"  - {name: ops}\n",
       "fettle.yml:2:5: receivers[0]: the receiver sends nowhere; it needs alertmanager or exec or webhook\n"},
      {"  - {name: ops, webhook: {url: \"ftp://x\"}}\n",
       "fettle.yml:2:32: receivers[0].webhook.url: must be http:// or https:// and a host, such as "
       "https://hooks.shop.example/alerts\n"},
      {"  - {name: ops, webhook: {url: \"http://x\", secret: whsec_x}}\n",
       "fettle.yml:2:52: receivers[0].webhook.secret: after whsec_ there must be base64; write the secret as it was "
       "given to you\n"},
      {"  - {name: a, webhook: {url: \"http://x\"}}\n  - {name: a, webhook: {url: \"http://y\"}}\n",
       "fettle.yml:3:12: receivers[1].name: there is a receiver 'a' already: receivers[0]\n"},
      {"  - {name: a, webhook: {url: \"http://x\", http_config: {basic_auth: {username: a}, authorization: "
       "{credentials: "
       "b}}}}\n",
       "fettle.yml:2:98: receivers[0].webhook.http_config.authorization: cannot stand beside basic_auth\n"},
      {"  - {name: a, exec: {argv: [hook]}}\n",
       "fettle.yml:2:28: receivers[0].exec.argv: 'hook' is no absolute path; write where the program lies, such as "
       "/usr/bin/systemctl\n"},
      {"  - {name: a, exec: {argv: []}}\n", "fettle.yml:2:28: receivers[0].exec.argv: must name a program\n"},
      {"  - {name: a, alertmanager: {urls: []}}\n",
       "fettle.yml:2:36: receivers[0].alertmanager.urls: must name at least one Alertmanager\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    config::Errors errors;
    CHECK(parse(row.yaml, errors).size() <= 1);
    CHECK(errors.text() == std::string(row.want));
  }
}

TEST_CASE("every notifier type has an example that parses") {
  for (const notify::NotifierType* type : notify::notifier_types()) {
    CAPTURE(std::string(type->name));
    config::Errors errors;
    CHECK_FALSE(type->summary.empty());
    CHECK(type->parse(config::Node::parse(type->example, "example", errors), "r", errors) != nullptr);
    CHECK(errors.text() == "");
  }
}
