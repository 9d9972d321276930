#include "http/oauth2.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/ascii.h"
#include "base/credential.h"
#include "base/number.h"
#include "base/percent.h"
#include "config/request.h"
#include "encoding/json_value.h"
#include "http/authorization.h"
#include "loop/scheduler.h"
#include "net/tls/tls_config.h"

namespace http {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A token that expires while a request is under way would be refused.
constexpr base::Duration kMargin = 10s;
constexpr std::size_t kLongestAnswer = 64 * 1024;

std::string text_of(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

// expires_in, a number or one in quotes; nothing if it says nothing.
std::optional<double> lifetime(const json& document) {
  const auto found = document.find("expires_in");
  if (found == document.end()) return std::nullopt;
  if (found->is_number()) return found->get<double>();
  const std::string text = text_of(document, "expires_in");
  return base::read_number<double>(text);
}

}  // namespace

const config::Schema<OAuth2>& oauth2_schema() {
  static const auto schema =
      config::Schema<OAuth2>("oauth2")
          .required("client_id", &OAuth2::client_id, "Name of the client.")
          .optional("client_secret", &OAuth2::client_secret, "The client's secret.")
          .optional("client_secret_file", &OAuth2::client_secret_file,
                    "File with the client's secret; read whenever a token is fetched.")
          .required("token_url", &OAuth2::token_url, "Where tokens are given out.")
          .optional("scopes", &OAuth2::scopes, "What the token is to allow.")
          .optional("endpoint_params", &OAuth2::endpoint_params, "Further parameters of the request for a token.")
          .optional("tls_config", &OAuth2::tls_config, net::tls_schema(), "How to speak TLS with the giver of tokens.")
          .inlined(&OAuth2::proxy, proxy_schema())
          .check([](const OAuth2& oauth2, const config::Complain& complain) {
            if (!oauth2.client_secret.empty() && !oauth2.client_secret_file.empty())
              complain("client_secret_file", "cannot stand beside client_secret");
            if (const std::string why = config::url_complaint(oauth2.token_url, "https://login.shop.example/token");
                !why.empty())
              complain("token_url", why);
            for (const auto& [name, value] : oauth2.endpoint_params)
              if (name == "grant_type" && value != "client_credentials")
                complain("endpoint_params", "has another grant_type; client_credentials is the one that is offered");
          });
  return schema;
}

TokenSource::TokenSource(OAuth2 client, const config::Node& node, const std::string& path, config::Errors& errors)
    : client_(std::move(client)) {
  if (client_.tls_config != net::TlsSettings{}) tls_ = net::tls_context(client_.tls_config, node, path, errors);
}

base::KnownSecrets TokenSource::given() const {
  base::KnownSecrets out;
  out.add(token_);
  out.add(token_before_);
  return out;
}

base::Result<HttpRequest> TokenSource::request(Style style) const {
  TRY(const std::string secret, base::credential(client_.client_secret, client_.client_secret_file));
  HttpRequest request;
  request.method = "POST";
  request.url = client_.token_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  request.tls = tls_;
  set_proxy(client_.proxy, request);
  request.body_limit = kLongestAnswer;
  request.max_redirects = 0;  // a secret goes nowhere else
  request.names_own_host = true;
  request.body = "grant_type=client_credentials";
  std::string scopes;
  for (const std::string& scope : client_.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  if (!scopes.empty()) request.body += "&scope=" + base::form_encode(scopes);
  for (const auto& [name, value] : client_.endpoint_params)
    if (name != "grant_type") request.body += "&" + base::form_encode(name) + "=" + base::form_encode(value);
  if (style == Style::body) {
    request.body +=
        "&client_id=" + base::form_encode(client_.client_id) + "&client_secret=" + base::form_encode(secret);
    return request;
  }
  // RFC 6749, 2.3.1: name and secret are encoded before they are joined.
  TRY(std::string header,
      header_value(BasicAuth{base::form_encode(client_.client_id), "", base::Secret(base::form_encode(secret)), ""}));
  request.headers.emplace_back("Authorization", std::move(header));
  return request;
}

base::Result<> TokenSource::take(const HttpResponse& response, base::Instant now) {
  if (response.reason != model::Reason::none)
    return base::fail(response.reason == model::Reason::agent_overloaded ? base::Kind::limit : base::Kind::unavailable,
                      response.text);
  const json document = encoding::read_json(response.body);
  const bool readable = document.is_object();
  if (response.status / 100 != 2) {
    const std::string error = readable ? text_of(document, "error") : "";
    const std::string more = readable ? text_of(document, "error_description") : "";
    return base::fail(base::Kind::protocol, "status " + std::to_string(response.status) +
                                                (error.empty() ? "" : ": " + error) +
                                                (more.empty() ? "" : " (" + more + ")"));
  }
  const std::string token = readable ? text_of(document, "access_token") : "";
  if (token.empty() || token.find_first_of("\r\n") != std::string::npos)
    return base::fail(base::Kind::protocol, "the answer has no access_token");
  const std::string type = text_of(document, "token_type");
  if (token != token_) token_before_ = std::exchange(token_, token);
  header_ = (type.empty() || base::same_word(type, "bearer") ? "Bearer" : type) + " " + token;
  const auto seconds = lifetime(document);
  // Without a word about its end a token is good until it is refused.
  constexpr double kLongest = 365.0 * 24 * 3600;
  good_until_ = !seconds ? base::Instant::max()
                         : now +
                               std::chrono::duration_cast<base::Duration>(
                                   std::chrono::duration<double>(std::clamp(*seconds, 0.0, kLongest))) -
                               kMargin;
  return {};
}

TokenRequest::TokenRequest(HttpClient& client, loop::Scheduler& scheduler, TokenSource& source, base::Instant deadline,
                           Done done)
    : client_(client), scheduler_(scheduler), source_(source), deadline_(deadline), done_(std::move(done)) {
  ask(source_.style_ == TokenSource::Style::body ? TokenSource::Style::body : TokenSource::Style::header);
}

void TokenRequest::ask(TokenSource::Style style) {
  auto request = source_.request(style);
  if (!request) {
    asking_ = scheduler_.after(
        {}, [this, error = request.error()] { std::exchange(done_, nullptr)(tl::unexpected<base::Error>(error)); });
    return;
  }
  request->deadline = deadline_;
  asking_ = client_.request(*std::move(request), [this, style](const HttpResponse& r) { on_answer(style, r); });
}

void TokenRequest::on_answer(TokenSource::Style style, const HttpResponse& response) {
  asking_.reset();
  const base::Instant now = scheduler_.now();
  const auto taken = source_.take(response, now);
  const bool refused = response.reason == model::Reason::none && (response.status == 400 || response.status == 401);
  if (!taken && refused && source_.style_ == TokenSource::Style::unknown && style == TokenSource::Style::header)
    return ask(TokenSource::Style::body);
  const auto done = std::exchange(done_, nullptr);
  if (!taken) return done(tl::unexpected<base::Error>(taken.error()));
  source_.style_ = style;
  done(source_.header_);
}

}  // namespace http
