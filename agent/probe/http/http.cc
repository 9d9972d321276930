// One HTTP request over TCP, TLS or a unix socket, and what its answer must be like.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "config/request.h"
#include "encoding/url.h"
#include "http/configured_client.h"
#include "http/header_lines.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/http/cel_check.h"
#include "probe/http/fetch.h"
#include "probe/http/http_checks.h"
#include "probe/http/plain_http.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct Http2Choice {
  http::Http2 choice = http::Http2::no;
};

bool read(const config::Node& node, Http2Choice& out, std::string& why) {
  static const std::vector<std::string> names{"false", "true", "required"};
  static constexpr std::array choices{http::Http2::no, http::Http2::offered, http::Http2::required};
  std::size_t index = 0;
  if (!config::read_one_of(node, names, index, why)) return false;
  out.choice = choices[index];
  return true;
}

std::string show(const Http2Choice& value) {
  return value.choice == http::Http2::no ? "false" : value.choice == http::Http2::offered ? "true" : "required";
}

// Of a body that nobody looks at.
constexpr std::size_t kShownBody = 4 * 1024;

struct HttpSettings {
  std::string url;
  std::string method = "GET";
  http::HeaderLines headers;
  std::string body;
  std::string unix_socket;
  IpProtocol ip_protocol;
  bool reuse_connection = false;
  Http2Choice http2;
  std::string compression;
  std::size_t body_limit = 10 * 1024 * 1024;
  http::HttpConfig client;
  HttpChecks checks;
  CelChecks cel;
};

// Keys whose values are members of the part that judges.
template <typename F>
config::Schema<HttpSettings>::Reader into_checks(F HttpChecks::*member) {
  return [member](const config::Node& node, HttpSettings& out, const std::string& path, config::Errors& errors) {
    using config::read;
    F value{};
    std::string why;
    if (read(node, value, why)) out.checks.*member = std::move(value);
    else errors.add(node.mark(), path, why);
  };
}

template <typename F>
config::Schema<HttpSettings>::Reader list_into_checks(std::vector<F> HttpChecks::*member,
                                                      const config::Schema<F>& inner) {
  return
      [member, &inner](const config::Node& node, HttpSettings& out, const std::string& path, config::Errors& errors) {
        if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list", node));
        std::size_t at = 0;
        for (const config::Node& item : node.items())
          (out.checks.*member).push_back(inner.parse(item, path + "[" + std::to_string(at++) + "]", errors));
      };
}

config::Schema<HttpSettings>::Reader into_cel(CelExpression CelChecks::*member) {
  return [member](const config::Node& node, HttpSettings& out, const std::string& path, config::Errors& errors) {
    read_cel(node, out.cel.*member, path, errors);
  };
}

void check(const HttpSettings& http, const config::Complain& complain) {
  if (const std::string why = config::url_complaint(http.url, "http://127.0.0.1:8081/healthz"); !why.empty())
    complain("url", why);
  if (const std::string why = config::method_complaint(http.method); !why.empty()) complain("method", why);
  if (!http.unix_socket.empty() && http.unix_socket[0] != '/') complain("unix_socket", "must be an absolute path");
  // curl 7.88 opens HTTP/2 anew on a kept connection when it knows it beforehand: "error in the framing layer".
  if (http.http2.choice == http::Http2::required && http.reuse_connection)
    complain("reuse_connection", "cannot stand beside http2: required");
  const auto& encodings = {"", "gzip", "br", "deflate", "identity"};
  if (std::find(encodings.begin(), encodings.end(), http.compression) == encodings.end())
    complain("compression", "must be gzip, br, deflate or identity");
  for (const std::string& version : http.checks.valid_http_versions)
    if (!version.starts_with("HTTP/"))
      complain("valid_http_versions", "has '" + version + "'; write HTTP/1.1 or HTTP/2.0");
  if (http.body_limit == 0) complain("body_limit", "must be at least 1");
}

