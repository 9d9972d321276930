// Selectors of Kubernetes, as its API server reads them
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ and …/field-selectors/). Pure. Of
// discover/ only.
#pragma once

#include <string>
#include <string_view>

namespace discover {

// Why it is no selector; "" if it is one. Which fields there are, the server knows.
std::string label_selector_complaint(std::string_view selector);  // app in (a,b),tier!=front,!old
std::string field_selector_complaint(std::string_view selector);  // status.phase=Running,spec.nodeName!=n1

// Whether a field selector says something of this field.
bool selects_field(std::string_view selector, std::string_view field);

}  // namespace discover
