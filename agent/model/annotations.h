// What the annotations of an alert say to a person. They are Labels in which a text may be empty.
#pragma once

#include <string_view>

#include "model/labels.h"

namespace model {

// The one empty value that Labels keeps, also when it is copied to another set: a template that expanded to nothing.
inline constexpr char kNoText[1] = {};
inline constexpr std::string_view kEmptyText{kNoText, 0};
inline std::string_view kept_text(std::string_view text) { return text.empty() ? kEmptyText : text; }

// The annotation summary, else description, else message; "" without any of them. A view of `annotations`.
inline std::string_view summary_of(const Labels& annotations) {
  for (const std::string_view name : {"summary", "description", "message"})
    if (annotations.has(name)) return annotations.get(name);
  return "";
}

}  // namespace model
