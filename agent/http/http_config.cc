#include "http/http_config.h"

#include "base/ascii.h"
#include "config/request.h"
#include "net/tls/tls_config.h"

namespace http {
namespace {

const config::Schema<HeaderValues>& header_values_schema() {
  static const auto schema =
      config::Schema<HeaderValues>("http_headers")
          .optional("values", &HeaderValues::values, "Lines of the header.")
          .optional("secrets", &HeaderValues::secrets, "Further lines, which are secrets.")
          .optional("files", &HeaderValues::files, "Files with a further line each; read for each request.")
          .withholds({"values"});
  return schema;
}

void check_client(const HttpConfig& client, const config::Complain& complain) {
  if (client.basic_auth && client.authorization) complain("authorization", "cannot stand beside basic_auth");
  if (client.oauth2 && (client.basic_auth || client.authorization))
    complain("oauth2", "cannot stand beside basic_auth or authorization");
}

void check_headers(const HttpConfig& client, const config::Complain& complain) {
  for (const auto& [name, lines] : client.http_headers) {
    if (base::same_word(name, "Authorization"))
      complain("http_headers", "has Authorization; write authorization, basic_auth or oauth2");
    Headers all{{name, ""}};  // the name is asked for in any case
    for (const std::string& value : lines.values) all.emplace_back(name, value);
    for (const base::Secret& secret : lines.secrets) all.emplace_back(name, secret.reveal());
    if (const std::string why = config::headers_complaint(all); !why.empty()) complain("http_headers", why);
  }
}

}  // namespace

const config::Schema<HttpConfig>& http_client_schema() {
  static const auto schema =
      config::Schema<HttpConfig>("http_client")
          .optional("tls_config", &HttpConfig::tls_config, net::tls_schema(), "How to speak TLS.")
          .optional("basic_auth", &HttpConfig::basic_auth, basic_auth_schema(), "User and password to send.")
          .optional("authorization", &HttpConfig::authorization, authorization_schema(), "A token to send.")
          .optional("oauth2", &HttpConfig::oauth2, oauth2_schema(),
                    "Fetch a token to send by the client credentials grant; kept until shortly before it expires, "
                    "fetched again once when it is refused. Its fetching takes of the request's time.")
          .refuses("bearer_token", "is the older way: write authorization: {credentials: ...}")
          .refuses("bearer_token_file", "is the older way: write authorization: {credentials_file: ...}")
          .inlined(&HttpConfig::proxy, proxy_schema())
          .optional("follow_redirects", &HttpConfig::follow_redirects,
                    "Follow up to ten redirects; false: the redirect is the answer.")
          .check(check_client);
  return schema;
}

const config::Schema<HttpConfig>& http_config_schema() {
  static const auto schema = [] {
    config::Schema<HttpConfig> all = http_client_schema();
    all.optional("enable_http2", &HttpConfig::enable_http2, "Offer HTTP/2 over TLS.")
        .named("http_headers", &HttpConfig::http_headers, header_values_schema(),
               "Further headers, by name: {X-Shop: {values: [eu], secrets: [...], files: [...]}}. Those of secrets and "
               "files stay with the host that they were meant for.")
        .check(check_headers);
    return all;
  }();
  return schema;
}

}  // namespace http
