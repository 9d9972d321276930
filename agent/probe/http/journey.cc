// A customer's way through the shop: HTTP steps one after the other, each with what it must find and what the next ones
// need of it, and a clean-up that runs whatever happened. Cookies are kept for the length of the run.
#include <algorithm>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/credential.h"
#include "base/secret.h"
#include "config/request.h"
#include "encoding/url.h"
#include "http/configured_client.h"
#include "http/cookie_jar.h"
#include "http/http_client.h"
#include "loop/scheduler.h"
#include "net/tls/peer_chain.h"
#include "probe/common/probe_schema.h"
#include "probe/common/stream_probe.h"
#include "probe/http/journey_step.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

constexpr int kMostRedirects = 10;

struct JourneySettings {
  std::string base_url;
  std::vector<JourneyStep> steps;
  HeaderTemplates headers;
  Variables variables;
  std::map<std::string, std::string> variable_files;
  std::string unix_socket;
  IpProtocol ip_protocol;
  std::size_t body_limit = 256 * 1024;
  http::HttpConfig client{.enable_http2 = false};
};

void read_variables(const config::Node& node, JourneySettings& out, const std::string& path, config::Errors& errors) {
  if (!node.is_mapping()) return errors.add(node.mark(), path, config::expected("a mapping", node));
  for (const auto& [key, value] : node.entries()) {
    const std::string here = path + "." + key.scalar();
    if (!is_variable_name(key.scalar())) {
      errors.add(key.mark(), here, "'" + key.scalar() + "' is no name of a variable; use letters, digits and _");
    } else if (!value.is_scalar()) {
      errors.add(value.mark(), here, config::expected("a string or a number", value));
    } else {
      // A plain number or truth value is one in JSON, too; its own text tells.
      const auto json = Template::parse_json(value);
      out.variables[key.scalar()] = {value.scalar(), json && !json->fill({}).value_or("\"").starts_with('"')};
    }
  }
}

