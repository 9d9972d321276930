#include "probe/http/http_checks.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/number.h"
#include "http/http_client.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

bool number(std::string_view text, int& out) {
  const auto value = base::read_number<int>(text);
  out = value.value_or(out);
  return value.has_value();
}

// "" if no value of the header is wrong.
std::string wrong_header(const HeaderMatch& match, const http::Headers& headers, bool must_match) {
  bool seen = false;
  for (const auto& [name, value] : headers) {
    if (!base::same_word(name, match.header)) continue;
    seen = true;
    if (!match.regexp.regex->found_in(value)) continue;
    if (must_match) return "";
    return "header " + match.header + " is '" + value + "', which matches " + match.regexp.regex->pattern();
  }
  if (!must_match || (!seen && match.allow_missing)) return "";
  return "header " + match.header + (seen ? " does not match " + match.regexp.regex->pattern() : " is missing");
}

Outcome wrong_status(const HttpChecks& checks, const http::HttpResponse& response) {
  const int status = response.status;
  std::string want;
  for (const StatusRange& range : checks.valid_status_codes) want += (want.empty() ? "" : ", ") + show(range);
  if (checks.authenticated && (status == 401 || status == 403))
    return Outcome::failure(response.without_credentials ? Reason::status_mismatch : Reason::auth_failed,
                            http::refused_credentials(response) + "; expected " + want);
  return Outcome::failure(Reason::status_mismatch, "status " + std::to_string(status) + ", expected " + want);
}

// As a status line has it: "HTTP/1.1"; HTTP/2, which has none, is "HTTP/2.0".
std::string protocol(const http::HttpResponse& response) {
  return "HTTP/" + response.version + (response.version.find('.') == std::string::npos ? ".0" : "");
}

// "Wed, 21 Oct 2015 07:28:00 GMT" or one of the older forms (RFC 9110, 5.6.7) in seconds since the epoch.
std::optional<double> last_modified(const http::Headers& headers) {
  const std::string* text = http::find_header(headers, "Last-Modified");
  if (text == nullptr) return std::nullopt;
  for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = ::strptime(text->c_str(), form, &parts);
    if (end != nullptr && *end == '\0') return static_cast<double>(::timegm(&parts));
  }
  return std::nullopt;
}

std::string in_words(base::Duration d) { return base::format_duration(std::chrono::ceil<base::Millis>(d)); }

}  // namespace

bool read(const config::Node& node, StatusRange& out, std::string& why) {
  const std::string& text = node.scalar();
  if (node.is_scalar()) {
    if (text.size() == 3 && text[0] >= '1' && text[0] <= '5' && text.substr(1) == "xx") {
      out.from = (text[0] - '0') * 100;
      out.to = out.from + 99;
      return true;
    }
    const std::size_t dash = text.find('-');
    StatusRange range;
    if (number(std::string_view(text).substr(0, dash), range.from)) {
      range.to = range.from;
      const bool whole = dash == std::string::npos || number(std::string_view(text).substr(dash + 1), range.to);
      if (whole && range.from >= 100 && range.to <= 999 && range.from <= range.to) {
        out = range;
        return true;
      }
    }
    why = "expected a status such as 200, 200-204 or 2xx, got '" + text + "'";
    return false;
  }
  why = config::expected("a status such as 200, 200-204 or 2xx", node);
  return false;
}

std::string show(const StatusRange& value) {
  if (value.from % 100 == 0 && value.to == value.from + 99) return std::to_string(value.from / 100) + "xx";
  if (value.from == value.to) return std::to_string(value.from);
  return std::to_string(value.from) + "-" + std::to_string(value.to);
}

const config::Schema<HeaderMatch>& header_match_schema() {
  static const auto schema =
      config::Schema<HeaderMatch>("header_match")
          .required("header", &HeaderMatch::header, "Name of the header; case does not matter.")
          .required("regexp", &HeaderMatch::regexp, "Regular expression to find in one of its values.")
          .optional("allow_missing", &HeaderMatch::allow_missing, "An answer without this header is fine.");
  return schema;
}

