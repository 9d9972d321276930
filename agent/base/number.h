// Numbers in texts. Pure; from every thread.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace base {

// The number that `text` begins with, which is cut off; nothing, and `text` stays, where none stands there or it does
// not fit. As std::from_chars reads it: no blanks, no plus, whatever the locale.
template <typename N>
std::optional<N> take_number(std::string_view& text, [[maybe_unused]] int radix = 10) {
  N value{};
  std::from_chars_result read{};
  if constexpr (std::is_floating_point_v<N>) read = std::from_chars(text.data(), text.data() + text.size(), value);
  else read = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (text.empty() || read.ec != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return value;
}

// In the same way, whatever follows it.
template <typename N>
std::optional<N> leading_number(std::string_view text, int radix = 10) {
  return take_number<N>(text, radix);
}

// In the same way, of a text that is a number as a whole.
template <typename N>
std::optional<N> read_number(std::string_view text, int radix = 10) {
  const std::optional<N> value = take_number<N>(text, radix);
  return text.empty() ? value : std::nullopt;
}

}  // namespace base
