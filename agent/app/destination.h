// Where a text leads that names a target: read strictly, with its host in one form, so that what is compared with a
// list is what is connected to. Pure, but for the addresses of this node.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/resolver.h"

namespace app {

struct Host {
  std::string text;         // a name in small letters without a dot at its end, or an address as inet_ntop(3) writes it
  bool is_address = false;  // of IPv4 also if it was written ::ffff:127.0.0.1, 127.1, 0177.0.0.1 or 2130706433
  friend bool operator==(const Host&, const Host&) = default;
};

// NAME, ADDRESS or [V6]. invalid: it is neither, or it is written in a way that others read otherwise (percent signs,
// letters beyond ASCII, blanks).
base::Result<Host> read_host(std::string_view text);
Host host_of(const net::Address& address);

struct Destination {
  std::string scheme{};    // in small letters; "" if none is written
  Host host{};             // not of a socket
  std::uint16_t port = 0;  // the scheme's if none is written; 0 without either
  std::string rest{};      // path and query, from / or ? on
  std::string socket{};    // a path, in place of all of these
};

// SCHEME://HOST:PORT/PATH, HOST:PORT, HOST, or the path of a socket. invalid: user information, control characters,
// backslashes and whatever else hides a host.
base::Result<Destination> read_destination(std::string_view text);
// The same of a probe's target, whose URL may carry user information and a fragment; these are left out.
base::Result<Destination> read_own_destination(std::string text);

// Of http, https, ws and wss; 0 for others.
std::uint16_t usual_port(std::string_view scheme);

// What kind of address it is that a name from outside should not lead to ("a loopback address of this node"), or "":
// loopback, link-local, unspecified, multicast, reserved, one of this node's own; also inside an IPv6 address that
// stands for an IPv4 one.
std::string kept_back(const net::Address& address);

}  // namespace app
