// The schema of a probe type: its own keys beside those that every probe has.
#pragma once

#include <string_view>

#include "config/schema.h"
#include "probe/common/common_keys.h"

namespace probe {

const config::Schema<CommonKeys>& common_schema();

bool is_common_key(std::string_view key);

// A Schema to which a type adds its own keys. It knows the common ones, so that a slip of either kind is answered with
// the right key; parse_common() reads them.
template <typename T>
config::Schema<T> probe_schema(const char* type) {
  config::Schema<T> schema(type);
  schema.beside(common_schema());
  return schema;
}

}  // namespace probe
