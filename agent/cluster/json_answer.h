// What stores say in JSON, read without trust. Numbers may stand as text: etcd writes 64 bits so.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace cluster {

using nlohmann::json;

// Null for what is no JSON, or is nested deeper than any answer.
json read_json(std::string_view text);
// The member, or null.
const json& member(const json& object, const char* name);
std::string text_of(const json& value);                     // "" if it is none
std::optional<std::uint64_t> number_of(const json& value);  // of a number or its text
// Bytes in base64; "" if it is none.
std::string bytes_of(const json& value);

// Why a store did not do what it was asked, as people may read it: one line of bounded length, without the secrets that
// the store, or a proxy in front of it, may repeat.
std::string fit_to_show(std::string text, const base::KnownSecrets& secrets);

}  // namespace cluster
