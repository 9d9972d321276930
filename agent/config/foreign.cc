#include "config/foreign.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/text.h"
#include "config/request.h"

namespace config {
namespace {

constexpr std::size_t kLongestWord = 128;
constexpr std::size_t kLongest = 2048;
constexpr std::string_view kSchemes[] = {"http", "https", "ws", "wss"};

template <typename Fits>
bool all(std::string_view text, Fits fits) {
  return std::all_of(text.begin(), text.end(), fits);
}
bool has_only(std::string_view text, std::string_view others) {
  return all(text, [&](char c) { return base::is_alphanumeric(c) || others.find(c) != std::string_view::npos; });
}

// . and .. as a part between slashes, or what becomes one beside the dots of others.
bool leads_up(std::string_view text) {
  if (text.find("..") != std::string_view::npos) return true;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    if (text.substr(at, end - at) == ".") return true;
    at = end + 1;
  }
  return false;
}

// HOST, HOST:PORT, [V6], [V6]:PORT.
std::string foreign_authority_complaint(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return "has user information in it, which only the template may have";
  if (text.starts_with('[') && text.find('%') != std::string_view::npos) return "names an interface of this node";
  if (text.ends_with(':')) return "has no port in digits behind its host";
  return authority_complaint(text);
}

// What may stand in a path when the path around it is the template's.
std::string path_part_complaint(std::string_view text) {
  if (!has_only(text, "-._~!'()*,:@/+=")) return "must be a path only: letters, digits and -._~!'()*,:@/+=";
  if (leads_up(text)) return "leads to another folder by its dots";
  if (text.find("//") != std::string_view::npos) return "has an empty part between two slashes";
  return "";
}

std::string foreign_url_complaint(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos ||
      std::find(std::begin(kSchemes), std::end(kSchemes), text.substr(0, colon)) == std::end(kSchemes))
    return "must begin with http://, https://, ws:// or wss://";
  if (text.size() > kLongest) return "is too long for a URL";
  std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#\\"), rest.size());
  if (const std::string why = foreign_authority_complaint(rest.substr(0, end)); !why.empty()) return why;
  rest.remove_prefix(end);
  if (!has_only(rest, "-._~!'()*,:@/+=?&%;")) return "has characters that no path and no query has";
  if (const std::string_view path = rest.substr(0, rest.find('?')); leads_up(path))
    return "leads to another folder by its dots";
  return "";
}

// A value within a URL: `before` is filled in already, `after` is what the template goes on with.
std::string part_of_url_complaint(std::string_view before, std::string_view value, std::string_view after) {
  if (value.empty()) return "is empty";
  if (value.size() > kLongest) return "is too long for a URL";
  const std::size_t scheme = before.find("://");
  if (scheme == std::string_view::npos) {
    if (before.starts_with('/')) return path_part_complaint(value);  // a path below a base that is written elsewhere
    if (!before.empty()) return "stands in a scheme, which only the template may have";
    if (after.starts_with("://"))
      return std::find(std::begin(kSchemes), std::end(kSchemes), value) == std::end(kSchemes)
                 ? "must be http, https, ws or wss"
                 : "";
    if (value.find('?') != std::string_view::npos && !after.empty()) return "has a query in the midst of a URL";
    return foreign_url_complaint(value);
  }
  const std::string_view rest = before.substr(scheme + 3);
  const std::size_t authority_end = rest.find_first_of("/?#");
  if (authority_end != std::string_view::npos) {
    if (rest.find('#') != std::string_view::npos || rest.find('?') != std::string_view::npos)
      return has_only(value, "-._~:/@,*!()'") ? "" : "must be one value: letters, digits and -._~:/@,*!()'";
    if (leads_up(value) || (rest.ends_with('.') && value.starts_with('.')))
      return "leads to another folder by its dots";
    return path_part_complaint(value);
  }
  const std::string_view authority_after = after.substr(0, after.find_first_of("/?#"));
  if (authority_after.find('@') != std::string_view::npos)
    return "stands for user information, which only the template may have";
  const bool at_end = authority_after.empty();
  const std::string_view host = rest.substr(rest.rfind('@') == std::string_view::npos ? 0 : rest.rfind('@') + 1);
  if (host.empty()) {
    if (at_end) return foreign_authority_complaint(value);
    const bool bracketed = value.front() == '[' && value.back() == ']';
    if (!bracketed && value.find(':') != std::string_view::npos)
      return "has a port, and the template goes on behind it";
    return foreign_authority_complaint(value);
  }
  // Behind the template's own host. A path may begin here; the host itself stays below what is written.
  if (value.front() == '/' && at_end && host.back() != '.' && host.back() != ':') return path_part_complaint(value);
  const std::size_t colon = host.rfind(':'), bracket = host.rfind(']');
  const bool behind_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos ? host.front() != '[' : colon > bracket);
  if (behind_port) return all(value, base::is_digit) ? "" : "must be digits of a port";
  if (value.front() == ':' && at_end && host.back() != '.')
    return value.size() > 1 && value.size() <= 6 && all(value.substr(1), base::is_digit)
               ? ""
               : "has no port in digits behind :";
  if (!has_only(value, host.back() == '.' || !at_end ? ".-_" : "-_"))
    return "would lead to another host than the template's";
  return value.find("..") != std::string_view::npos || value.front() == '.' ? "is no part of a host" : "";
}

