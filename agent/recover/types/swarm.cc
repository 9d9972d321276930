// Changes a service of Docker Swarm through the engine of a manager: a forced update, which replaces its tasks one
// after another as the service's own update settings say, another number of tasks, or the version before.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "config/schema.h"
#include "recover/action.h"
#include "recover/scaled_down.h"
#include "recover/swarm_update.h"

namespace recover {
namespace {

struct Keys {
  std::string update, scale, rollback;
  bool force = false;
  std::int64_t replicas = -1;
  std::string socket = http::kDockerSocket;
};

const auto& schema() {
  static const auto s =
      config::Schema<Keys>("swarm")
          .optional("update", &Keys::update,
                    "Service whose tasks are replaced by new ones of the same version; needs force: true.")
          .optional("force", &Keys::force, "That update replaces tasks although nothing else of the service changes.")
          .optional("scale", &Keys::scale, "Service that gets another number of tasks; needs replicas.")
          .optional("replicas", &Keys::replicas, "Tasks that scale asks for.")
          .fallback("none")
          .optional("rollback", &Keys::rollback, "Service that goes back to the version before.")
          .optional("socket", &Keys::socket,
                    "Unix socket of a manager's engine, or better of a proxy that lets only GET of /services/NAME and "
                    "/tasks, and POST of /services/ID/update through.")
          .shows({"update", "scale", "rollback"})
          .check([](const Keys& k, const config::Complain& complain) {
            const int named = (k.update.empty() ? 0 : 1) + (k.scale.empty() ? 0 : 1) + (k.rollback.empty() ? 0 : 1);
            if (named != 1) return complain("", "must have one of update, scale and rollback, with a service's name");
            for (const auto& [key, name] :
                 {std::pair{"update", &k.update}, {"scale", &k.scale}, {"rollback", &k.rollback}})
              if (!name->empty() && !http::is_plain_name(*name))
                complain(key, fmt::format("'{}' is no name of a service: letters, digits and _.- are", *name));
            if (k.force == k.update.empty())
              complain(k.force ? "force" : "update",
                       k.force ? "stands beside update only" : "needs force: true: the service itself is not changed");
            if (k.scale.empty() != (k.replicas < 0))
              complain(k.scale.empty() ? "replicas" : "scale",
                       k.scale.empty() ? "stands beside scale only, and is not negative" : "needs replicas, 0 or more");
            if (k.socket.empty() || k.socket.front() != '/') complain("socket", "must be an absolute path");
          });
  return s;
}

class Swarm final : public Action {
 public:
  explicit Swarm(SwarmSettings settings) : settings_(std::move(settings)), engine_(http::docker_on(settings_.socket)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return change_swarm(context, engine_, settings_, trigger, text(), deadline, std::move(done));
  }
  std::string text() const override {
    switch (settings_.change) {
      case SwarmChange::scale: return fmt::format("swarm scale {} to {}", settings_.service, settings_.replicas);
      case SwarmChange::rollback: return "swarm rollback " + settings_.service;
      default: return "swarm update --force " + settings_.service;
    }
  }
  std::string target() const override { return "swarm service " + settings_.service; }
  bool knows_stops() const override { return true; }
  loop::Handle ask_stopped(const Context& context, std::optional<base::WallTime>, base::Instant deadline,
                           std::function<void(std::string)> done) const override {
    const auto none = [](const encoding::json& document) {
      const auto service = read_service(document.dump(-1, ' ', false, encoding::json::error_handler_t::replace));
      return service && service->replicas == 0;
    };
    return ask_scaled_down(context, engine_, "/services/" + settings_.service, none,
                           fmt::format("Swarm service {0} was scaled to 0, not by fettle; to have it back: docker "
                                       "service scale {0}=N",
                                       settings_.service),
                           deadline, std::move(done));
  }
  bool leaves_stopped() const override { return settings_.change == SwarmChange::scale && settings_.replicas == 0; }

 private:
  SwarmSettings settings_;
  http::JsonApi engine_;
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  const Keys keys = schema().parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  SwarmSettings settings;
  settings.change = !keys.scale.empty()      ? SwarmChange::scale
                    : !keys.rollback.empty() ? SwarmChange::rollback
                                             : SwarmChange::update;
  settings.service = keys.update + keys.scale + keys.rollback;  // two of them are empty
  settings.replicas = static_cast<std::uint64_t>(std::max<std::int64_t>(keys.replicas, 0));
  settings.socket = keys.socket;
  return std::make_unique<Swarm>(std::move(settings));
}

}  // namespace

extern const ActionType swarm_type;
const ActionType swarm_type{
    "swarm",
    "Replaces the tasks of a Swarm service, changes their number, or rolls the service back. Done when Swarm calls the "
    "update complete and all tasks run; an update that does not get there is rolled back.",
    "{swarm: {update: order, force: true, socket: /run/docker-proxy.sock}}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