Outcome judge_http(const HttpChecks& checks, const http::HttpResponse& response, base::Duration took,
                   const ExpectedScalar& expected) {
  if (response.reason != Reason::none) return Outcome::failure(response.reason, response.text);
  const bool valid = std::any_of(checks.valid_status_codes.begin(), checks.valid_status_codes.end(),
                                 [&](StatusRange r) { return r.from <= response.status && response.status <= r.to; });
  if (!valid) return wrong_status(checks, response);
  const auto& versions = checks.valid_http_versions;
  if (!versions.empty() && std::find(versions.begin(), versions.end(), protocol(response)) == versions.end())
    return Outcome::failure(Reason::protocol_error,
                            "the answer came over " + protocol(response) + ", which valid_http_versions has not");
  if (checks.fail_if_ssl && response.tls_seen)
    return Outcome::failure(Reason::protocol_error, "the answer came over TLS, and fail_if_ssl is set");
  if (checks.fail_if_not_ssl && !response.tls_seen)
    return Outcome::failure(Reason::protocol_error, "the answer came without TLS, and fail_if_not_ssl is set");
  for (const HeaderMatch& match : checks.fail_if_header_matches)
    if (std::string wrong = wrong_header(match, response.headers, false); !wrong.empty())
      return Outcome::failure(Reason::header_mismatch, std::move(wrong));
  for (const HeaderMatch& match : checks.fail_if_header_not_matches)
    if (std::string wrong = wrong_header(match, response.headers, true); !wrong.empty())
      return Outcome::failure(Reason::header_mismatch, std::move(wrong));
  for (const Pattern& pattern : checks.fail_if_body_matches_regexp)
    if (pattern.regex->found_in(response.body))
      return Outcome::failure(Reason::body_mismatch, "the body matches " + pattern.regex->pattern());
  for (const Pattern& pattern : checks.fail_if_body_not_matches_regexp)
    if (!pattern.regex->found_in(response.body))
      return Outcome::failure(Reason::body_mismatch, "the body does not match " + pattern.regex->pattern());
  if (!checks.json.empty())
    if (std::string wrong = failed_json_check(checks.json, response.body, expected); !wrong.empty())
      return Outcome::failure(Reason::json_mismatch, std::move(wrong));
  if (checks.max_duration.count() > 0 && took > checks.max_duration)
    return Outcome::failure(Reason::too_slow, "took " + in_words(took) + ", longer than max_duration of " +
                                                  base::format_duration(checks.max_duration));
  return Outcome::success("status " + std::to_string(response.status) + " in " + in_words(took));
}

void measure_http(const http::HttpResponse& response, Reason reason, Measurements& out) {
  static const std::array<std::pair<std::string_view, model::Labels>, 5> phases{{
      {"resolve", {{"phase", "resolve"}}},
      {"connect", {{"phase", "connect"}}},
      {"tls", {{"phase", "tls"}}},
      {"processing", {{"phase", "processing"}}},
      {"transfer", {{"phase", "transfer"}}},
  }};
  out.reserve(out.size() + 20);
  for (const auto& [name, labels] : phases) {
    base::Duration took{};
    for (const model::Phase& phase : response.phases)
      if (phase.name == name) took += phase.took;
    out.push_back({"probe_http_duration_seconds", model::duration_value(took), labels});
  }
  out.push_back({"probe_http_status_code", static_cast<double>(response.status), {}});
  // Without an answer it has no length, not even an unknown one.
  const bool answered = response.status != 0;
  const bool may_have_body = answered && response.status != 204 && response.status != 304;
  const auto length = static_cast<double>(response.content_length);
  out.push_back({"probe_http_content_length", may_have_body ? length : std::max(length, 0.0), {}});
  out.push_back({"probe_http_uncompressed_body_length",
                 static_cast<double>(std::max(response.body.size(), response.body_size)),
                 {}});
  // One that was not to be followed was met all the same.
  const std::string* location = http::find_header(response.headers, "Location");
  const bool refused_redirect =
      response.redirects == 0 && http::is_redirect(response.status) && location != nullptr && !location->empty();
  out.push_back({"probe_http_redirects", refused_redirect ? 1.0 : static_cast<double>(response.redirects), {}});
  if (const auto modified = last_modified(response.headers))
    out.push_back({"probe_http_last_modified_timestamp_seconds", *modified, {}});
  out.push_back({"probe_http_ssl", response.tls_seen ? 1.0 : 0.0, {}});
  out.push_back({"probe_http_version", answered ? std::strtod(response.version.c_str(), nullptr) : 0.0, {}});
  const bool by_regex = reason == Reason::body_mismatch || reason == Reason::header_mismatch;
  out.push_back({"probe_failed_due_to_regex", by_regex ? 1.0 : 0.0, {}});
  measure_address(response.address, response.phases, out);
  if (response.tls_seen) measure_chain(response.chain, out);
}

}  // namespace probe
