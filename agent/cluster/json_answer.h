// What stores say in JSON, read without trust.
#pragma once

#include <string>

#include "base/secret.h"
#include "encoding/json_value.h"

namespace cluster {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::read_json;
using encoding::text_of;

// Bytes in base64; "" if it is none.
std::string bytes_of(const json& value);

// Why a store did not do what it was asked, as people may read it: one line of bounded length, without the secrets that
// the store, or a proxy in front of it, may repeat.
std::string fit_to_show(std::string text, const base::KnownSecrets& secrets);

}  // namespace cluster
