// What a customer does at the gateway: log in, fill a cart, ask its price, try an order. Everything is forgotten when
// the process ends; a demo's customers do not mind.
#pragma once

#include <optional>

#include "roles.h"

namespace shop {

// Nothing if the path is none of a customer's. From every connection's thread.
std::optional<Response> serve_customer(const Settings& settings, const Request& request);

}  // namespace shop
