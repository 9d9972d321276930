// A service in the Consul agent of this node: registered there if it is not, with a TTL check that says how it stands,
// and why it is down. A drain is Consul's maintenance mode of the service, which takes it out of DNS and of all queries
// for what passes; one that people have switched on is theirs. What is registered outlives the agent: without it the
// check is critical when its TTL is over.
#include <fmt/format.h>

#include <utility>

#include "base/percent.h"
#include "base/text.h"
#include "config/schema.h"
#include "encoding/json_value.h"
#include "http/consul_server.h"
#include "loop/scheduler.h"
#include "recover/traffic/traffic.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr const char* kOurs = "fettle: ";  // in front of the reason of maintenance

struct Settings {
  http::ConsulServer consul;
  std::string name, id, address;
  int port = 0;
  std::vector<std::string> tags;
  std::map<std::string, std::string> meta;
  base::Millis ttl{30'000};
  base::Millis deregister_critical_service_after{0};
};

void check(const Settings& s, const config::Complain& complain) {
  if (s.port < 0 || s.port > 65'535) complain("port", "must be between 1 and 65535");
  // What is drained is durable, with these settings in clear text.
  const auto held = [](const auto& login, auto secret) { return login && !((*login).*secret).reveal().empty(); };
  if (held(s.consul.http.authorization, &http::Authorization::credentials))
    complain("authorization", "needs credentials_file here: a token in a file of its own");
  if (held(s.consul.http.basic_auth, &http::BasicAuth::password)) complain("basic_auth", "needs password_file here");
  if (held(s.consul.http.oauth2, &http::OAuth2::client_secret)) complain("oauth2", "needs client_secret_file here");
  for (const auto& [name, values] : s.consul.http.http_headers)
    if (!values.secrets.empty()) complain("http_headers", "needs files in place of secrets here");
  if (s.ttl < 3s) complain("ttl", "must be at least 3s: it is renewed three times in that time");
  const base::Millis after = s.deregister_critical_service_after;
  if (after != base::Millis{0} && after < 1min)
    complain("deregister_critical_service_after", "must be at least 1m, as Consul has it, or 0s for never");
}

const config::Schema<Settings>& schema() {
  static const auto schema = [] {
    auto keys =
        config::Schema<Settings>("consul")
            .optional("name", &Settings::name, "Name in Consul; empty: the service's name.")
            .optional("id", &Settings::id,
                      "Id in Consul; empty: fettle-NAME. One that is registered already gets fettle's check beside "
                      "its own, and nothing else of it changes.")
            .optional("address", &Settings::address, "Address that is registered; empty: that of the Consul agent.")
            .optional("port", &Settings::port, "Port that is registered; 0: none.")
            .optional("tags", &Settings::tags, "Tags that are registered.")
            .optional("meta", &Settings::meta, "Metadata that are registered.")
            .optional("ttl", &Settings::ttl,
                      "The check is critical when the agent has not renewed it for so long; it does so three times "
                      "in that time.")
            .optional("deregister_critical_service_after", &Settings::deregister_critical_service_after,
                      "Consul takes the service out of its catalogue when the check was critical for so long, such as "
                      "after fettle was removed; 0s: never.")
            .inlined(&Settings::consul, http::consul_server_schema())
            .check(check);
    keys.shows({"name", "id", "address", "tags", "meta"});
    return keys;
  }();
  return schema;
}

std::string seconds_of(base::Millis time) {
  return fmt::format("{}s", std::chrono::ceil<std::chrono::seconds>(time).count());
}

class ConsulService final : public Adapter {
 public:
  ConsulService(Settings settings, http::JsonApi api, const TrafficContext& context)
      : settings_(std::move(settings)),
        api_(std::move(api)),
        scheduler_(context.scheduler),
        http_(*context.http),
        check_id_("fettle:" + settings_.id) {}

  bool knows_drains() const override { return true; }
  // A Consul agent with an empty data folder knows nothing of it.
  bool can_forget() const override { return true; }

  loop::Handle apply(const DesiredState& to, base::Instant deadline, std::function<void(ApplyResult)> done) override {
    desired_ = to;
    deadline_ = deadline;
    done_ = std::move(done);
    changed_ = false;
    read_checks();
    struct Place final : loop::Registration {
      Place(ConsulService& s, std::uint64_t n) : service(s), number(n) {}
      ~Place() override {
        if (service.number_ == number) service.done_ = nullptr;
      }
      ConsulService& service;
      std::uint64_t number;
    };
    return loop::Handle(std::make_unique<Place>(*this, ++number_));
  }

  loop::Handle ask_drained(Flow, base::Instant deadline, std::function<void(std::string)> done) override {
    return api_.ask(http_, scheduler_, {.path = "/v1/agent/checks", .deadline = deadline},
                    [this, done = std::move(done)](const http::HttpResponse& response) {
                      done(http::is_good(response) ? taken_out(encoding::read_json(response.body)) : "");
                    });
  }
  loop::Handle look(base::Instant deadline, std::function<void(std::string)> done) override {
    return api_.ask(http_, scheduler_, {.path = "/v1/agent/checks", .deadline = deadline},
                    [this, done = std::move(done)](const http::HttpResponse& response) {
                      done(http::is_good(response) ? "" : api_.name() + ": " + api_.complaint(response));
                    });
  }

 private:
  std::string maintenance_id() const { return "_service_maintenance:" + settings_.id; }

  // ---- one change: what is there, registration, check, maintenance

  void ask(const char* method, const std::string& path, std::string body,
           std::function<void(const http::HttpResponse&)> then) {
    pending_ =
        api_.ask(http_, scheduler_, {.method = method, .path = path, .body = std::move(body), .deadline = deadline_},
                 [this, then = std::move(then)](const http::HttpResponse& response) {
                   const loop::Handle answered = std::move(pending_);  // the next request may follow
                   then(response);
                 });
  }
  void put(const std::string& path, const json& body, const std::function<void()>& then) {
    ask("PUT", path, body.is_null() ? "" : body.dump(-1, ' ', false, json::error_handler_t::replace),
        [this, path, then](const http::HttpResponse& response) {
          if (!http::is_good(response)) return failed("PUT", path, response);
          then();
        });
  }

  void read_checks() {
    ask("GET", "/v1/agent/checks", "", [this](const http::HttpResponse& response) {
      if (!http::is_good(response)) return failed("GET", "/v1/agent/checks", response);
      const json checks = encoding::read_json(response.body);
      if (!checks.is_object()) return answer({ActionStatus::failed, text() + ": the checks are no JSON object"});
      if (member(checks, check_id_.c_str()).is_object()) return update(checks);
      changed_ = true;
      look_for_service(checks);
    });
  }

  void look_for_service(const json& checks) {
    ask("GET", "/v1/agent/service/" + settings_.id, "", [this, checks](const http::HttpResponse& response) {
      const json own{
          {"CheckID", check_id_}, {"Name", "fettle"}, {"TTL", seconds_of(settings_.ttl)}, {"Status", word()}};
      if (http::is_good(response)) {
        json beside = own;
        beside["ID"] = check_id_;
        beside["ServiceID"] = settings_.id;
        return put("/v1/agent/check/register", beside, [this, checks] { update(checks); });
      }
      if (response.reason != model::Reason::none || response.status != 404)
        return failed("GET", "/v1/agent/service/" + settings_.id, response);
      put("/v1/agent/service/register", registration(own), [this, checks] { update(checks); });
    });
  }

  json registration(json own_check) const {
    if (settings_.deregister_critical_service_after > base::Millis{0})
      own_check["DeregisterCriticalServiceAfter"] = seconds_of(settings_.deregister_critical_service_after);
    json out{{"ID", settings_.id}, {"Name", settings_.name}, {"Tags", settings_.tags}, {"Meta", settings_.meta}};
    if (!settings_.address.empty()) out["Address"] = settings_.address;
    if (settings_.port > 0) out["Port"] = settings_.port;
    out["Check"] = std::move(own_check);
    return out;
  }

  // Unknown is not down: it is still served.
  const char* word() const {
    switch (desired_.health) {
      case model::Health::up: return "passing";
      case model::Health::down: return "critical";
      default: return "warning";
    }
  }
  std::string output() const {
    if (desired_.health == model::Health::up) return "up";
    if (desired_.health == model::Health::down) return desired_.text.empty() ? "down" : "down: " + desired_.text;
    return "no verdict yet";
  }

  void update(const json& checks) {
    put("/v1/agent/check/update/" + base::percent_encode(check_id_), {{"Status", word()}, {"Output", output()}},
        [this, checks] {
          renew_later();
          turn(checks);
        });
  }

  void turn(const json& checks) {
    const json& maintenance = member(checks, maintenance_id().c_str());
    const bool on = maintenance.is_object(), ours = text_of(member(maintenance, "Notes")).starts_with(kOurs);
    const bool wanted = desired_.flow == Flow::drained;
    if (on && wanted && !ours) {
      ApplyResult out{ActionStatus::ok, text() + " is in maintenance already"};
      out.externally_drained = out.as_before = true;
      return answer(std::move(out));
    }
    if (on == wanted || (on && !ours)) return end();
    changed_ = true;
    const std::string reason =
        wanted ? "&reason=" + base::percent_encode(std::string(kOurs) + "drained by a plan or a person") : "";
    put(fmt::format("/v1/agent/service/maintenance/{}?enable={}{}", settings_.id, wanted, reason), json(),
        [this] { end(); });
  }

  void end() {
    ApplyResult out{ActionStatus::ok, fmt::format("{} is {}{}", text(), word(),
                                                  desired_.flow == Flow::drained ? ", in maintenance" : "")};
    out.as_before = !changed_;
    answer(std::move(out));
  }

  // ---- between two changes

  void renew_later() {
    renewal_ = scheduler_.after(settings_.ttl / 3, [this] {
      renew_later();
      if (done_) return;  // a change is under way, which renews it
      deadline_ = scheduler_.now() + settings_.ttl / 3;
      read_checks();
    });
  }

  // ---- words

  std::string taken_out(const json& checks) const {
    const json& service = member(checks, maintenance_id().c_str());
    const json& node = member(checks, "_node_maintenance");
    const std::string reason = text_of(member(service.is_object() ? service : node, "Notes"));
    if (node.is_object() && !service.is_object())
      return fmt::format("the node is in Consul's maintenance mode ({}); to have it back: consul maint -disable",
                         base::first_line(reason, 200));
    if (!service.is_object() || reason.starts_with(kOurs)) return "";
    return fmt::format("{} is in maintenance, not by fettle ({}); to have it back: consul maint -disable -service={}",
                       text(), base::first_line(reason, 200), settings_.id);
  }

  void failed(const char* method, const std::string& path, const http::HttpResponse& response) {
    const bool refused = response.reason == model::Reason::none && response.status == 403;
    if (!renewal_) renew_later();
    answer({refused ? ActionStatus::refused : ActionStatus::failed,
            fmt::format("{}: {} {}: {}{}", text(), method, path, api_.complaint(response),
                        refused ? fmt::format("; the token needs service:write for {}", settings_.name) : "")});
  }
  std::string text() const { return "consul " + settings_.id; }
  void answer(ApplyResult applied) {
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(applied));
  }

  Settings settings_;
  http::JsonApi api_;
  loop::Scheduler& scheduler_;
  http::HttpClient& http_;
  std::string check_id_;
  DesiredState desired_;
  base::Instant deadline_{};
  bool changed_ = false;
  std::uint64_t number_ = 0;  // of the change
  std::function<void(ApplyResult)> done_;
  loop::Handle pending_, renewal_;
};

class ConsulPlace final : public TrafficPlace {
 public:
  ConsulPlace(Settings settings, http::JsonApi api) : settings_(std::move(settings)), api_(std::move(api)) {}
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string& service) const override {
    Settings named = settings_;
    if (named.name.empty()) named.name = service;
    if (named.id.empty()) named.id = "fettle-" + named.name;
    return std::make_unique<ConsulService>(std::move(named), api_, context);
  }
  bool follows_health() const override { return true; }
  std::string text() const override {
    return settings_.id.empty() ? "consul" + (settings_.name.empty() ? "" : " " + settings_.name)
                                : "consul " + settings_.id;
  }

 private:
  Settings settings_;
  http::JsonApi api_;
};

// It becomes a part of paths.
bool is_id(std::string_view id) { return id.empty() || http::is_plain_name(id); }

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse(node, path, errors);
  for (const auto& [key, value] : {std::pair{"id", settings.id}, {"name", settings.name}})
    if (!is_id(value))
      errors.add(node.find(key).mark(), path + "." + key,
                 fmt::format("'{}' must be letters, digits and _.- only", value));
  http::JsonApi api = http::consul_api(settings.consul, node, path, errors);
  if (errors.size() > before) return nullptr;
  return std::make_unique<ConsulPlace>(std::move(settings), std::move(api));
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType consul_traffic;
const TrafficType consul_traffic{
    "consul",
    "The service in Consul: registered with a TTL check that follows its health; drained by Consul's maintenance mode.",
    "{consul: {name: order, port: 8081, authorization: {credentials_file: /etc/fettle/consul.token}}}", reference,
    parse};

}  // namespace recover
