// What the measurements that probe types make are, in a sentence each: the HELP of /metrics.
#pragma once

#include <string_view>

namespace probe {

// "" if the name is none of ours.
std::string_view help_of(std::string_view measurement);

}  // namespace probe
