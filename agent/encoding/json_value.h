// JSON of others, read without trust: what is missing or of another type is null, "" or nothing, never an error of its
// own. Numbers may stand as text: some servers write 64 bits so. Pure; from every thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace encoding {

using nlohmann::json;

// More values than any answer has: read, those of a text that is little else than brackets take thirty times its bytes.
inline constexpr std::size_t kMostValues = 1'000'000;

// How deep the brackets of a text of JSON are nested, and how many values it has at most, counted without reading it.
struct JsonShape {
  std::size_t depth = 0, values = 1;
};
JsonShape shape_of(std::string_view text);

// Null for what is no JSON, is nested deeper than any answer, or has more than kMostValues.
json read_json(std::string_view text);
// The member, or null.
const json& member(const json& object, const char* name);
std::string text_of(const json& value);                     // "" if it is none
std::optional<std::uint64_t> number_of(const json& value);  // of a number or its text

}  // namespace encoding