const config::Schema<HttpSettings>& schema() {
  static const auto schema =
      probe_schema<HttpSettings>("http")
          .required("url", &HttpSettings::url, "What to ask for, with http:// or https://.")
          .reach(config::Reach::listed, config::ValueFormat::url)
          .optional("method", &HttpSettings::method, "Method of the request.")
          .reach(config::Reach::listed)
          .optional("headers", &HttpSettings::headers,
                    "Headers of the request, by name; a list for several of one name.")
          .reach(config::Reach::listed)
          .optional("body", &HttpSettings::body, "Body of the request.")
          .reach(config::Reach::listed)
          .optional("unix_socket", &HttpSettings::unix_socket, "Unix socket to connect to in place of the URL's host.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("ip_protocol", &HttpSettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("reuse_connection", &HttpSettings::reuse_connection,
                    "Keep the connection for the next run. Cheaper, but sees no trouble with accepting.")
          .optional("http2", &HttpSettings::http2,
                    "false; true: offer HTTP/2 over TLS; required: speak nothing else, also without TLS (h2c).")
          .reach(config::Reach::listed)
          .optional("compression", &HttpSettings::compression,
                    "Ask for the body in this encoding and decode it: gzip, br or deflate. Empty: as it comes.")
          .reach(config::Reach::listed)
          .optional(
              "body_limit", &HttpSettings::body_limit,
              "Longest body in bytes; a longer one is too_large. Where nothing looks at the body and this key is not "
              "given, a body of any length will do.")
          .inlined(&HttpSettings::client, http::http_client_schema())
          .custom("valid_status_codes", "Statuses that are fine: 200, 200-204, 2xx.", "[2xx]",
                  into_checks(&HttpChecks::valid_status_codes))
          .reach(config::Reach::label)
          .custom("valid_http_versions", "Protocols that are fine, such as HTTP/1.1 and HTTP/2.0; empty: any.", "[]",
                  into_checks(&HttpChecks::valid_http_versions))
          .reach(config::Reach::listed)
          .custom("fail_if_body_matches_regexp", "Regular expressions that must not be found in the body.", "[]",
                  into_checks(&HttpChecks::fail_if_body_matches_regexp))
          .reach(config::Reach::listed)
          .custom("fail_if_body_not_matches_regexp", "Regular expressions that must be found in the body.", "[]",
                  into_checks(&HttpChecks::fail_if_body_not_matches_regexp))
          .reach(config::Reach::listed)
          .custom("fail_if_body_json_matches_cel",
                  "CEL expression over the body's JSON, called body, that must not hold: body.queue.depth > 100.",
                  "none", into_cel(&CelChecks::matches))
          .custom("fail_if_body_json_not_matches_cel",
                  "CEL expression that must hold: body.nodes.all(n, n.state == 'up').", "none",
                  into_cel(&CelChecks::not_matches))
          .custom("fail_if_header_matches", "Headers and regular expressions that must not be found in them.", "[]",
                  list_into_checks(&HttpChecks::fail_if_header_matches, header_match_schema()))
          .custom("fail_if_header_not_matches", "Headers and regular expressions that must be found in them.", "[]",
                  list_into_checks(&HttpChecks::fail_if_header_not_matches, header_match_schema()))
          .custom("json", "What must be in the body's JSON: {path: status, equals: ok}.", "[]",
                  list_into_checks(&HttpChecks::json, json_check_schema()))
          .custom("max_duration", "Longest time that is still fine; the timeout ends the run, this fails it.",
                  "timeout", into_checks(&HttpChecks::max_duration))
          .reach(config::Reach::listed)
          .custom("fail_if_ssl", "Fail if the answer came over TLS.", "false", into_checks(&HttpChecks::fail_if_ssl))
          .reach(config::Reach::listed)
          .custom("fail_if_not_ssl", "Fail if the answer came without TLS.", "false",
                  into_checks(&HttpChecks::fail_if_not_ssl))
          .reach(config::Reach::listed)
          .shows({"http2"})
          .check(check);
  return schema;
}

