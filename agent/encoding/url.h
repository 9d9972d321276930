// The parts of an http:// or https:// URL that cookies and redirects are about (RFC 3986). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace encoding {

struct Url {
  std::string scheme;     // "http" or "https"
  std::string authority;  // as written: host, host:port, [v6]:port
  std::string host;       // lower case, without brackets
  std::string path;       // from the slash on, without query; "/" if there is none
  std::string query;      // with its "?", or ""

  std::string origin() const { return scheme + "://" + authority; }
};

// Nothing if it is no such URL. What follows a # is left out.
std::optional<Url> parse_url(std::string_view text);

// Whether it brings a login along, as http://user:password@host/.
bool names_user(std::string_view url);

// Where a Location header leads that came with an answer from `base` (RFC 3986, 5.2).
std::string resolved(const Url& base, std::string_view reference);

}  // namespace encoding
