#include "discover/registry.h"

#include <algorithm>

#include "config/flow_text.h"

namespace discover {

Types types() {
  static constexpr const Type* all[] = {
#define SOURCE_TYPE(name) &name##_source,
#include "discover/types.def"
#undef SOURCE_TYPE
  };
  return Types(all);
}

Entry parse_entry(const Type& type, const config::Node& entry, const std::string& path, const Owner& owner,
                  config::Errors& errors) {
  const auto& template_keys = config::target_template_schema().reference();
  Entry out{type.parse(entry, path, owner, errors), owner.service + " " + std::string(type.key)};
  for (const auto& [key, value] : entry.entries()) {
    const bool own =
        std::none_of(template_keys.begin(), template_keys.end(),
                     [&key = key](const config::KeyReference& known) { return known.key == key.scalar(); });
    if (own) out.identity += " " + config::quoted_text(key.scalar()) + ": " + config::flow_text(value);
  }
  // Some sources know the type then.
  if (entry.find("probe").find("type").is_null()) out.identity += " without a type";
  return out;
}

}  // namespace discover