// Everything of a run that is the same for all of them.
struct Prepared {
  http::HttpRequest request;
  std::optional<PlainRequest> plain;  // `request` as it goes without the library, if it can
  std::optional<http::ConfiguredClient> client;
  HttpChecks checks;
  CelChecks cel;
};

class HttpProbe final : public Probe {
 public:
  HttpProbe(const Context& context, const Prepared& prepared) : context_(context), prepared_(prepared) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    started_ = context_.scheduler.now();
    deadline_ = deadline;
    if (tokens()) return send_token();
    auto value = prepared_.client->authorization();
    if (!value) return refuse(value.error());
    authorization_ = *std::move(value);
    ask();
  }
  base::KnownSecrets learned() const override { return learned_by(*prepared_.client, cookies_); }

 private:
  // Null without oauth2.
  http::TokenSource* tokens() const { return prepared_.client->tokens(); }

  void ask() {
    // What would break out of its line is refused by the library.
    if (!prepared_.plain || authorization_.find_first_of("\r\n") != std::string::npos) return ask_library();
    exchange_ = std::make_unique<PlainExchange>(context_, *prepared_.plain, authorization_, deadline_,
                                                [this](http::HttpResponse r) { on_plain_answer(std::move(r)); });
  }

  void send_token() {
    authorization_ = tokens()->kept(context_.scheduler.now());
    if (!authorization_.empty()) return ask();
    fetched_ = true;
    const base::Instant began = context_.scheduler.now();
    token_ = std::make_unique<http::TokenRequest>(
        context_.http, context_.scheduler, *tokens(), deadline_, [this, began](base::Result<std::string> header) {
          token_took_ = context_.scheduler.now() - began;
          if (!header)
            return end(without_answer(
                failure_of(header.error(), Reason::auth_failed, "no token from " + tokens()->url() + ": ")));
          authorization_ = *std::move(header);
          ask();
        });
  }

  void ask_library(std::shared_ptr<const http::HttpResponse> answered = nullptr) {
    http::HttpRequest request = prepared_.request;
    request.answered = std::move(answered);
    request.deadline = deadline_;
    if (!authorization_.empty() && !encoding::names_user(request.url))
      request.headers.emplace_back("Authorization", authorization_);
    asking_ = context_.http.request(std::move(request), [this](http::HttpResponse r) { on_answer(std::move(r)); });
  }

  // The library knows how to follow a redirect, and asks for what it leads to.
  void on_plain_answer(http::HttpResponse response) {
    if (response.reason == Reason::none && http::is_redirect(response.status) && prepared_.request.max_redirects > 0)
      return ask_library(std::make_shared<const http::HttpResponse>(std::move(response)));
    on_answer(std::move(response));
  }

  void on_answer(http::HttpResponse response) {
    cookies_ = response.cookies;
    // A kept token that is refused may have been revoked: one fresh one is tried.
    if (tokens() && response.reason == Reason::none && response.status == 401) {
      asking_.reset();
      tokens()->forget();
      if (!fetched_) return send_token();
    }
    Outcome outcome = judge_http(prepared_.checks, response, context_.scheduler.now() - started_);
    bool by_cel = false;
    if (outcome.up && prepared_.cel.configured())
      if (std::string wrong = failed_cel_check(prepared_.cel, response.body); !wrong.empty()) {
        outcome = Outcome::failure(Reason::json_mismatch, std::move(wrong));
        by_cel = true;
      }
    measure_http(response, outcome.reason, outcome.measurements);
    if (prepared_.cel.configured()) outcome.measurements.push_back({"probe_failed_due_to_cel", by_cel ? 1.0 : 0.0, {}});
    outcome.phases = std::move(response.phases);
    end(std::move(outcome));
  }

  // With the measurements of a run that got no answer, as for any other reason.
  Outcome without_answer(Outcome outcome) const {
    measure_http({}, outcome.reason, outcome.measurements);
    if (prepared_.cel.configured()) outcome.measurements.push_back({"probe_failed_due_to_cel", 0.0, {}});
    return outcome;
  }

  void end(Outcome outcome) {
    if (tokens()) {
      outcome.phases.insert(outcome.phases.begin(), {"token", token_took_});
      outcome.measurements.push_back(
          {"probe_http_duration_seconds", model::duration_value(token_took_), {{"phase", "token"}}});
    }
    std::exchange(done_, nullptr)(std::move(outcome));
  }

  void refuse(base::Error why) {
    refusing_ = context_.scheduler.after({}, [this, why = std::move(why)] {
      end(without_answer(failure_of(why, Reason::agent_overloaded, "no credentials to send: ")));
    });
  }

  const Context& context_;
  const Prepared& prepared_;
  Done done_;
  base::Instant started_{};
  base::Instant deadline_{};
  std::string authorization_;
  std::vector<std::string> cookies_;
  std::unique_ptr<http::TokenRequest> token_;
  base::Duration token_took_{};
  bool fetched_ = false;  // a token, in this run
  std::unique_ptr<PlainExchange> exchange_;
  loop::Handle asking_;
  loop::Handle refusing_;
};

