// Restarts or scales an app of Marathon, the scheduler of Apache Mesos, and follows the deployment to its end
// (https://mesosphere.github.io/marathon/docs/rest-api.html). A deployment that has left Marathon's list may also have
// failed or been cancelled: what the app itself says is the proof. Another deployment that holds the app is waited for,
// never cancelled by force: that leaves mixed versions.
#include <fmt/format.h>

#include <algorithm>
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
#include "recover/scaled_down.h"
#include "recover/types/api_error.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr base::Duration kLook = 1s;

struct Settings {
  std::string url;
  std::string restart, scale;
  std::int64_t instances = -1;
  http::HttpConfig http;

  std::string app() const { return restart.empty() ? scale : restart; }
};

// Segments with slashes between them; each of small letters, digits, dots and dashes, as Marathon has them.
bool is_app(std::string_view id) {
  if (id.starts_with('/')) id.remove_prefix(1);
  const bool known = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
  });
  return known && !id.empty() && !id.ends_with('/') && id.find("//") == std::string_view::npos &&
         id.find("..") == std::string_view::npos;
}

const config::Schema<Settings>& schema() {
  static const auto schema =
      config::Schema<Settings>("marathon")
          .required("url", &Settings::url, "Where Marathon is: http://HOST:PORT or https://.")
          .optional("restart", &Settings::restart, "App whose tasks are replaced: /shop/order.")
          .optional("scale", &Settings::scale, "App that gets another number of tasks; needs instances.")
          .optional("instances", &Settings::instances, "Tasks that scale asks for.")
          .fallback("none")
          .inlined(&Settings::http, http::http_config_schema())
          .shows({"restart", "scale"})
          .check([](const Settings& s, const config::Complain& complain) {
            if (const std::string why = config::url_complaint(s.url, "http://127.0.0.1:8080"); !why.empty())
              complain("url", why);
            if (s.restart.empty() == s.scale.empty())
              return complain("", "must have one of restart and scale, with an app's id");
            if (!is_app(s.app()))
              complain(s.restart.empty() ? "scale" : "restart",
                       fmt::format("'{}' is no id of an app, such as /shop/order", s.app()));
            if (s.scale.empty() && s.instances >= 0) complain("instances", "stands beside scale only");
            if (!s.scale.empty() && s.instances < 0) complain("scale", "needs instances, 0 or more");
          });
  return schema;
}

std::string path_of(const Settings& settings) {
  const std::string app = settings.app();
  return "/v2/apps/" + (app.starts_with('/') ? app.substr(1) : app);
}

