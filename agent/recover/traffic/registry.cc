#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/edit_distance.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "recover/traffic/traffic.h"

namespace recover {

#define TRAFFIC_TYPE(name) extern const TrafficType name##_traffic;
#include "recover/traffic/types.def"
#undef TRAFFIC_TYPE

TrafficTypes traffic_types() {
  static constexpr const TrafficType* all[] = {
#define TRAFFIC_TYPE(name) &name##_traffic,
#include "recover/traffic/types.def"
#undef TRAFFIC_TYPE
  };
  return TrafficTypes(all);
}

namespace {

// Settings as they were written, in YAML's flow style. What was quoted stays a string; what was not stays what it is.
std::string one_line(const config::Node& node) {
  std::string out;
  const auto add = [&out](const std::string& one) { out += (out.empty() ? "" : ", ") + one; };
  if (node.is_mapping()) {
    for (const auto& [key, value] : node.entries()) add(one_line(key) + ": " + one_line(value));
    return "{" + out + "}";
  }
  if (node.is_sequence()) {
    for (const config::Node& item : node.items()) add(one_line(item));
    return "[" + out + "]";
  }
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
  const std::string& scalar = node.scalar();
  if (!node.quoted() && !scalar.empty() && scalar.find_first_not_of(kPlain) == std::string::npos) return scalar;
  return nlohmann::json(scalar).dump();
}

}  // namespace

std::unique_ptr<const TrafficSpec> parse_traffic(const std::string& service, const config::Node& node,
                                                 config::Errors& errors) {
  if (node.is_null()) return nullptr;
  const std::size_t before = errors.size();
  using Slots = std::vector<std::unique_ptr<const TrafficPlace>>;
  struct Draft {
    Slots places;
  };
  config::Schema<Draft> schema("traffic");
  for (const TrafficType* type : traffic_types())
    schema.custom(std::string(type->name).c_str(), "", "none",
                  [type](const config::Node& value, Draft& draft, const std::string& path, config::Errors& e) {
                    draft.places.push_back(type->parse(value, path, e));
                  });
  schema.check([](const Draft& d, const config::Complain& complain) {
    if (d.places.empty()) complain("", "names no load balancer, such as {nginx: {upstream: …, file: …, self: …}}");
  });
  Draft draft = schema.parse(node, config::service_path(service) + ".traffic", errors);
  if (errors.size() > before) return nullptr;
  auto spec = std::make_unique<TrafficSpec>();
  spec->service = service;
  spec->places = std::move(draft.places);
  spec->text = one_line(node);
  return spec;
}

int least_live(int min_live, int all) { return min_live > 0 ? min_live : std::max(1, (all + 1) / 2); }

}  // namespace recover
