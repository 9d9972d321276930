// The words of an enum, as labels, logs and records have them. A table is an array of pairs: value, word. Pure; from
// every thread.
#pragma once

#include <optional>
#include <string_view>

namespace base {

// "" if the table has no word for it.
template <typename Table, typename Enum>
constexpr std::string_view name_in(const Table& table, Enum value) {
  for (const auto& [known, name] : table)
    if (known == value) return name;
  return "";
}

template <typename Table>
constexpr auto value_in(const Table& table, std::string_view name)
    -> std::optional<typename Table::value_type::first_type> {
  for (const auto& [value, known] : table)
    if (name == known) return value;
  return std::nullopt;
}

}  // namespace base
