// What a step of a journey takes from its answer for later steps: {json: data.token}, {header: Location, regexp: …}.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "config/schema.h"
#include "http/cookie_jar.h"
#include "http/http_client.h"
#include "probe/common/values.h"
#include "probe/http/template.h"

namespace probe {

struct Capture {
  std::string json;                   // path of a value in the body
  std::string header;                 // name of a header
  std::string cookie;                 // name of a cookie of the journey
  Pattern regexp;                     // found in what the others gave, else in the body
  std::optional<base::Regex> groups;  // `regexp` made to match everything, for its first group
};

const config::Schema<Capture>& capture_schema();

// Errors say what is missing: "there is no header Location".
base::Result<Variable> captured(const Capture& capture, const http::HttpResponse& response,
                                const http::CookieJar& cookies);

}  // namespace probe
