#include "http/cookie_jar.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/ascii.h"
#include "base/number.h"

namespace http {
namespace {

// RFC 6265, 5.1.3. An address belongs to no domain but itself.
bool within(std::string_view host, std::string_view domain) {
  if (host == domain) return true;
  const bool address =
      host.find(':') != std::string_view::npos || host.find_first_not_of("0123456789.") == std::string_view::npos;
  return !address && host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

// RFC 6265, 5.1.4.
bool below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
}

bool is_past(std::string_view date, base::WallTime now) {
  std::tm parts{};
  const std::string text(date);
  const char* const end = ::strptime(
      text.c_str(), text.find('-') == std::string::npos ? "%a, %d %b %Y %H:%M:%S" : "%a, %d-%b-%Y %H:%M:%S", &parts);
  return end != nullptr && static_cast<double>(::timegm(&parts)) <= base::seconds(now);
}

}  // namespace

void CookieJar::take(const encoding::Url& url, const Headers& headers, base::WallTime now) {
  for (const auto& [name, value] : headers)
    if (base::same_word(name, "Set-Cookie")) take_one(url, value, now);
}

void CookieJar::take_one(const encoding::Url& url, std::string_view text, base::WallTime now) {
  std::string_view pair = base::take_until(text, ';');
  if (pair.find('=') == std::string_view::npos) return;
  Cookie cookie;
  cookie.name = base::trim(base::take_until(pair, '='));
  cookie.value = base::trim(pair);
  cookie.domain = url.host;
  cookie.path = url.path.rfind('/') == 0 ? "/" : url.path.substr(0, url.path.rfind('/'));
  bool by_age = false, expired = false;
  while (!text.empty()) {
    std::string_view attribute = base::take_until(text, ';');
    const std::string key = base::lower_case(base::trim(base::take_until(attribute, '=')));
    std::string_view value = base::trim(attribute);
    if (key == "secure") cookie.secure = true;
    if (key == "path" && value.starts_with("/")) cookie.path = value;
    if (key == "max-age") {
      by_age = true;
      expired = base::leading_number<long>(value).value_or(1) <= 0;
    }
    if (key == "expires" && !by_age) expired = is_past(value, now);
    if (key == "domain" && !value.empty()) {
      if (value.front() == '.') value.remove_prefix(1);
      cookie.domain = base::lower_case(value);
      cookie.host_only = false;
    }
  }
  if (cookie.name.empty() || !within(url.host, cookie.domain)) return;
  std::erase_if(cookies_, [&](const Cookie& old) {
    return old.name == cookie.name && old.domain == cookie.domain && old.path == cookie.path;
  });
  if (!expired) cookies_.push_back(std::move(cookie));
}

std::string CookieJar::for_request(const encoding::Url& url) const {
  const bool safe =
      url.scheme == "https" || url.host == "localhost" || url.host == "::1" || url.host.starts_with("127.");
  std::string out;
  for (const Cookie& cookie : cookies_) {
    const bool to_host = cookie.host_only ? url.host == cookie.domain : within(url.host, cookie.domain);
    if (!to_host || !below(url.path, cookie.path) || (cookie.secure && !safe)) continue;
    out += (out.empty() ? "" : "; ") + cookie.name + "=" + cookie.value;
  }
  return out;
}

std::vector<std::string> CookieJar::values() const {
  std::vector<std::string> out;
  for (const Cookie& cookie : cookies_) out.push_back(cookie.value);
  return out;
}

std::optional<std::string> CookieJar::find(std::string_view name) const {
  for (const Cookie& cookie : cookies_)
    if (cookie.name == name) return cookie.value;
  return std::nullopt;
}

}  // namespace http
