// What an HTTP answer must be like: settings, and the verdict as a pure function of an answer.
#pragma once

#include <string>
#include <vector>

#include "config/schema.h"
#include "http/http_client.h"
#include "model/outcome.h"
#include "probe/common/values.h"
#include "probe/http/json_check.h"

namespace probe {

// 200, "200-204" or "2xx".
struct StatusRange {
  int from = 200;
  int to = 299;
};
bool read(const config::Node& node, StatusRange& out, std::string& why);
std::string show(const StatusRange& value);

struct HeaderMatch {
  std::string header;
  Pattern regexp;
  bool allow_missing = false;
};
const config::Schema<HeaderMatch>& header_match_schema();

struct HttpChecks {
  std::vector<StatusRange> valid_status_codes{StatusRange{}};
  std::vector<std::string> valid_http_versions;  // "HTTP/1.1", "HTTP/2.0"; empty: any
  std::vector<Pattern> fail_if_body_matches_regexp;
  std::vector<Pattern> fail_if_body_not_matches_regexp;
  std::vector<HeaderMatch> fail_if_header_matches;
  std::vector<HeaderMatch> fail_if_header_not_matches;
  std::vector<JsonCheck> json;
  base::Millis max_duration{0};  // 0: the timeout is the limit
  bool fail_if_ssl = false;
  bool fail_if_not_ssl = false;
  bool authenticated = false;  // credentials were sent: 401 and 403 mean that they were refused
};

// Up, or the first thing that is wrong: no answer, status, TLS, headers, body, JSON, time. `expected`: see
// failed_json_check.
model::Outcome judge_http(const HttpChecks& checks, const http::HttpResponse& response, base::Duration took,
                          const ExpectedScalar& expected = nullptr);

// All of the blackbox exporter's measurements of one answer.
void measure_http(const http::HttpResponse& response, model::Reason reason, Measurements& out);

}  // namespace probe
