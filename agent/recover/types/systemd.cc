// A job on the service's unit, or on another one, over D-Bus; done when systemd says that the job has ended.
#include <fmt/format.h>

#include "recover/action.h"
#include "recover/types/job_end.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string unit;
};

const std::vector<std::string>& verbs() {
  static const std::vector<std::string> v{"restart", "start", "stop", "reload", "reset-failed"};
  return v;
}

const auto& schema() {
  static const auto s = config::Schema<Settings>("systemd")
                            .required("verb", &Settings::verb, "restart, start, stop, reload or reset-failed.")
                            .optional("unit", &Settings::unit, "The unit; default: the service's own.");
  return s;
}

class Systemd final : public Action {
 public:
  explicit Systemd(Settings settings) : settings_(std::move(settings)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return context.systemd.run_job(settings_.verb, settings_.unit, deadline,
                                   [what = text(), unit = settings_.unit, done = std::move(done)](
                                       base::Result<std::string> job) { done(job_end(what, unit, job)); });
  }
  std::string text() const override { return fmt::format("systemd {} {}", settings_.verb, settings_.unit); }
  bool may_heal() const override { return settings_.verb != "reset-failed"; }
  std::optional<SystemdJob> systemd_job() const override { return SystemdJob{settings_.verb, settings_.unit}; }

 private:
  Settings settings_;
};

// "restart", or {verb: restart, unit: other.service}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  Settings settings;
  if (node.is_mapping()) settings = schema().parse(node, path, errors);
  else settings.verb = node.scalar();
  if (errors.size() > before) return nullptr;
  const config::Node verb = node.is_mapping() ? node.find("verb") : node;
  std::size_t index = 0;
  std::string why;
  if (!config::read_one_of(verb, verbs(), index, why)) errors.add(verb.mark(), path, why);
  if (settings.unit.empty()) settings.unit = owner.unit;
  if (settings.unit.empty())
    errors.add(
        node.mark(), path,
        fmt::format("service {} has no unit; set its unit, or write {{systemd: {{verb: {}, unit: NAME.service}}}}",
                    owner.service, settings.verb));
  else if (settings.unit.find('.') == std::string::npos || settings.unit.find('/') != std::string::npos)
    errors.add(node.mark(), path,
               fmt::format("'{0}' is no unit name; write its type too, such as {0}.service", settings.unit));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Systemd>(std::move(settings));
}

}  // namespace

extern const ActionType systemd_type;
const ActionType systemd_type{
    "systemd",
    "Restarts, starts, stops or reloads a systemd unit, or clears its failed state, and waits "
    "for the job's result. A stop that somebody else has asked for is not overruled.",
    "{systemd: restart}", parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
