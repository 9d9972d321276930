// A job on the service's unit, or on another one, over D-Bus; done when systemd says that the job has ended.
#include <fmt/format.h>

#include "recover/action.h"

namespace recover {
namespace {

struct Settings {
  std::string verb;
  std::string unit;
};

const std::vector<std::string>& verbs() {
  static const std::vector<std::string> v{"restart", "start", "stop", "reload"};
  return v;
}

const auto& schema() {
  static const auto s = config::Schema<Settings>("systemd")
                            .required("verb", &Settings::verb, "restart, start, stop or reload.")
                            .optional("unit", &Settings::unit, "The unit; default: the service's own.");
  return s;
}

ActionResult result_of(const Settings& settings, const base::Result<std::string>& job) {
  const std::string what = fmt::format("systemd {} {}", settings.verb, settings.unit);
  if (job) {
    if (*job == "done") return {"ok", what + ": done"};
    return {*job == "timeout" ? "timeout" : "failed",
            fmt::format("{}: the job ended as '{}'; see: journalctl -u {}", what, *job, settings.unit)};
  }
  const base::Error& error = job.error();
  if (error.kind == base::Kind::permission)
    return {"refused",
            fmt::format("{}: not allowed ({}); polkit must grant org.freedesktop.systemd1.manage-units for this unit "
                        "and verb: install the rule that `fettle check config --print-polkit` prints",
                        what, error.text)};
  return {error.kind == base::Kind::timeout ? "timeout" : "failed", what + ": " + error.text};
}

class Systemd final : public Action {
 public:
  explicit Systemd(Settings settings) : settings_(std::move(settings)) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return context.systemd.run_job(settings_.verb, settings_.unit, deadline,
                                   [settings = settings_, done = std::move(done)](base::Result<std::string> job) {
                                     done(result_of(settings, job));
                                   });
  }
  std::string text() const override { return fmt::format("systemd {} {}", settings_.verb, settings_.unit); }
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
const ActionType systemd_type{"systemd", "Restarts, starts, stops or reloads a systemd unit.", "{systemd: restart}",
                              parse};

}  // namespace recover