const config::Schema<JourneySettings>& schema() {
  static const auto schema =
      probe_schema<JourneySettings>("journey")
          .optional("base_url", &JourneySettings::base_url, "What stands before urls that begin with /.")
          .reach(config::Reach::listed, config::ValueFormat::url)
          .list("steps", &JourneySettings::steps, journey_step_schema(), "The steps, in their order; at least one.")
          .custom("headers", "Headers of all requests, by name.", "{}",
                  [](const config::Node& node, JourneySettings& out, const std::string& path, config::Errors& errors) {
                    read_header_templates(node, out.headers, path, errors);
                  })
          .custom("variables", "Values to write as ${name} in urls, headers, bodies and expected values.", "{}",
                  read_variables)
          .optional("variable_files", &JourneySettings::variable_files,
                    "Variables whose values are in files, such as passwords; read at each run.")
          .optional("unix_socket", &JourneySettings::unix_socket,
                    "Unix socket to connect to in place of the URLs' hosts.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("ip_protocol", &JourneySettings::ip_protocol, "Addresses to use: any, ip4 or ip6.")
          .reach(config::Reach::listed)
          .optional("body_limit", &JourneySettings::body_limit, "Longest body in bytes; a longer one is too_large.")
          .inlined(&JourneySettings::client, http::http_client_schema())
          .check([](const JourneySettings& journey, const config::Complain& complain) {
            if (journey.steps.empty()) complain("steps", "needs at least one step");
            if (const std::string why =
                    journey.base_url.empty() ? "" : config::url_complaint(journey.base_url, "http://127.0.0.1:8080");
                !why.empty())
              complain("base_url", why);
            const http::HttpConfig& client = journey.client;
            const char* login = client.basic_auth ? "basic_auth" : client.authorization ? "authorization" : "oauth2";
            if (journey.base_url.empty() && (client.basic_auth || client.authorization || client.oauth2))
              complain(login, "needs base_url: it is sent to that host only");
            if (!journey.unix_socket.empty() && journey.unix_socket[0] != '/')
              complain("unix_socket", "must be an absolute path");
            if (journey.body_limit == 0) complain("body_limit", "must be at least 1");
            for (const auto& [name, file] : journey.variable_files) {
              if (!is_variable_name(name))
                complain("variable_files", "'" + name + "' is no name of a variable; use letters, digits and _");
              if (journey.variables.contains(name))
                complain("variable_files", "'" + name + "' stands in variables already");
            }
          });
  return schema;
}

struct Prepared {
  JourneySettings settings;
  std::optional<http::ConfiguredClient> client;
  std::string target;
  std::set<std::string> private_captures;
};

// What steps capture to log in with: by its name, from a cookie, or for a header that is not for everybody. Other
// captures (a price) are compared and shown.
std::set<std::string> private_captures(const std::vector<JourneyStep>& steps) {
  std::set<std::string> in_headers, out;
  for (const JourneyStep& step : steps)
    for (const auto& [name, value] : step.request.headers)
      if (!base::is_public_header(name))
        for (const std::string& used : value.variables()) in_headers.insert(used);
  for (const JourneyStep& step : steps)
    for (const auto& [name, capture] : step.capture)
      if (base::names_secret(name) || !capture.cookie.empty() || in_headers.contains(name)) out.insert(name);
  return out;
}

class JourneyProbe final : public Probe {
 public:
  JourneyProbe(const Context& context, const Prepared& prepared)
      : context_(context), prepared_(prepared), settings_(prepared.settings), variables_(settings_.variables) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    started_ = context_.scheduler.now();
    deadline_ = deadline;
    pending_ = context_.scheduler.after({}, [this] {
      if (read_files()) go_on();
    });
  }

  base::KnownSecrets learned() const override {
    base::KnownSecrets out = prepared_.client->learned();
    for (const std::string& name : prepared_.private_captures)
      if (const auto found = variables_.find(name); found != variables_.end()) out.add(found->second.text);
    for (const std::string& cookie : jar_.values()) out.add(cookie);
    return out;
  }

 private:
  bool read_files() {
    for (const auto& [name, file] : settings_.variable_files) {
      auto value = base::credential({}, file);
      if (!value) {
        end(failure_of(value.error(), Reason::agent_overloaded, "no value for ${" + name + "}: "));
        return false;
      }
      variables_[name] = {std::move(*value), false};
    }
    return true;
  }

  const JourneyStep& step() const { return settings_.steps[at_]; }

  // The next step that is to run, or the end.
  void go_on() {
    while (at_ < settings_.steps.size() && !runs(step())) ++at_;
    if (at_ < settings_.steps.size()) return begin();
    end(failure_ ? std::move(*failure_)
                 : Outcome::success(std::to_string(settings_.steps.size()) + " steps in " +
                                    in_words(context_.scheduler.now() - started_)));
  }

  // After a failure only the clean-up runs, as far as there is something to clean up.
  bool runs(const JourneyStep& step) const {
    if (!failure_) return true;
    if (!step.always) return false;
    const auto names = variables_of(step.request);
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) { return variables_.contains(name); });
  }

  // What a step that always runs may take: so much is kept free for it.
  base::Duration share(const JourneyStep& step) const {
    return step.timeout.count() > 0 ? base::Duration(step.timeout) : (deadline_ - started_) / 10;
  }

  base::Instant step_deadline() const {
    base::Duration kept{};
    for (std::size_t i = at_ + 1; i < settings_.steps.size(); ++i)
      if (settings_.steps[i].always) kept += share(settings_.steps[i]);
    const base::Instant latest = deadline_ - std::min(kept, (deadline_ - started_) / 2);
    const base::Instant own = step().timeout.count() > 0 ? step_began_ + step().timeout : latest;
    return std::min(own, latest);
  }

  void begin() {
    step_began_ = context_.scheduler.now();
    step_ends_ = step_deadline();
    redirects_ = 0;
    last_status_ = 0;
    if (step_ends_ <= step_began_)
      return conclude(Outcome::failure(Reason::too_slow, "the steps before it have taken all of the time"));
    if (const auto request = next_request(); !request)
      conclude(Outcome::failure(Reason::protocol_error, request.error().text));
    else ask();
  }

  base::Result<> next_request() {
    const StepRequest& from = step().request;
    request_ = {};
    request_.method = from.method;
    TRY(request_.url, from.url.fill(variables_));
    if (request_.url.starts_with("/")) request_.url = settings_.base_url + request_.url;
    for (const HeaderTemplates* headers : {&settings_.headers, &from.headers})
      for (const auto& [name, value] : *headers) {
        TRY(std::string text, value.fill(variables_));
        request_.headers.emplace_back(name, std::move(text));
      }
    if (from.body) {
      TRY(request_.body, from.body->fill(variables_));
      if (!from.content_type.empty() && !has_header("Content-Type"))
        request_.headers.emplace_back("Content-Type", from.content_type);
    }
    request_.unix_socket = settings_.unix_socket;
    request_.family = settings_.ip_protocol.family;
    request_.body_limit = settings_.body_limit;
    request_.max_redirects = 0;  // followed here, so that cookies of a redirect are kept
    return {};
  }

  // Who asks for TLS on the same host is told no less than without.
  static bool same_or_secured(const encoding::Url& from, const encoding::Url& to) {
    return from.origin() == to.origin() || (from.host == to.host && from.scheme == "http" && to.scheme == "https");
  }
  bool has_header(std::string_view name) const { return http::find_header(request_.headers, name) != nullptr; }

  void ask() {
    const auto url = encoding::parse_url(request_.url);
    if (!url) return conclude(Outcome::failure(Reason::protocol_error, "its url is no http:// or https:// address"));
    url_ = *url;
    http::HttpRequest request = request_;
    const std::string cookies = jar_.for_request(url_);
    if (!cookies.empty()) request.headers.emplace_back("Cookie", cookies);
    request.deadline = step_ends_;
    // What the probe logs in with is for its own host; a step that logs in by itself needs none.
    const auto own = encoding::parse_url(settings_.base_url);
    if (prepared_.client->authenticates() && own && same_or_secured(*own, url_) && !has_header("Authorization")) {
      pending_ = prepared_.client->request(context_.http, context_.scheduler, std::move(request),
                                           [this](base::Result<http::HttpResponse> r) {
                                             if (r) on_answer(*std::move(r));
                                             else conclude(failure_of(r.error(), Reason::auth_failed));
                                           });
      return;
    }
    prepared_.client->prepare(request);
    pending_ = context_.http.request(std::move(request), [this](http::HttpResponse r) { on_answer(std::move(r)); });
  }

  void on_answer(http::HttpResponse response) {
    add_phases(response.phases);
    if (response.tls_seen && !chain_) chain_ = response.chain;
    last_status_ = response.status;
    if (response.reason == Reason::none) {
      jar_.take(url_, response.headers, context_.scheduler.wall_now());
      if (follow(response)) return;
    }
    conclude(judge(response));
  }

  // True if another request was sent. Methods change as browsers change them (RFC 9110, 15.4).
  bool follow(http::HttpResponse& response) {
    const int status = response.status;
    if (!settings_.client.follow_redirects || !http::is_redirect(status)) return false;
    const std::string* location = http::find_header(response.headers, "Location");
    if (location == nullptr) return false;
    if (++redirects_ > kMostRedirects) {
      response.reason = Reason::protocol_error;
      response.text = "more than " + std::to_string(kMostRedirects) + " redirects";
      return false;
    }
    const bool was_post = request_.method == "POST";
    if ((status == 303 && request_.method != "HEAD") || (status < 303 && was_post)) {
      request_.method = "GET";
      request_.body.clear();
      std::erase_if(request_.headers, [](const auto& header) { return base::same_word(header.first, "Content-Type"); });
    }
    request_.url = encoding::resolved(url_, *location);
    // Credentials stay with the origin that they were meant for.
    if (const auto next = encoding::parse_url(request_.url); !next || !same_or_secured(url_, *next))
      std::erase_if(request_.headers, [](const auto& header) {
        return base::same_word(header.first, "Authorization") || base::same_word(header.first, "Cookie") ||
               base::same_word(header.first, "Host");
      });
    ask();
    return true;
  }

  Outcome judge(const http::HttpResponse& response) {
    const HttpChecks& expect = step().expect;
    Outcome outcome = judge_http(expect, response, context_.scheduler.now() - step_began_,
                                 [this](const JsonScalar& scalar) { return filled(scalar, variables_); });
    for (const auto& [name, capture] : step().capture) {
      if (!outcome.up) break;
      auto value = captured(capture, response, jar_);
      if (value) variables_[name] = std::move(*value);
      else
        outcome = Outcome::failure(capture.header.empty() && capture.cookie.empty() && capture.json.empty()
                                       ? Reason::body_mismatch
                                   : capture.json.empty() ? Reason::header_mismatch
                                                          : Reason::json_mismatch,
                                   "cannot capture " + name + ": " + value.error().text);
    }
    return outcome;
  }

  // The step is over.
  void conclude(Outcome outcome) {
    const model::Labels labels{{"step", step().name}};
    measured_.push_back({"probe_journey_step_success", outcome.up ? 1.0 : 0.0, labels});
    measured_.push_back(
        {"probe_journey_step_duration_seconds", model::duration_value(context_.scheduler.now() - step_began_), labels});
    measured_.push_back({"probe_journey_step_status_code", static_cast<double>(last_status_), labels});
    if (!outcome.up) {
      const std::string text = "step " + step().name + " (" + std::to_string(at_ + 1) + " of " +
                               std::to_string(settings_.steps.size()) + ", " + step().request.method + " " +
                               step().request.url.text() + "): " + outcome.text;
      if (failure_) failure_->text += "; then " + text;
      else failure_ = Outcome::failure(outcome.reason, text);
    }
    ++at_;
    go_on();
  }

  void end(Outcome outcome) {
    outcome.phases = std::move(phases_);
    outcome.measurements = std::move(measured_);
    outcome.measurements.push_back({"probe_journey_steps", static_cast<double>(settings_.steps.size()), {}});
    if (chain_) measure_chain(*chain_, outcome.measurements);
    std::exchange(done_, nullptr)(std::move(outcome));
  }

  void add_phases(const std::vector<model::Phase>& phases) {
    for (const model::Phase& phase : phases) {
      const auto known = std::find_if(phases_.begin(), phases_.end(),
                                      [&](const model::Phase& other) { return other.name == phase.name; });
      if (known == phases_.end()) phases_.push_back(phase);
      else known->took += phase.took;
    }
  }

  static std::string in_words(base::Duration d) { return base::format_duration(std::chrono::ceil<base::Millis>(d)); }

  const Context& context_;
  const Prepared& prepared_;
  const JourneySettings& settings_;
  Done done_;
  base::Instant started_{}, deadline_{};
  Variables variables_;
  http::CookieJar jar_;
  std::size_t at_ = 0;
  base::Instant step_began_{}, step_ends_{};
  int redirects_ = 0;
  int last_status_ = 0;
  http::HttpRequest request_;  // of the step, as it goes out next
  encoding::Url url_;
  std::optional<Outcome> failure_;  // the first step that failed
  Measurements measured_;
  std::vector<model::Phase> phases_;
  std::optional<net::PeerChain> chain_;
  loop::Handle pending_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  Prepared prepared;
  JourneySettings& journey = prepared.settings;
  journey = schema().parse(node, path, errors);
  while (journey.base_url.ends_with("/")) journey.base_url.pop_back();
  std::vector<std::string> known;
  for (const auto& [name, value] : journey.variables) known.push_back(name);
  for (const auto& [name, file] : journey.variable_files) known.push_back(name);
  for (const auto& [name, value] : journey.headers)
    for (const std::string& used : value.variables())
      if (std::find(known.begin(), known.end(), used) == known.end())
        errors.add(node.find("headers").mark(), path + ".headers." + name,
                   "there is no variable '" + used + "' from the beginning; set this header in the steps that have it");
  prepare_steps(journey.steps, std::move(known), journey.base_url, path + ".steps", errors);
  prepared.private_captures = private_captures(journey.steps);
  prepared.client.emplace(journey.client, node, path, errors);
  prepared.target =
      journey.base_url.empty() && !journey.steps.empty() ? journey.steps[0].request.url.text() : journey.base_url;
  prepared.target += " in " + std::to_string(journey.steps.size()) + " steps";
  return std::make_unique<PreparedSettings<JourneyProbe, Prepared>>(std::move(prepared));
}

}  // namespace

