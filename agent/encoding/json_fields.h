// JSON of others, read without trust: what is missing, or of another type than wanted, is null or empty.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace encoding {

// Null for what is no JSON, or is nested more than 32 deep: no answer of the programs and servers that are asked is.
nlohmann::json read_json(std::string_view text);
// The member, or null.
const nlohmann::json& member(const nlohmann::json& object, const char* name);
std::string text_of(const nlohmann::json& value);  // "" if it is none
// Of a number or its text: etcd writes 64 bits so.
std::optional<std::uint64_t> number_of(const nlohmann::json& value);

}  // namespace encoding
