// Reboots the node, as the last step of a plan where nothing else helps. Off unless the service says allow_reboot. The
// budget of the plan is durable and holds across reboots; besides, a node that has just booted is not rebooted again,
// so that a fault that survives the reboot cannot make it a circle.
#include <fmt/format.h>
#include <time.h>

#include <utility>

#include "config/schema.h"
#include "loop/scheduler.h"
#include "os/systemd/logind.h"
#include "recover/action.h"

namespace recover {
namespace {

struct Settings {
  base::Millis min_uptime{3'600'000};
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("reboot")
          .optional("min_uptime", &Settings::min_uptime, "The node must run so long, else it is not rebooted (again).")
          .check([](const Settings& s2, const config::Complain& complain) {
            if (s2.min_uptime < base::Millis{600'000})
              complain("min_uptime", "must be at least 10m: a person must have time to log in between two reboots");
          });
  return s;
}

base::Millis node_uptime() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return std::chrono::duration_cast<base::Millis>(std::chrono::seconds{t.tv_sec});
}

ActionResult result_of(const base::Result<>& asked) {
  if (asked) return {ActionStatus::ok, "reboot: logind has begun it"};
  if (asked.error().kind == base::Kind::permission)
    return {ActionStatus::refused,
            fmt::format("reboot: not allowed ({}); polkit must grant org.freedesktop.login1.reboot: install "
                        "the rule that `fettle check config --print-polkit` prints; an inhibitor also "
                        "forbids it, see: systemd-inhibit --list",
                        asked.error().text)};
  return {asked.error().kind == base::Kind::timeout ? ActionStatus::timeout : ActionStatus::failed,
          "reboot: " + asked.error().text};
}

class Reboot final : public Action {
 public:
  explicit Reboot(Settings settings) : settings_(settings) {}
  loop::Handle run(const Context& context, const Trigger&, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    if (const base::Millis up = node_uptime(); up < settings_.min_uptime)
      return context.scheduler.after({}, [done = std::move(done), up, least = settings_.min_uptime] {
        done({ActionStatus::refused, fmt::format("reboot: the node booted {} ago and must run {} before it is rebooted",
                                                 base::format_duration(up), base::format_duration(least))});
      });
    return context.logind->reboot(deadline, [done = std::move(done)](base::Result<> asked) { done(result_of(asked)); });
  }
  std::string text() const override { return "reboot"; }
  std::optional<SystemdJob> systemd_job() const override { return SystemdJob{"reboot", ""}; }

 private:
  Settings settings_;
};

// "reboot", or {reboot: {min_uptime: 6h}}.
std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner& owner,
                                    config::Errors& errors) {
  const std::size_t before = errors.size();
  const Settings settings = node.is_mapping() ? schema().parse(node, path, errors) : Settings{};
  if (!node.is_mapping() && node.scalar() != "reboot")
    errors.add(node.mark(), path, "expected reboot alone, or {reboot: {min_uptime: 1h}}");
  if (!owner.may_reboot)
    errors.add(node.mark(), path,
               fmt::format("reboot is off: it takes every service of this node down; services.{}.allow_reboot: true "
                           "allows it to this plan",
                           owner.service));
  if (errors.size() > before) return nullptr;
  return std::make_unique<Reboot>(settings);
}

}  // namespace

extern const ActionType reboot_type;
const ActionType reboot_type{
    "reboot", "Reboots the node through systemd-logind. Off unless the service says allow_reboot: true.", "reboot",
    parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace recover
