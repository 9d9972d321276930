// Headers as a configuration writes them.
#pragma once

#include <string>

#include "config/schema.h"
#include "http/http_client.h"

namespace http {

// By name, each with one value or a list of them.
struct HeaderLines {
  Headers all;
};
bool read(const config::Node& node, HeaderLines& out, std::string& why);
std::string show(const HeaderLines& value);

}  // namespace http
