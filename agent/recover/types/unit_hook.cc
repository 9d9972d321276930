// Starts a oneshot unit that the administrator has written for what needs other rights than the agent has, and waits
// for its result. systemd brings what no child process of ours could have: the unit's own user and sandbox, its time
// limit, its cgroup (nothing survives), its journal, and an end that does not depend on the agent's.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "config/node.h"
#include "os/systemd/systemd.h"
#include "recover/action.h"
#include "recover/types/job_end.h"

namespace recover {
namespace {

constexpr std::string_view kPrefix = "fettle-hook-";

std::string unit_of(const std::string& name) { return fmt::format("{}{}.service", kPrefix, name); }

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
}

// The event for the unit, which may say StandardInput=file:/run/fettle/hook/NAME.json. "" or why it could not be
// written; without a runtime directory of systemd there is none.
std::string leave_event(const std::string& name, const std::string& event) {
  const char* folder = std::getenv("RUNTIME_DIRECTORY");
  if (folder == nullptr || *folder == '\0') return "";
  const std::string hooks = std::string(folder) + "/hook", file = fmt::format("{}/{}.json", hooks, name);
  ::mkdir(hooks.c_str(), 0750);
  const auto written = base::write_file_atomically(file, event);
  return written ? "" : written.error().text;
}

std::string how_it_ended(const os::UnitState& state) {
  if (state.exec_main_code == 1) return fmt::format("{}, exit code {}", state.result, state.exec_main_status);
  if (state.exec_main_code > 1) return fmt::format("{}, signal {}", state.result, state.exec_main_status);
  return state.result;
}

// Look, start, look again.
class HookRun final : public loop::Registration {
 public:
  HookRun(os::Systemd& systemd, const std::string& name, std::string event, base::Instant deadline,
          std::function<void(ActionResult)> done)
      : systemd_(systemd),
        name_(name),
        unit_(unit_of(name)),
        what_("unit hook " + name),
        event_(std::move(event)),
        deadline_(deadline),
        done_(std::move(done)) {
    step_ = systemd_.read_unit(unit_, deadline_, [this](base::Result<os::UnitState> state) { before(state); });
  }

 private:
  void before(const base::Result<os::UnitState>& state) {
    if (!state && state.error().kind == base::Kind::not_found)
      return end({ActionStatus::refused,
                  fmt::format("{}: there is no unit {}; write it with Type=oneshot and the user and rights "
                              "that it needs, then systemctl daemon-reload",
                              what_, unit_)});
    if (!state) return end(job_error(what_, state.error()));
    if (state->load != "loaded")
      return end({ActionStatus::refused,
                  fmt::format("{}: {} is {}; see: systemctl status {}", what_, unit_, state->load, unit_)});
    if (state->active == "active")
      return end({ActionStatus::refused,
                  fmt::format("{}: {} is active, and starting it would do nothing; a hook is Type=oneshot "
                              "without RemainAfterExit=yes",
                              what_, unit_)});
    if (state->active != "inactive" && state->active != "failed")
      return end({ActionStatus::refused, fmt::format("{}: {} is still {} from before; its TimeoutStartSec ends it",
                                                     what_, unit_, state->active)});
    if (const std::string complaint = leave_event(name_, event_); !complaint.empty())
      return end({ActionStatus::refused, fmt::format("{}: not started without its event: {}", what_, complaint)});
    step_ = systemd_.run_job("start", unit_, deadline_, [this](base::Result<std::string> job) { started(job); });
  }
  // The job of a oneshot unit ends with its program.
  void started(const base::Result<std::string>& job) {
    if (!job) return end(job_error(what_, job.error()));
    result_ = *job;
    step_ = systemd_.read_unit(unit_, deadline_, [this](base::Result<os::UnitState> state) { after(state); });
  }
  void after(const base::Result<os::UnitState>& state) {
    const bool done = result_ == "done";
    if (done && state && state->active != "inactive")
      return end({ActionStatus::failed, fmt::format("{}: {} is {} after its start; a hook is Type=oneshot without "
                                                    "RemainAfterExit=yes, else its result is not known",
                                                    what_, unit_, state->active)});
    // A unit that succeeded may be unloaded at once: its job has said all.
    if (done) return end({ActionStatus::ok, what_ + ": done"});
    if (!state || state->result == "success" || state->result.empty()) return end(job_end(what_, unit_, result_));
    end({result_ == "timeout" || state->result == "timeout" ? ActionStatus::timeout : ActionStatus::failed,
         fmt::format("{}: {}; see: journalctl -u {}", what_, how_it_ended(*state), unit_)});
  }
  // Destroys this object, as a rule.
  void end(ActionResult result) {
    const auto done = std::exchange(done_, nullptr);
    done(std::move(result));
  }

  os::Systemd& systemd_;
  std::string name_, unit_, what_, event_, result_;
  base::Instant deadline_;
  std::function<void(ActionResult)> done_;
  loop::Handle step_;
};

class UnitHook final : public Action {
 public:
  explicit UnitHook(std::string name) : name_(std::move(name)) {}
  loop::Handle run(const Context& context, const Trigger& trigger, base::Instant deadline,
                   std::function<void(ActionResult)> done) const override {
    return loop::Handle(
        std::make_unique<HookRun>(context.systemd, name_, trigger.event_json, deadline, std::move(done)));
  }
  std::string text() const override { return "unit_hook " + name_; }
  std::optional<SystemdJob> systemd_job() const override { return SystemdJob{"start", unit_of(name_)}; }

 private:
  std::string name_;
};

std::unique_ptr<const Action> parse(const config::Node& node, const std::string& path, const ActionOwner&,
                                    config::Errors& errors) {
  if (is_name(node.scalar())) return std::make_unique<UnitHook>(node.scalar());
  errors.add(
      node.mark(), path,
      fmt::format("'{}' names no hook: NAME stands for the unit {}NAME.service, in small letters, digits, - and _",
                  node.is_scalar() ? node.scalar() : std::string(node.type_name()), kPrefix));
  return nullptr;
}

}  // namespace

extern const ActionType unit_hook_type;
const ActionType unit_hook_type{
    "unit_hook",
    "Starts the oneshot unit fettle-hook-NAME.service, which the administrator has written for what needs other "
    "rights, "
    "and waits for its result. It finds the event as JSON in $RUNTIME_DIRECTORY/hook/NAME.json of the agent "
    "(/run/fettle/hook/NAME.json).",
    "{unit_hook: clear-cache}", parse};

}  // namespace recover