// From the request to the end of its deployment.
class Deployment final : public loop::Registration {
 public:
  Deployment(const Context& context, const http::JsonApi& marathon, const Settings& settings, const Trigger& trigger,
             std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : context_(context),
        marathon_(marathon),
        settings_(settings),
        what_(std::move(what)),
        path_(path_of(settings)),
        stopped_(trigger.stopped),
        deadline_(deadline),
        done_(std::move(done)) {
    send();
  }

 private:
  void ask(const char* method, const std::string& path, std::string body,
           std::function<void(const http::HttpResponse&)> then) {
    pending_ = marathon_.ask(*context_.http, context_.scheduler,
                             {.method = method, .path = path, .body = std::move(body), .deadline = deadline_},
                             std::move(then));
  }
  // False if there is no time for it.
  bool later(std::function<void()> then) {
    if (context_.scheduler.now() + kLook >= deadline_) return false;
    pending_ = context_.scheduler.after(kLook, std::move(then));
    return true;
  }

  void send() {
    const bool scales = !settings_.scale.empty();
    const std::string path = scales ? path_ : path_ + "/restart";
    ask(scales ? "PUT" : "POST", path, scales ? json{{"instances", settings_.instances}}.dump() : "",
        [this, path](const http::HttpResponse& response) { sent(path, response); });
  }

  // People may have changed their mind while the deployment of others went on.
  void send_unless_stopped() {
    if (const auto why = stopped_())
      return end(ActionStatus::refused, *why + "; nothing was changed, another deployment holds the app");
    send();
  }

  void sent(const std::string& path, const http::HttpResponse& response) {
    if (http::has_status(response, 409)) {
      if (later([this] { send_unless_stopped(); })) return;
      return end(ActionStatus::failed, "another deployment holds the app: " + marathon_.complaint(response));
    }
    if (!http::is_good(response)) return broken(path, response);
    const json answer = encoding::read_json(response.body);
    id_ = text_of(member(answer, "deploymentId"));
    version_ = text_of(member(answer, "version"));
    if (id_.empty()) return end(ActionStatus::failed, "the answer has no deploymentId");
    look_later();
  }

  void look_later() {
    if (later([this] { look(); })) return;
    end(ActionStatus::timeout, fmt::format("deployment {} is not over, and goes on", id_));
  }

  // A look that fails is made again.
  void look() {
    ask("GET", "/v2/deployments", "", [this](const http::HttpResponse& response) {
      const json deployments = encoding::read_json(response.body);
      if (!http::is_good(response) || !deployments.is_array()) return look_later();
      const bool goes_on = std::any_of(deployments.begin(), deployments.end(), [this](const json& deployment) {
        return text_of(member(deployment, "id")) == id_;
      });
      if (goes_on) return look_later();
      prove();
    });
  }

  void prove() {
    ask("GET", path_ + "?embed=app.counts&embed=app.deployments", "", [this](const http::HttpResponse& response) {
      if (!http::is_good(response)) return look_later();
      const json document = encoding::read_json(response.body);
      const json& app = member(document, "app");
      const auto count = [&app](const char* name) { return number_of(member(app, name)).value_or(0); };
      const std::string version = text_of(member(app, "version"));
      const std::uint64_t wanted = count("instances"), running = count("tasksRunning");
      if (version != version_)
        return end(ActionStatus::failed,
                   fmt::format("deployment {} was cancelled: the app has version {}, not {}", id_, version, version_));
      if (running != wanted || count("tasksUnhealthy") > 0)
        return end(ActionStatus::failed,
                   fmt::format("deployment {} has ended with {} of {} tasks running, {} unhealthy", id_, running,
                               wanted, count("tasksUnhealthy")));
      end(ActionStatus::ok, fmt::format("done, {} of {} tasks run", running, wanted));
    });
  }

  void broken(const std::string& path, const http::HttpResponse& response) {
    end(api_error(response, path + ": " + marathon_.complaint(response)));
  }

  // Destroys this object, as a rule.
  void end(ActionResult result) {
    result.text = what_ + ": " + result.text;
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }
  void end(ActionStatus status, std::string text) { end({status, std::move(text)}); }

  const Context& context_;
  const http::JsonApi& marathon_;
  const Settings& settings_;
  std::string what_, path_;
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_;
  std::function<void(ActionResult)> done_;
  std::string id_, version_;  // of the deployment
  loop::Handle pending_;
};

class Marathon final : public Action {
 public:
  Marathon(Settings settings, http::JsonApi marathon)
      : settings_(std::move(settings)), marathon_(std::move(marathon)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(
        std::make_unique<Deployment>(context, marathon_, settings_, trigger, text(), deadline, std::move(done)));
  }
  std::string text() const override {
    return settings_.scale.empty() ? "marathon restart " + settings_.restart
                                   : fmt::format("marathon scale {} to {}", settings_.scale, settings_.instances);
  }
  std::string target() const override { return "marathon app " + settings_.app(); }
  bool knows_stops() const override { return true; }
  loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime>, base::Instant deadline,
                           std::function<void(std::string)> done) const override {
    const auto none = [](const json& document) {
      const json& instances = member(member(document, "app"), "instances");
      return instances.is_number() && number_of(instances) == 0;
    };
    return ask_scaled_down(context, marathon_, path_of(settings_), none,
                           fmt::format("app {} was suspended (0 instances), not by fettle; to have it back, scale it "
                                       "in Marathon",
                                       settings_.app()),
                           deadline, std::move(done));
  }
  bool leaves_stopped() const override { return settings_.instances == 0; }

 private:
  Settings settings_;
  http::JsonApi marathon_;
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse(node, path, errors);
  http::ConfiguredClient client(settings.http, node, path, errors);
  if (errors.size() > before) return nullptr;
  std::string url = settings.url;
  while (url.ends_with('/')) url.pop_back();
  http::JsonApi marathon({std::move(url), ""}, std::move(client), config::secrets_of(node));
  return std::make_unique<Marathon>(std::move(settings), std::move(marathon));
}

}  // namespace

extern const ActionType marathon_type;
const ActionType marathon_type{
    "marathon", "Restarts or scales an app of Marathon (Apache Mesos), and follows the deployment until all tasks run.",
    "{marathon: {url: \"http://127.0.0.1:8080\", restart: /shop/order}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
