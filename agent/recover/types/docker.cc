// Restarts, stops, starts, pauses or unpauses a container through the Docker Engine API on a unix socket. Whoever may
// use the engine's own socket is root on the node; so a proxy that lets nothing through but POST /containers/NAME/VERB,
// and GET of /containers/NAME/json and /events, is the socket to name here. Paths carry no version: the engine then
// speaks its newest, and proxies filter the same words. The engine is asked first who owns the container.
#include <fmt/format.h>

#include <utility>

#include "config/schema.h"
#include "http/json_api.h"
#include "loop/scheduler.h"
#include "recover/action.h"
#include "recover/container_owner.h"
#include "recover/container_stop.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string container;
  std::string socket = http::kDockerSocket;
  base::Millis stop_timeout{10'000};
};

const std::vector<std::string>& verbs() {
  static const std::vector<std::string> v{"restart", "stop", "start", "pause", "unpause"};
  return v;
}

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("docker")
          .required("verb", &Settings::verb, "restart, stop, start, pause or unpause.")
          .optional("container", &Settings::container, "Name or id of the container; empty: the service's name.")
          .optional("socket", &Settings::socket,
                    "Unix socket of the engine, or better of a proxy that lets only POST /containers/NAME/restart "
                    "through, and GET of /containers/NAME/json, by which a container that Swarm or Kubernetes owns is "
                    "left alone, and of /events, by which one is that a person stopped.")
          .optional("stop_timeout", &Settings::stop_timeout,
                    "What the container's stop signal gets, in whole seconds, before the engine kills it.")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.socket.empty() || s2.socket.front() != '/') complain("socket", "must be an absolute path");
            if (s2.stop_timeout < base::Millis{0}) complain("stop_timeout", "must not be negative");
          });
  return s;
}

// One verb: asks who owns the container, and acts if there is no owner.
class ContainerVerb final : public loop::Registration {
 public:
  ContainerVerb(const Context& context, const http::JsonApi& engine, const Settings& settings, const Trigger& trigger,
                std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : context_(context),
        engine_(engine),
        settings_(settings),
        what_(std::move(what)),
        stopped_(trigger.stopped),
        deadline_(deadline),
        done_(std::move(done)) {
    const std::string path = "/containers/" + settings_.container + "/json";
    ask("GET", path, [this, path](const http::HttpResponse& response) {
      if (!http::is_good(response)) return broken("GET", path, response, false);
      const auto owner = container_owner(response.body);
      if (!owner)
        return end(ActionStatus::failed,
                   "the engine's answer is no description of the container; without its owner nothing is done");
      if (!owner->empty()) return end(ActionStatus::refused, *owner);
      act();
    });
  }

 private:
  void ask(const char* method, const std::string& path, std::function<void(const http::HttpResponse&)> then) {
    pending_ = engine_.ask(*context_.http, context_.scheduler, {.method = method, .path = path, .deadline = deadline_},
                           std::move(then));
  }

  void act() {
    if (const auto why = stopped_()) return end(ActionStatus::refused, *why + "; nothing was done");
    const bool stops = settings_.verb == "restart" || settings_.verb == "stop";
    const auto limit = std::chrono::ceil<std::chrono::seconds>(settings_.stop_timeout).count();
    const std::string path = fmt::format("/containers/{}/{}", settings_.container, settings_.verb);
    ask("POST", path + (stops ? fmt::format("?t={}", limit) : ""), [this, path](const http::HttpResponse& response) {
      if (http::has_status(response, 204)) return end(ActionStatus::ok, "done");
      // It is stopped, or started, already.
      if (http::has_status(response, 304)) return end(ActionStatus::ok, "done; it was so already");
      broken("POST", path, response, true);
    });
  }

  void broken(const char* method, const std::string& path, const http::HttpResponse& response, bool acted) {
    const std::string complaint = engine_.complaint(response);
    if (response.reason == model::Reason::read_timeout && acted)
      return end(ActionStatus::timeout,
                 fmt::format("the engine did not answer in time; it may still {} the container", settings_.verb));
    if (response.reason == model::Reason::read_timeout)
      return end(ActionStatus::timeout, "the engine did not answer in time; nothing was done");
    if (response.reason == model::Reason::agent_overloaded) return end(ActionStatus::failed, complaint, true);
    if (response.reason != model::Reason::none)
      return end(ActionStatus::failed, fmt::format("{}: {}", settings_.socket, complaint));
    if (response.status == 401 || response.status == 403)
      return end(
          ActionStatus::refused,
          fmt::format("{} does not allow it: {}; the proxy must let {} {} through{}", settings_.socket, complaint,
                      method, path, acted ? "" : ": it says who owns the container, without which nothing is done"));
    if (response.status == 404)
      return end(ActionStatus::failed, fmt::format("not found: {}; see: docker ps --all", http::said(response.body)));
    end(ActionStatus::failed, complaint);
  }

  // Destroys this object, as a rule.
  void end(ActionStatus status, const std::string& text, bool own_want = false) {
    const auto done = std::exchange(done_, nullptr);
    if (done) done({status, what_ + ": " + text, own_want});
  }

  const Context& context_;
  const http::JsonApi& engine_;
  const Settings& settings_;
  std::string what_;
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_;
  std::function<void(ActionResult)> done_;
  loop::Handle pending_;
};

class Docker final : public Action {
 public:
  explicit Docker(Settings settings) : settings_(std::move(settings)), engine_(http::docker_on(settings_.socket)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(
        std::make_unique<ContainerVerb>(context, engine_, settings_, trigger, text(), deadline, std::move(done)));
  }
  std::string text() const override { return fmt::format("docker {} {}", settings_.verb, settings_.container); }
  std::string target() const override { return "container " + settings_.container; }
  // A plan that pauses takes a paused container for its own work.
  bool knows_stops() const override { return settings_.verb != "pause" && settings_.verb != "unpause"; }
  loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime> acted, base::Instant deadline,
                           std::function<void(std::string)> done) const override {
    return ask_container_stopped(context, engine_, settings_.container, acted, deadline, std::move(done));
  }

 private:
  Settings settings_;
  http::JsonApi engine_;
};

// "restart", or {verb: restart, container: order-1, socket: /run/docker-proxy.sock}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings = schema().parse_or_word(node, &Settings::verb, path, errors);
  if (errors.size() > before) return nullptr;
  const config::Node verb = node.is_mapping() ? node.find("verb") : node;
  std::size_t index = 0;
  std::string why;
  if (!config::read_one_of(verb, verbs(), index, why)) errors.add(verb.mark(), path, why);
  if (settings.container.empty()) settings.container = owner.service;
  const config::Node container = node.is_mapping() ? node.find("container") : node;
  if (!http::is_plain_name(settings.container))
    errors.add(container.is_null() ? node.mark() : container.mark(), path,
               fmt::format("'{}' is no name of a container: letters, digits and _.- are", settings.container));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Docker>(std::move(settings));
}

}  // namespace

extern const ActionType docker_type;
const ActionType docker_type{
    "docker",
    "Restarts, stops, starts, pauses or unpauses a container through the Docker Engine API on a unix socket. One that "
    "Swarm, Kubernetes or another owner restarts is refused, with what to do instead.",
    "{docker: {verb: restart, container: order-1, socket: /run/docker-proxy.sock}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
