#include "encoding/url.h"

#include <algorithm>

#include "base/ascii.h"

namespace encoding {
namespace {

// RFC 3986, 5.2.4.
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "/..") out.erase(std::min(out.rfind('/'), out.size()));
    else if (segment != "/.") out += segment;
    if (path.empty() && (segment == "/.." || segment == "/.")) out += '/';
  }
  return out.empty() ? "/" : out;
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  text = text.substr(0, text.find('#'));
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  url.scheme = text.substr(0, colon);
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text.remove_prefix(colon + 3);
  url.authority = text.substr(0, text.find_first_of("/?"));
  text.remove_prefix(url.authority.size());
  const std::size_t question = std::min(text.find('?'), text.size());
  url.path = question == 0 ? "/" : text.substr(0, question);
  url.query = text.substr(question);

  std::string_view host = url.authority;
  host = host.substr(host.find('@') == std::string_view::npos ? 0 : host.find('@') + 1);
  if (host.starts_with("[")) host = host.substr(1, host.find(']') - 1);
  else host = host.substr(0, host.find(':'));
  if (host.empty()) return std::nullopt;
  url.host = base::lower_case(host);
  return url;
}

std::string resolved(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (parse_url(reference)) return std::string(reference);
  if (reference.starts_with("//")) return base.scheme + ":" + std::string(reference);
  if (reference.empty()) return base.origin() + base.path + base.query;
  if (reference.starts_with("?")) return base.origin() + base.path + std::string(reference);
  const std::size_t question = std::min(reference.find('?'), reference.size());
  std::string path(reference.substr(0, question));
  if (!path.starts_with("/")) path = base.path.substr(0, base.path.rfind('/') + 1) + path;
  return base.origin() + without_dots(path) + std::string(reference.substr(question));
}

bool names_user(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view rest = url.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?#")).find('@') != std::string_view::npos;
}

}  // namespace encoding
