#include "discover/meta_labels.h"

#include <utility>
#include <vector>

#include "encoding/escaped_name.h"

namespace discover {

model::Labels as_labels(const LabelMap& all) {
  std::vector<model::Label> views;
  for (const auto& [name, value] : all)
    if (!value.empty()) views.push_back({name, value});
  return model::Labels(std::move(views));
}

void add_members(const encoding::json& object, const std::string& prefix, LabelMap& into) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items())
    into[prefix + encoding::as_label_name(name)] = encoding::text_of(value);
}

}  // namespace discover
