// Has Patroni make another member the primary of a PostgreSQL cluster, if the server of the asked Patroni is the
// primary (https://patroni.readthedocs.io/en/latest/rest_api.html). What it waits for, and which replica is fit,
// Patroni decides; that the cluster has another leader afterwards is the proof. The words for a primary differ between
// its versions: the status of /primary counts.
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "config/redact.h"
#include "config/request.h"
#include "config/schema.h"
#include "encoding/json_value.h"
#include "http/http_config.h"
#include "http/json_api.h"
#include "loop/scheduler.h"
#include "recover/action.h"
#include "recover/types/api_error.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr base::Duration kLook = 1s;
constexpr std::size_t kShown = 200;

struct Settings {
  std::string url, candidate;
  http::HttpConfig http;
};

const config::Schema<Settings>& schema() {
  static const auto schema =
      config::Schema<Settings>("patroni")
          .required("url", &Settings::url,
                    "REST API of the Patroni on this node: http://HOST:PORT or https://. Unless its server is the "
                    "primary, nothing is done.")
          .optional("candidate", &Settings::candidate,
                    "Name of the member that becomes the primary. Empty: Patroni chooses.")
          .inlined(&Settings::http, http::http_config_schema())
          .shows({"candidate"})
          .check([](const Settings& s, const config::Complain& complain) {
            if (const std::string why = config::url_complaint(s.url, "http://127.0.0.1:8008"); !why.empty())
              complain("url", why);
          });
  return schema;
}

// The member that leads, as /cluster has it; of a standby cluster, too.
std::string leader_of(const json& cluster) {
  const json& members = member(cluster, "members");
  if (!members.is_array()) return "";
  for (const json& each : members) {
    const std::string role = text_of(member(each, "role"));
    if (role == "leader" || role == "standby_leader") return base::foreign_text(text_of(member(each, "name")), kShown);
  }
  return "";
}

bool is_on(const json& value) { return value.is_boolean() && value.get<bool>(); }

class Switchover final : public loop::Registration {
 public:
  Switchover(const Context& context, const http::JsonApi& patroni, const Settings& settings, const Trigger& trigger,
             std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : context_(context),
        patroni_(patroni),
        settings_(settings),
        what_(std::move(what)),
        stopped_(trigger.stopped),
        deadline_(deadline),
        done_(std::move(done)) {
    ask("GET", "/primary", "", [this](const http::HttpResponse& response) { found(response); });
  }

 private:
  void ask(const char* method, const char* path, std::string body,
           std::function<void(const http::HttpResponse&)> then) {
    pending_ =
        patroni_.ask(*context_.http, context_.scheduler,
                     {.method = method, .path = path, .body = std::move(body), .deadline = deadline_}, std::move(then));
  }

  void found(const http::HttpResponse& response) {
    if (http::has_status(response, 503)) return end(ActionStatus::ok, "the server here is not the primary");
    if (!http::is_good(response)) return broken("/primary", response);
    ask("GET", "/cluster", "", [this](const http::HttpResponse& cluster) { begin(cluster); });
  }

  void begin(const http::HttpResponse& response) {
    if (!http::is_good(response)) return broken("/cluster", response);
    const json cluster = encoding::read_json(response.body);
    leader_ = leader_of(cluster);
    if (leader_.empty()) return end(ActionStatus::failed, "the cluster has no leader");
    if (is_on(member(cluster, "pause")))
      return end(ActionStatus::refused, "Patroni is paused: people work on the cluster");
    if (member(cluster, "scheduled_switchover").is_object())
      return end(ActionStatus::refused, "people have scheduled a switchover already");
    if (const auto why = stopped_()) return end(ActionStatus::refused, *why + "; nothing was changed");
    json wanted{{"leader", leader_}};
    if (!settings_.candidate.empty()) wanted["candidate"] = settings_.candidate;
    ask("POST", "/switchover", wanted.dump(-1, ' ', false, json::error_handler_t::replace),
        [this](const http::HttpResponse& answer) {
          if (!http::is_good(answer)) return broken("/switchover", answer);
          look();
        });
  }

  // The API of the old primary may be away for a moment. A look that fails is made again.
  void look() {
    ask("GET", "/cluster", "", [this](const http::HttpResponse& response) {
      const std::string leader =
          http::is_good(response) ? leader_of(encoding::read_json(response.body)) : std::string();
      if (!leader.empty() && leader != leader_)
        return end(ActionStatus::ok, fmt::format("{} is the primary now, {} was it", leader, leader_));
      if (context_.scheduler.now() + kLook >= deadline_)
        return end(ActionStatus::timeout, fmt::format("no other member than {} leads", leader_));
      pending_ = context_.scheduler.after(kLook, [this] { look(); });
    });
  }

  void broken(const char* path, const http::HttpResponse& response) {
    end(api_error(response, fmt::format("{}: {}", path, patroni_.complaint(response))));
  }

  // Destroys this object, as a rule.
  void end(ActionResult result) {
    result.text = what_ + ": " + result.text;
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }
  void end(ActionStatus status, std::string text) { end({status, std::move(text)}); }

  const Context& context_;
  const http::JsonApi& patroni_;
  const Settings& settings_;
  std::string what_;
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_;
  std::function<void(ActionResult)> done_;
  std::string leader_;  // before
  loop::Handle pending_;
};

class Patroni final : public Action {
 public:
  Patroni(Settings settings, http::JsonApi patroni) : settings_(std::move(settings)), patroni_(std::move(patroni)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(
        std::make_unique<Switchover>(context, patroni_, settings_, trigger, text(), deadline, std::move(done)));
  }
  std::string text() const override {
    return settings_.candidate.empty() ? "patroni switchover" : "patroni switchover to " + settings_.candidate;
  }
  std::string target() const override { return "patroni " + settings_.url; }

 private:
  Settings settings_;
  http::JsonApi patroni_;
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse(node, path, errors);
  http::ConfiguredClient client(settings.http, node, path, errors);
  if (errors.size() > before) return nullptr;
  while (settings.url.ends_with('/')) settings.url.pop_back();
  http::JsonApi patroni({settings.url, ""}, std::move(client), config::secrets_of(node));
  return std::make_unique<Patroni>(std::move(settings), std::move(patroni));
}

}  // namespace

extern const ActionType patroni_type;
const ActionType patroni_type{
    "patroni",
    "Has Patroni make another member the primary, where that of this node is it, and waits until another one leads.",
    "{patroni: {url: \"http://127.0.0.1:8008\", basic_auth: {username: fettle, password_file: "
    "/etc/fettle/patroni.password}}}",
    parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
