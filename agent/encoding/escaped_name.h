// Names of labels that are made of names with other characters.
#pragma once

#include <string>
#include <string_view>

namespace encoding {

// A name as Prometheus makes a label's of it, behind a prefix: each character but letters, digits and _ becomes one _.
std::string as_label_name(std::string_view name);

// As Prometheus 3 writes it for a reader that knows letters, digits and _ only (escaping=underscores): any other
// character, and a digit in front, is _.
std::string escaped_label_name(std::string_view name);

}  // namespace encoding
