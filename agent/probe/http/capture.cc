#include "probe/http/capture.h"

#include <utility>

#include "base/ascii.h"
#include "http/http_client.h"
#include "probe/http/json_check.h"

namespace probe {
namespace {

base::Result<Variable> source(const Capture& capture, const http::HttpResponse& response,
                              const http::CookieJar& cookies) {
  if (!capture.json.empty()) {
    TRY(JsonFound found, find_json(capture.json, response.body));
    return Variable{std::move(found.text), !found.string};
  }
  if (!capture.cookie.empty()) {
    if (auto value = cookies.find(capture.cookie)) return Variable{std::move(*value), false};
    return base::fail(base::Kind::not_found, "there is no cookie " + capture.cookie);
  }
  if (capture.header.empty()) return Variable{response.body, false};
  if (const std::string* value = http::find_header(response.headers, capture.header)) return Variable{*value, false};
  return base::fail(base::Kind::not_found, "there is no header " + capture.header);
}

}  // namespace

const config::Schema<Capture>& capture_schema() {
  static const auto schema =
      config::Schema<Capture>("capture")
          .optional("json", &Capture::json, "Path of a value in the answer's JSON: data.token, items[0].id.")
          .optional("header", &Capture::header, "Name of a header of the answer.")
          .optional("cookie", &Capture::cookie, "Name of a cookie that was set on the way.")
          .optional("regexp", &Capture::regexp,
                    "Regular expression to find in that, or in the body if nothing else is given; its first group is "
                    "taken, or all of it if it has none.")
          .shows({"json", "cookie"})
          .check([](const Capture& capture, const config::Complain& complain) {
            const int ways =
                (capture.json.empty() ? 0 : 1) + (capture.header.empty() ? 0 : 1) + (capture.cookie.empty() ? 0 : 1);
            if (ways > 1) complain("", "give one of json, header and cookie");
            if (ways == 0 && !capture.regexp.regex) complain("", "says nothing; add json, header, cookie or regexp");
            if (!parse_json_path(capture.json))
              complain("json", "is no path; write keys and indexes as in nodes[0].name");
          });
  return schema;
}

base::Result<Variable> captured(const Capture& capture, const http::HttpResponse& response,
                                const http::CookieJar& cookies) {
  TRY(Variable value, source(capture, response, cookies));
  if (!capture.groups) return value;
  const auto groups = capture.groups->groups_of_full_match(value.text);
  if (groups.empty()) return base::fail(base::Kind::not_found, "nothing matches " + capture.regexp.regex->pattern());
  return Variable{groups.size() > 2 ? groups[2] : groups[1], false};
}

}  // namespace probe
