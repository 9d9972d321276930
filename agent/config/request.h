// What may be written of a peer and of a request to it: hosts, ports, URLs, methods, headers. All keys that take such a
// value ask here, those of the configuration file as those that a label sets. Each function says why a value is none,
// "" if it is one. Pure.
#pragma once

#include <string>
#include <string_view>

namespace config {

// A name or an address, without port and brackets.
std::string host_complaint(std::string_view host);
// What stands behind the colon of HOST:PORT.
std::string port_complaint(std::string_view port);
// [USER@]HOST[:PORT], with an address of IPv6 in brackets.
std::string authority_complaint(std::string_view text);
// SCHEME://[USER@]HOST[:PORT][/…]. The scheme is that of `example`, or the same with an s.
std::string url_complaint(std::string_view url, std::string_view example);
// [SCHEME://][USER@]HOST[:PORT] of an HTTP or SOCKS proxy; "" is none, and fine.
std::string proxy_complaint(std::string_view proxy);

// A token (RFC 9110, 5.6.2).
std::string method_complaint(std::string_view method);
// A name that is a token, a value on one line. Headers that say where a message ends or what becomes of its connection
// are written by those who send it.
std::string header_complaint(std::string_view name, std::string_view value);
// The first complaint about a list or a map of headers.
template <typename Headers>
std::string headers_complaint(const Headers& headers) {
  for (const auto& [name, value] : headers)
    if (std::string why = header_complaint(name, value); !why.empty()) return why;
  return "";
}

// The name of a variable of a program's environment, and its value.
std::string variable_complaint(std::string_view name, std::string_view value);
template <typename Variables>
std::string variables_complaint(const Variables& variables) {
  for (const auto& [name, value] : variables)
    if (std::string why = variable_complaint(name, value); !why.empty()) return why;
  return "";
}

}  // namespace config