class Http final : public Settings {
 public:
  explicit Http(Prepared prepared) : prepared_(std::move(prepared)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<HttpProbe>(context, prepared_);
  }
  std::string target() const override {
    const http::HttpRequest& request = prepared_.request;
    return request.unix_socket.empty() ? request.url : request.url + " over " + request.unix_socket;
  }

 private:
  Prepared prepared_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  HttpSettings http = schema().parse(node, path, errors);
  Prepared prepared;
  http::HttpRequest& request = prepared.request;
  request.url = std::move(http.url);
  request.method = std::move(http.method);
  request.headers = std::move(http.headers.all);
  request.body = std::move(http.body);
  request.unix_socket = std::move(http.unix_socket);
  request.family = http.ip_protocol.family;
  request.body_limit = http.body_limit;
  request.reuse_connection = http.reuse_connection;
  request.accept_encoding = http.compression == "identity" ? "" : std::move(http.compression);
  request.must_be_encoded = !request.accept_encoding.empty();
  // Whoever gives a limit wants it kept; without one, what nobody looks at need not be kept.
  const HttpChecks& looks = http.checks;
  const bool looked_at = !looks.fail_if_body_matches_regexp.empty() || !looks.fail_if_body_not_matches_regexp.empty() ||
                         !looks.json.empty() || http.cel.configured();
  if (!looked_at && node.find("body_limit").is_null()) {
    request.counts_rest = true;
    request.body_limit = kShownBody;
  }
  prepared.client.emplace(std::move(http.client), node, path, errors);
  prepared.client->prepare(request);
  request.http2 = http.http2.choice;
  // A token is fetched by the library, and what is asked with it goes the same way.
  if (prepared.client->tokens() == nullptr) prepared.plain = plain_request(request);
  prepared.checks = std::move(http.checks);
  prepared.cel = std::move(http.cel);
  prepared.checks.authenticated = prepared.client->authenticates();
  return std::make_unique<Http>(std::move(prepared));
}

}  // namespace

const Type http_type{
    .name = "http",
    .summary = "Sends one HTTP request and checks status, headers, body and JSON of the answer.",
    .example = R"(name: http
type: http
url: http://127.0.0.1:8081/healthz
interval: 1s
timeout: 500ms
failure_threshold: 3
success_threshold: 2
valid_status_codes: [200, 204]
json:
  - {path: status, equals: ok}
  - {path: queue.depth, less_than: 100}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_http_duration_seconds", "probe_http_status_code", "probe_http_content_length",
                     "probe_http_uncompressed_body_length", "probe_http_redirects", "probe_http_ssl",
                     "probe_http_version", "probe_failed_due_to_regex", "probe_ip_protocol", "probe_ip_addr_hash",
                     "probe_dns_lookup_time_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"url", std::string(target)}};
    },
    .other_measurements = with_chain({"probe_http_last_modified_timestamp_seconds", "probe_failed_due_to_cel"}),
};

}  // namespace probe