const Type journey_type{
    .name = "journey",
    .summary = "Goes a customer's way in several HTTP steps that hand on what they learn, and cleans up after itself.",
    .example = R"(name: checkout
type: journey
interval: 30s
timeout: 5s
base_url: http://127.0.0.1:8080
variables: {sku: A-1}
variable_files: {password: /etc/fettle/shop.password}
steps:
  - name: login
    request: {url: /login, json: {user: probe, password: "${password}"}}
    capture: {token: {json: token}}
  - name: cart
    request: {url: /carts, headers: {Authorization: "Bearer ${token}"}, json: {sku: "${sku}", quantity: 2}}
    expect: {status: 201}
    capture: {cart: {json: id}}
  - name: price
    timeout: 500ms
    request: {url: "/carts/${cart}/price", headers: {Authorization: "Bearer ${token}"}}
    expect: {json: [{path: total, greater_than: 0}], max_duration: 200ms}
    capture: {total: {json: total}}
  - name: order
    request: {url: "/orders?dry_run=1", headers: {Authorization: "Bearer ${token}"}, json: {cart: "${cart}"}}
    expect: {json: [{path: total, equals: "${total}"}]}
  - name: clean-up
    always: true
    request: {method: DELETE, url: "/carts/${cart}", headers: {Authorization: "Bearer ${token}"}}
    expect: {status: [204, 404]}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_journey_step_success", "probe_journey_step_duration_seconds",
                     "probe_journey_step_status_code", "probe_journey_steps"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"base_url", std::string(target)}};
    },
    .other_measurements = with_chain({}),
};

}  // namespace probe
