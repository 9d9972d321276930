// What stores say in JSON, read without trust.
#pragma once

#include <string>

#include "base/time.h"
#include "encoding/json_value.h"
#include "http/json_api.h"

namespace cluster {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::read_json;
using encoding::text_of;

// Bytes in base64; "" if it is none.
std::string bytes_of(const json& value);

// Milliseconds since the epoch; the epoch if it is no whole number.
base::WallTime time_of(const json& value);

// Why a store did not do what it was asked goes through it.
using http::fit_to_show;

}  // namespace cluster
