// A text that is a number as a whole. Pure; from every thread.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <type_traits>

namespace base {

// As std::from_chars reads it: no blanks, no plus, whatever the locale. Nothing for what is none or does not fit.
template <typename N>
std::optional<N> read_number(std::string_view text, [[maybe_unused]] int radix = 10) {
  N value{};
  std::from_chars_result read{};
  if constexpr (std::is_floating_point_v<N>) read = std::from_chars(text.data(), text.data() + text.size(), value);
  else read = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace base
