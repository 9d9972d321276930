// What the head of an answer says of where its body ends (RFC 9112, 6.3): one reading for all that reads answers, so
// that the verdict does not depend on who does.
#pragma once

#include <cstdint>
#include <string>

#include "http/http_client.h"

namespace http {

struct Framing {
  std::int64_t length = -1;  // -1: none is said
  bool chunked = false;
};

// What is wrong with it, to stand behind the peer's name; "" if nothing is.
std::string read_framing(const Headers& headers, Framing& out);

}  // namespace http
