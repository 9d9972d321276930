// Names of labels that have letters which older readers do not know.
#pragma once

#include <string>
#include <string_view>

namespace encoding {

// As Prometheus 3 writes it for a reader that knows letters, digits and _ only (escaping=underscores): any other
// character, and a digit in front, is _.
std::string escaped_label_name(std::string_view name);

}  // namespace encoding
