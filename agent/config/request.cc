#include "config/request.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/ascii.h"

namespace config {
namespace {

constexpr std::size_t kLongestHost = 255;
constexpr std::size_t kLongestLabel = 63;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool has_only(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return base::is_alphanumeric(c) || others.find(c) != std::string_view::npos; });
}

bool is_token(std::string_view text) { return !text.empty() && has_only(text, "!#$%&'*+-.^_`|~"); }

// Also with the interface that it is of: fe80::1%eth0.
bool is_v6(std::string_view text) {
  const std::size_t scope = std::min(text.find('%'), text.size());
  if (scope < text.size() && (scope + 1 == text.size() || !has_only(text.substr(scope + 1), "._-"))) return false;
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(text.substr(0, scope)).c_str(), &address) == 1;
}

bool has_blanks(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) || c == ' '; });
}

// No name server and no file of hosts has such a name (RFC 1035, 2.3.4), and none that looks like an address.
std::string name_complaint(std::string_view name) {
  if (name.find("..") != std::string_view::npos) return "has two dots side by side";
  const bool like_address =
      name.find('.') != std::string_view::npos && name.find_first_not_of("0123456789.") == std::string_view::npos;
  in_addr address{};
  if (like_address && ::inet_pton(AF_INET, std::string(name).c_str(), &address) != 1)
    return "looks like an IPv4 address, and is none";
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (end - begin > kLongestLabel) return fmt::format("has a part of more than {} characters", kLongestLabel);
    begin = end + 1;
  }
  return "";
}

}  // namespace

std::string host_complaint(std::string_view host) {
  if (host.empty()) return "must not be empty";
  if (host.size() > kLongestHost) return "is too long for a host";
  if (host.front() == '-' || host.front() == '.') return fmt::format("begins with {}, as no host does", host.front());
  if (is_v6(host)) return "";
  const std::size_t colon = host.find(':');
  const std::string_view name = host.substr(0, colon);
  if (!has_only(name, "._-") || (colon != std::string_view::npos && !has_only(host, "._:-")))
    return "is no name or address: only letters, digits and ._:- are";
  if (colon == std::string_view::npos) return name_complaint(host);
  const std::string_view behind = host.substr(colon + 1);
  return std::all_of(behind.begin(), behind.end(), base::is_digit) ? "has a port behind it; host and port are two keys"
                                                                   : "has colons, and is no IPv6 address";
}

std::string port_complaint(std::string_view port) {
  if (port.empty() || !std::all_of(port.begin(), port.end(), base::is_digit)) return "must be a number";
  port.remove_prefix(std::min(port.find_first_not_of('0'), port.size()));
  const bool fits = !port.empty() && (port.size() < 5 || (port.size() == 5 && port <= "65535"));
  return fits ? "" : "must be between 1 and 65535";
}

std::string authority_complaint(std::string_view text) {
  const std::size_t at = text.rfind('@');
  text = text.substr(at == std::string_view::npos ? 0 : at + 1);
  std::size_t end = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return "has a [ without its ]";
    if (!is_v6(text.substr(1, close - 1))) return "has no IPv6 address in its brackets";
    end = close + 1;
  } else if (const std::string why = host_complaint(text.substr(0, end)); !why.empty()) {
    return "has a host that " + why;
  }
  if (end == text.size()) return "";
  if (text[end] != ':') return "has something else than a port behind its host";
  const std::string_view port = text.substr(end + 1);
  const std::string why = port.empty() ? "" : port_complaint(port);
  return why.empty() ? "" : "has a port that " + why;
}

std::string url_complaint(std::string_view url, std::string_view example) {
  const bool websocket = example.starts_with("ws");
  const std::string_view scheme = websocket ? "ws" : "http";
  const std::size_t colon = url.find("://");
  const std::string_view asked = url.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view() : url.substr(colon + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#\\"));
  if (authority.empty() || (asked != scheme && asked != (websocket ? "wss" : "https")))
    return fmt::format("must be {0}:// or {0}s:// and a host, such as {1}", scheme, example);
  if (has_blanks(url)) return "must not contain white space or control characters";
  return authority_complaint(authority);
}

std::string proxy_complaint(std::string_view proxy) {
  static constexpr std::array<std::string_view, 6> kSchemes{"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
  if (proxy.empty()) return "";
  if (has_blanks(proxy)) return "must not contain white space or control characters";
  const std::size_t colon = proxy.find("://");
  const bool known =
      colon == std::string_view::npos ||
      std::find(kSchemes.begin(), kSchemes.end(), base::lower_case(proxy.substr(0, colon))) != kSchemes.end();
  if (!known) return "must begin with http://, https:// or a kind of socks";
  const std::string_view rest = colon == std::string_view::npos ? proxy : proxy.substr(colon + 3);
  return authority_complaint(rest.substr(0, rest.find_first_of("/?#\\")));
}

std::string method_complaint(std::string_view method) {
  if (method.empty()) return "must not be empty";
  return is_token(method) ? "" : "must be one word such as GET, without blanks and control characters";
}

std::string header_complaint(std::string_view name, std::string_view value) {
  // RFC 9112, 6 and 9110, 7.6.1.
  static constexpr std::array<std::string_view, 8> kFraming{
      "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
      "Upgrade"};
  if (!is_token(name)) return "has a name that is none: letters, digits and !#$%&'*+-.^_`|~ are allowed";
  if (std::any_of(value.begin(), value.end(), [](char c) { return is_control(c) && c != '\t'; }))
    return fmt::format("has a line break or another control character in the value of {}", name);
  const bool framing = std::any_of(kFraming.begin(), kFraming.end(),
                                   [&](std::string_view header) { return base::same_word(name, header); });
  return framing ? fmt::format("has {}, which is written by the agent itself; leave it out", name) : "";
}

std::string variable_complaint(std::string_view name, std::string_view value) {
  if (name.empty()) return "has a variable without a name";
  if (name.find_first_of(std::string_view("=\0", 2)) != std::string_view::npos)
    return fmt::format("has '{}', and no variable has = in its name", name);
  return value.find('\0') == std::string_view::npos ? "" : fmt::format("has a zero byte in the value of {}", name);
}

}  // namespace config
