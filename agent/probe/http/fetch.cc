#include "probe/http/fetch.h"

#include "config/request.h"
#include "http/http_client.h"
#include "probe/own_fault.h"

namespace probe {

using model::Outcome;
using model::Reason;

void check_fetch(const FetchSettings& fetch, const config::Complain& complain) {
  if (const std::string why = config::url_complaint(fetch.url, "http://127.0.0.1:8081/metrics"); !why.empty())
    complain("url", why);
  if (const std::string why = config::headers_complaint(fetch.headers); !why.empty()) complain("headers", why);
  if (!fetch.unix_socket.empty() && fetch.unix_socket[0] != '/') complain("unix_socket", "must be an absolute path");
  if (fetch.body_limit == 0) complain("body_limit", "must be at least 1");
}

FetchRequest fetch_request(const FetchSettings& settings, const config::Node& node, const std::string& path,
                           config::Errors& errors) {
  FetchRequest fetch;
  http::HttpRequest& request = fetch.request;
  request.url = settings.url;
  request.headers.assign(settings.headers.begin(), settings.headers.end());
  request.unix_socket = settings.unix_socket;
  request.family = settings.ip_protocol.family;
  request.body_limit = settings.body_limit;
  request.accept_encoding = "gzip";
  fetch.client.emplace(settings.client, node, path, errors);
  return fetch;
}

void FetchProbe::start(base::Instant deadline, Done done) {
  done_ = std::move(done);
  http::HttpRequest request = request_.request;
  request.deadline = deadline;
  pending_ = request_.client->request(
      context_.http, context_.scheduler, std::move(request), [this](const base::Result<http::HttpResponse>& response) {
        if (response) return on_answer(*response);
        std::exchange(done_, nullptr)(failure_of(response.error(), Reason::auth_failed));
      });
}

base::KnownSecrets learned_by(const http::ConfiguredClient& client, const std::vector<std::string>& cookies) {
  base::KnownSecrets out = client.learned();
  for (const std::string& cookie : cookies) out.add(cookie);
  return out;
}

void FetchProbe::on_answer(const http::HttpResponse& response) {
  cookies_ = response.cookies;
  Outcome outcome;
  const std::string status = "status " + std::to_string(response.status);
  if (response.reason != Reason::none) outcome = Outcome::failure(response.reason, response.text);
  else if (request_.client->authenticates() && (response.status == 401 || response.status == 403))
    outcome = Outcome::failure(response.without_credentials ? Reason::status_mismatch : Reason::auth_failed,
                               http::refused_credentials(response));
  else if (response.status / 100 != 2) outcome = Outcome::failure(Reason::status_mismatch, status + ", expected 2xx");
  else outcome = judge(response);
  outcome.phases = response.phases;
  if (response.tls_seen) measure_chain(response.chain, outcome.measurements);
  std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace probe
