#include "cluster/fleet_settings.h"

#include <fmt/format.h>

#include <utility>

#include "cluster/registry.h"
#include "config/flow_text.h"
#include "config/schema.h"

namespace cluster {
namespace {

using namespace std::chrono_literals;

struct Draft {
  std::vector<std::pair<std::string_view, std::shared_ptr<const Settings>>> stores;
  base::Millis ttl{20'000};
};

config::Schema<Draft> make_schema() {
  config::Schema<Draft> s("fleet");
  s.optional("ttl", &Draft::ttl,
             "For so long an agent that is gone, or that the store does not hear, keeps its slots from others; 10s to "
             "60s. It stops acting at two thirds of it.");
  for (const StoreType* type : store_types())
    s.custom(type->name.data(), type->summary.data(), "none",
             [type](const config::Node& node, Draft& draft, const std::string& path, config::Errors& errors) {
               draft.stores.emplace_back(type->name, type->parse(node, path, errors));
             });
  s.check([](const Draft& draft, const config::Complain& complain) {
    std::string known;
    for (const StoreType* type : store_types()) known += fmt::format("{}{}", known.empty() ? "" : " or ", type->name);
    if (draft.ttl < 10s || draft.ttl > 60s) complain("ttl", "must be 10s to 60s");  // Consul's own limits
    if (draft.stores.empty()) complain("", "the fleet has no store; it needs " + known);
    if (draft.stores.size() > 1) complain("", "the fleet has two stores; agents that ask different ones do not agree");
  });
  return s;
}

const config::Schema<Draft>& schema() {
  static const config::Schema<Draft> s = make_schema();
  return s;
}

}  // namespace

FleetSettings parse_fleet(const config::Node& node, config::Errors& errors) {
  if (node.is_null()) return {};
  const std::size_t before = errors.size();
  Draft draft = schema().parse(node, "fleet", errors);
  if (errors.size() > before) return {};
  return {std::move(draft.stores.front().second), draft.ttl, config::flow_text(node)};
}

std::vector<config::KeyReference> fleet_reference() { return schema().reference(); }

}  // namespace cluster
