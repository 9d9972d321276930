#include "probe/http/fetch.h"

#include "config/request.h"
#include "net/tls/tls_config.h"
#include "probe/own_fault.h"

namespace probe {

using model::Outcome;
using model::Reason;

void check_fetch(const FetchSettings& fetch, const config::Complain& complain) {
  if (const std::string why = config::url_complaint(fetch.url, "http://127.0.0.1:8081/metrics"); !why.empty())
    complain("url", why);
  if (const std::string why = config::headers_complaint(fetch.headers); !why.empty()) complain("headers", why);
  if (const std::string why = config::proxy_complaint(fetch.proxy_url); !why.empty()) complain("proxy_url", why);
  if (!fetch.unix_socket.empty() && fetch.unix_socket[0] != '/') complain("unix_socket", "must be an absolute path");
  if (fetch.basic_auth && fetch.authorization) complain("authorization", "cannot stand beside basic_auth");
  if (fetch.body_limit == 0) complain("body_limit", "must be at least 1");
}

FetchRequest fetch_request(const FetchSettings& settings, const config::Node& node, const std::string& path,
                           config::Errors& errors) {
  FetchRequest fetch;
  http::HttpRequest& request = fetch.request;
  request.url = settings.url;
  request.headers.assign(settings.headers.begin(), settings.headers.end());
  request.unix_socket = settings.unix_socket;
  request.proxy = settings.proxy_url;
  request.family = settings.ip_protocol.family;
  request.body_limit = settings.body_limit;
  request.accept_encoding = "gzip";
  if (settings.tls_config != net::TlsSettings{})
    request.tls = net::tls_context(settings.tls_config, node, path, errors);
  fetch.basic_auth = settings.basic_auth;
  fetch.authorization = settings.authorization;
  return fetch;
}

void FetchProbe::start(base::Instant deadline, Done done) {
  done_ = std::move(done);
  http::HttpRequest request = request_.request;
  request.deadline = deadline;
  if (request_.basic_auth || request_.authorization) {
    auto value = request_.basic_auth ? header_value(*request_.basic_auth) : header_value(*request_.authorization);
    if (!value) {
      pending_ = context_.scheduler.after({}, [this, why = value.error()] {
        std::exchange(done_, nullptr)(failure_of(why, Reason::agent_overloaded, "no credentials to send: "));
      });
      return;
    }
    request.headers.emplace_back("Authorization", *std::move(value));
  }
  pending_ = context_.http.request(std::move(request), [this](http::HttpResponse r) { on_answer(r); });
}

void FetchProbe::on_answer(const http::HttpResponse& response) {
  Outcome outcome;
  const std::string status = "status " + std::to_string(response.status);
  const bool authenticated = request_.basic_auth || request_.authorization;
  if (response.reason != Reason::none) outcome = Outcome::failure(response.reason, response.text);
  else if (authenticated && (response.status == 401 || response.status == 403))
    outcome = Outcome::failure(Reason::auth_failed, status + ": the credentials were refused");
  else if (response.status / 100 != 2) outcome = Outcome::failure(Reason::status_mismatch, status + ", expected 2xx");
  else outcome = judge(response);
  outcome.phases = response.phases;
  if (response.tls_seen) measure_chain(response.chain, outcome.measurements);
  std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace probe
