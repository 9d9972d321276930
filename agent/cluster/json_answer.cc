#include "cluster/json_answer.h"

#include "base/base64.h"

namespace cluster {

std::string bytes_of(const json& value) { return base::base64_decode(text_of(value)).value_or(std::string()); }

base::WallTime time_of(const json& value) {
  return base::wall_from_ms(value.is_number_integer() ? value.get<std::int64_t>() : 0);
}

}  // namespace cluster
