#include "base/rounded.h"

namespace base {

std::string format_rounded(Millis d) {
  return format_duration(d < Millis{10'000} ? d : Millis{std::chrono::floor<std::chrono::seconds>(d)});
}

}  // namespace base
