#include "recover/standby/standby_spec.h"

#include <doctest/doctest.h>

#include <string>

namespace {

constexpr const char* kEtcd = "{etcd: {endpoints: [\"http://127.0.0.1:2379\"]}}";
constexpr const char* kProbe = "{type: redis, password_file: /etc/fettle/redis.password}";

recover::Standby parse(const std::string& yaml, config::Errors& errors, const std::string& fleet = kEtcd,
                       const std::string& probe = kProbe) {
  config::Service service;
  service.probes = {config::Node::parse(probe, "fettle.yml", errors)};
  service.standby = config::Node::parse(yaml, "fettle.yml", errors);
  return recover::parse_standby("order", service, "a", config::Node::parse(fleet, "fettle.yml", errors), errors);
}

std::string mistakes(const std::string& yaml, const std::string& fleet = kEtcd, const std::string& probe = kProbe) {
  config::Errors errors;
  CHECK(parse(yaml, errors, fleet, probe) == nullptr);
  return errors.text();
}

}  // namespace

TEST_CASE("kind and members are enough; what is dangerous asks") {
  config::Errors errors;
  const auto standby = parse("{kind: redis, members: {a: \"10.0.0.1:6379\", b: \"[::1]:6380\"}}", errors);
  CHECK(errors.text() == "");
  REQUIRE(standby != nullptr);
  CHECK(standby->mode == model::RecoveryMode::ask);
  CHECK(standby->members.at("a") == recover::StandbyMember{"10.0.0.1", 6379});
  CHECK(standby->members.at("b") == recover::StandbyMember{"::1", 6380});
  CHECK(standby->login.password_file == "/etc/fettle/redis.password");
  CHECK(standby->fence.empty());
  CHECK(standby->cooldown == base::Millis{600'000});
}

TEST_CASE("a standby of MariaDB logs in as its probe of type mysql, and counts transactions") {
  const std::string mysql = "{type: mysql, username: fettle, password_file: /etc/fettle/mariadb.password}";
  config::Errors errors;
  const auto standby = parse("{kind: mariadb, members: {a: \"h:1\", b: \"h:2\"}}", errors, kEtcd, mysql);
  CHECK(errors.text() == "");
  REQUIRE(standby != nullptr);
  CHECK(standby->max_lag == 1000);
  CHECK(standby->login.username == "fettle");
  CHECK(standby->closes());
  CHECK(parse("{kind: mariadb, members: {a: \"h:1\", b: \"h:2\"}, max_lag: 5}", errors, kEtcd, mysql)->max_lag == 5);
  CHECK(mistakes("{kind: mariadb, members: {a: \"h:1\", b: \"h:2\"}}") ==
        "fettle.yml:1:1: services.order.standby: the service has no probe of type mysql, which says how it is and how "
        "the agent logs in; add one\n");
}

TEST_CASE("two agents must miss a primary where there are two others") {
  config::Errors errors;
  const auto observers = [&](const std::string& members, const std::string& more = "") {
    return parse("{kind: redis, members: {" + members + "}" + more + "}", errors)->observers;
  };
  CHECK(observers("a: \"h:1\", b: \"h:2\"") == 1);
  CHECK(observers("a: \"h:1\", b: \"h:2\", c: \"h:3\"") == 2);
  CHECK(observers("a: \"h:1\", b: \"h:2\", c: \"h:3\"", ", observers: 1") == 1);
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: \"h:2\"}, observers: 2}") ==
        "fettle.yml:1:57: services.order.standby.observers: must be less than there are members: the primary's own "
        "agent does not count\n");
}

TEST_CASE("mistakes of a standby") {
  const std::string good = "{kind: redis, members: {a: \"h:1\", b: \"h:2\"}}";
  CHECK(mistakes("{kind: postgresql, members: {a: \"h:1\", b: \"h:2\"}}") ==
        "fettle.yml:1:8: services.order.standby.kind: must be redis, postgres or mariadb\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: \"h:2\"}, rejoin: [/bin/x]}") ==
        "fettle.yml:1:54: services.order.standby.rejoin: is for postgres and mariadb; a Redis server rejoins by "
        "REPLICAOF, "
        "which the agent sends\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\"}}") ==
        "fettle.yml:1:24: services.order.standby.members: must have 2 to 9 servers\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: h}}") ==
        "fettle.yml:1:38: services.order.standby.members.b: expected HOST:PORT, such as 10.0.0.1:6379\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: \"h:1\"}}") ==
        "fettle.yml:1:38: services.order.standby.members.b: is the server of a, too\n");
  CHECK(mistakes("{kind: redis, members: {x: \"h:1\", b: \"h:2\"}}") ==
        "fettle.yml:1:24: services.order.standby.members: this node is a (global.node), which is not among them\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: \"h:2\"}, mode: yes}") ==
        "fettle.yml:1:52: services.order.standby.mode: expected one of dry_run, ask, enforce, got 'yes'\n");
  CHECK(mistakes("{kind: redis, members: {a: \"h:1\", b: \"h:2\"}, fence: [kill]}") ==
        "fettle.yml:1:53: services.order.standby.fence: must begin with the absolute path of a program\n");
  CHECK(
      mistakes(good, "") ==
      "fettle.yml:1:1: services.order.standby: there is no store to elect a primary by: write fleet: {etcd: {...}} or "
      "{consul: {...}} beside services\n");
  CHECK(mistakes(good, "{peers: {urls: []}}") ==
        "fettle.yml:1:1: services.order.standby: fleet.peers cannot elect a primary: two halves of a network would "
        "each find one; it needs fleet.etcd or fleet.consul\n");
  CHECK(mistakes(good, kEtcd, "{type: tcp}") ==
        "fettle.yml:1:1: services.order.standby: the service has no probe of type redis, which says how it is and how "
        "the agent logs in; add one\n");
}

TEST_CASE("PostgreSQL needs a program that ends a server for certain, and logs in as its probe does") {
  const char* probe = "{type: postgres, username: fettle, database: postgres, password: x}";
  const std::string members = "{kind: postgres, members: {a: \"h:1\", b: \"h:2\"}";
  config::Errors errors;
  const auto standby = parse(members + ", fence: [/bin/fence], rejoin: [/bin/rejoin]}", errors, kEtcd, probe);
  CHECK(errors.text() == "");
  REQUIRE(standby != nullptr);
  CHECK_FALSE(standby->closes());
  CHECK(standby->login.username == "fettle");
  CHECK(standby->login.database == "postgres");
  CHECK(standby->login.tls == nullptr);
  CHECK(standby->rejoin.size() == 1);
  CHECK(mistakes(members + "}", kEtcd, probe) ==
        "fettle.yml:1:1: services.order.standby.fence: is required with kind: postgres: no agent can close a "
        "PostgreSQL server to writes, only a program that ends it, or starts it as a standby\n");
  CHECK(mistakes(members + ", fence: [/bin/fence]}") ==
        "fettle.yml:1:1: services.order.standby: the service has no probe of type postgres, which says how it is and "
        "how the agent logs in; add one\n");
}

TEST_CASE("a standby speaks TLS as its probe does") {
  config::Errors errors;
  const auto standby = parse("{kind: redis, members: {a: \"h:1\", b: \"h:2\"}}", errors, kEtcd,
                             "{type: redis, tls: true, tls_config: {server_name: shop, insecure_skip_verify: true}}");
  CHECK(errors.text() == "");
  REQUIRE(standby != nullptr);
  REQUIRE(standby->login.tls != nullptr);
  CHECK(standby->login.tls->settings().server_name == "shop");
}