std::string text_complaint(std::string_view value) {
  if (base::valid_utf8_prefix(value) != value.size()) return "is not UTF-8";
  if (!all(value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; }))
    return "has a line end or another control character in it";
  // A journey fills in variables of its own.
  if (value.find("${") != std::string_view::npos) return "has a placeholder in it";
  return "";
}

// A text that is a URL as a whole, whatever its key is; one that only has a URL in it is a text.
bool is_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || text.find_first_of(" \t\n\"'<>|;") != std::string_view::npos) return false;
  return has_only(text.substr(0, colon), "+.-") || (text.starts_with("${") && text.find('}') + 1 == colon);
}

std::string path_complaint(std::string_view value) {
  if (value.empty() || value.front() != '/') return "must be an absolute path";
  if (value.size() > kLongest) return "is too long for a path";
  if (leads_up(value)) return "leads to another folder by its dots";
  return text_complaint(value);
}

}  // namespace

std::string word_complaint(std::string_view before, std::string_view value, std::string_view after) {
  if (value.empty()) return "is empty";
  if (value.size() > kLongestWord) return fmt::format("is longer than {} characters", kLongestWord);
  if (!has_only(value, "_.@:-")) return "has other characters than letters, digits and _.@:-";
  const bool within = !before.empty() && (base::is_alphanumeric(before.back()) ||
                                          std::string_view("=_./:@,+").find(before.back()) != std::string_view::npos);
  if (value.front() == '-' && !within) return "begins with -, which would make it an option";
  if (leads_up(value) || (before.ends_with('.') && value.front() == '.') ||
      (after.starts_with('.') && value.back() == '.'))
    return "would lead to another folder by its dots";
  return "";
}

std::string foreign_complaint(std::string_view value, ValueFormat format) {
  switch (format) {
    case ValueFormat::word:
    case ValueFormat::arguments: return word_complaint("", value, "");
    case ValueFormat::host: return host_complaint(value);
    case ValueFormat::url: return foreign_url_complaint(value);
    case ValueFormat::path: return path_complaint(value);
    case ValueFormat::text: return text_complaint(value);
  }
  return "has no format";
}

base::Result<std::string> filled_in(std::string_view text, ValueFormat format, const ValueOf& value_of) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text.find('}', at);
    const bool begins = text.substr(at, 2) == "${" && close != std::string_view::npos;
    const std::string_view name = begins ? text.substr(at + 2, close - at - 2) : std::string_view();
    const auto value = begins ? value_of(name) : std::nullopt;
    if (!value) {
      out += text[at++];
      continue;
    }
    const std::string_view after = text.substr(close + 1);
    const bool whole = out.empty() && after.empty();
    const bool in_url = format == ValueFormat::url || (format != ValueFormat::text && is_url(text));
    const std::string why = in_url                        ? part_of_url_complaint(out, *value, after)
                            : format == ValueFormat::text ? text_complaint(*value)
                            : whole                       ? foreign_complaint(*value, format)
                                                          : word_complaint(out, *value, after);
    if (!why.empty()) {
      const bool shown = text_complaint(*value).empty();
      return base::fail(base::Kind::invalid,
                        fmt::format("${{{}}}{} {}", name, shown ? fmt::format(" is '{}', which", *value) : "", why));
    }
    out += *value;
    at = close + 1;
  }
  return out;
}

}  // namespace config
