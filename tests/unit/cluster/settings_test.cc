#include <doctest/doctest.h>

#include "cluster/fleet_settings.h"
#include "cluster/group.h"
#include "cluster/registry.h"

namespace {

std::string mistakes(const std::string& yaml) {
  config::Errors errors;
  const config::Node node = config::Node::parse(yaml, "f.yml", errors);
  (void)cluster::parse_fleet(node, errors);
  return errors.text();
}
std::string group_mistakes(const std::string& yaml) {
  config::Errors errors;
  (void)cluster::parse_group(config::Node::parse(yaml, "f.yml", errors), "services.order.fleet", errors);
  return errors.text();
}

}  // namespace

TEST_CASE("every store has an example that is right") {
  for (const cluster::StoreType* type : cluster::store_types()) {
    CAPTURE(type->name);
    CHECK(mistakes(std::string(type->name) + ": " + std::string(type->example)) == "");
    CHECK_FALSE(type->reference().empty());
  }
}

TEST_CASE("mistakes of fleet are named with their place") {
  CHECK(mistakes("ttl: 20s").find("the fleet has no store; it needs consul or etcd") != std::string::npos);
  CHECK(mistakes("{etcd: {endpoints: [\"http://a:1\"]}, consul: {}}").find("two stores") != std::string::npos);
  CHECK(mistakes("{consul: {}, ttl: 5s}").find("fleet.ttl: must be 10s to 60s") != std::string::npos);
  CHECK(mistakes("etcd: {endpoints: [a]}").find("fleet.etcd.endpoints") != std::string::npos);
  CHECK(mistakes("etcd: {endpoints: []}").find("at least one") != std::string::npos);
  CHECK(mistakes("etcd: {endpoint: [\"http://a:1\"]}").find("endpoints") != std::string::npos);
  CHECK(mistakes("etcd: {endpoints: [\"http://a:1\"], authorization: {credentials: x}}").find("users and passwords") !=
        std::string::npos);
  CHECK(mistakes("consul: {scheme: ftp}").find("http or https") != std::string::npos);
}

TEST_CASE("fleet of a service") {
  config::Errors errors;
  const cluster::GroupSettings all = cluster::parse_group(
      config::Node::parse("{group: order, max_concurrent: 2, min_healthy: 60%, panic_threshold: 40%}", "f", errors),
      "p", errors);
  CHECK(errors.empty());
  CHECK(all.group == "order");
  CHECK(all.max_concurrent == 2);
  CHECK(all.min_healthy.of(4) == 3);
  CHECK(all.panic_threshold == 40);
  CHECK(cluster::parse_group({}, "p", errors).group.empty());
  CHECK(group_mistakes("{group: order, min_healthy: 2}").empty());
  CHECK(group_mistakes("{max_concurrent: 1}").find("group") != std::string::npos);
  CHECK(group_mistakes("{group: a b}").find("is letters") != std::string::npos);
  CHECK(group_mistakes("{group: a, max_concurrent: 0}").find("at least 1") != std::string::npos);
  CHECK(group_mistakes("{group: a, min_healthy: 150%}").find("a number of members") != std::string::npos);
  CHECK(group_mistakes("{group: a, panic_threshold: 3}").find("a part of the members (50%)") != std::string::npos);
}
