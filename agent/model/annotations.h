// What the annotations of an alert say to a person.
#pragma once

#include <string_view>

#include "model/labels.h"

namespace model {

// The annotation summary, else description, else message; "" without any of them. A view of `annotations`.
inline std::string_view summary_of(const Labels& annotations) {
  for (const std::string_view name : {"summary", "description", "message"})
    if (annotations.has(name)) return annotations.get(name);
  return "";
}

}  // namespace model
