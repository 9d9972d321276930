#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace config::detail {

std::string join_path(const std::string& path, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!plain) return fmt::format("{}[\"{}\"]", path, key);
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

bool visit_mapping(const Node& node, const std::vector<KeySpec>& keys, const std::string& path, Errors& errors,
                   const std::function<void(std::size_t, const Node&)>& visit, OtherKeys others,
                   const RefusedKeys& refused) {
  if (!node.is_mapping()) {
    node.expose_rest(Exposure::withheld);  // nobody knows what it is
    errors.add(node.mark(), path, expected("a mapping", node));
    return false;
  }
  std::vector<std::string> names;
  for (const KeySpec& key : keys) names.push_back(key.key);
  std::vector<bool> seen(keys.size());
  for (const auto& [key, value] : node.entries()) {
    const auto found = std::find(names.begin(), names.end(), key.scalar());
    if (found != names.end()) {
      const auto index = static_cast<std::size_t>(found - names.begin());
      seen[index] = true;
      visit(index, value);
      continue;
    }
    if (others == OtherKeys::left_alone) continue;
    if (const auto known = refused.find(key.scalar()); known != refused.end()) {
      value.expose_rest(Exposure::withheld);
      errors.add(value.mark(), join_path(path, key.scalar()), known->second);
      continue;
    }
    const std::string near = base::nearest(key.scalar(), names);
    errors.add(key.mark(), join_path(path, key.scalar()),
               near.empty() ? fmt::format("unknown key; known here: {}", fmt::join(names, ", "))
                            : fmt::format("unknown key; did you mean '{}'?", near));
  }
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].required && !seen[i])
      errors.add(node.mark(), path, fmt::format("the required key '{}' is missing", keys[i].key));
  return true;
}

void complain_at(const Node& mapping, const std::string& path, Errors& errors, std::string_view key,
                 std::string_view what) {
  if (key.empty()) return errors.add(mapping.mark(), path, what);
  for (const auto& [name, value] : mapping.entries())
    if (name.scalar() == key) return errors.add(value.mark(), join_path(path, key), what);
  errors.add(mapping.mark(), join_path(path, key), what);
}

}  // namespace config::detail
