// The cookies of one run with all its requests (RFC 6265, as far as a service on this node can tell the difference):
// set by answers, sent with the requests that they are for, gone with the run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "encoding/url.h"
#include "http/http_client.h"

namespace http {

class CookieJar {
 public:
  // Takes every Set-Cookie of an answer from `url`. A cookie for another domain is left out; one that has expired is
  // thrown away.
  void take(const encoding::Url& url, const Headers& headers, base::WallTime now);
  // The value of a Cookie header for a request to `url`; "" if there is none to send. Secure cookies go over TLS and to
  // this node itself, as in browsers.
  std::string for_request(const encoding::Url& url) const;
  std::optional<std::string> find(std::string_view name) const;
  std::vector<std::string> values() const;

 private:
  struct Cookie {
    std::string name, value;
    std::string domain;
    std::string path;
    bool host_only = true;
    bool secure = false;
  };
  void take_one(const encoding::Url& url, std::string_view text, base::WallTime now);

  std::vector<Cookie> cookies_;
};

}  // namespace http
