#include "recover/unit_watch.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "os/systemd/systemd.h"

namespace recover {
namespace {

constexpr int kEndedBySigterm = 128 + 15;
constexpr base::Duration kSettled = std::chrono::seconds{60};  // a run that was so long ends a row of restarts

bool ended_cleanly(const os::UnitState& state) {
  if (state.load != "loaded" && state.load != "masked") return false;
  if (state.active == "inactive") return state.result == "success";
  return state.active == "failed" && state.result == "exit-code" && state.exec_main_code == CLD_EXITED &&
         state.exec_main_status == kEndedBySigterm;
}

bool is_starting(const os::UnitState& state) {
  return state.active == "activating" || state.active == "reloading" || state.active == "refreshing";
}

// What the unit itself is in, without what systemd counts beside it.
bool same_stop(const os::UnitState& a, const os::UnitState& b) {
  return a.load == b.load && a.active == b.active && a.sub == b.sub && a.result == b.result && a.job == b.job &&
         a.restarts == b.restarts && a.main_pid == b.main_pid && a.exec_main_code == b.exec_main_code &&
         a.exec_main_status == b.exec_main_status && a.active_enter_us == b.active_enter_us;
}

}  // namespace

void UnitWatch::follow(const std::string& service, const std::vector<std::string>& units,
                       const std::function<UnitWork()>& work, const std::function<void()>& changed) {
  auto& followed = units_[service];
  std::erase_if(followed,
                [&](const auto& entry) { return std::find(units.begin(), units.end(), entry.first) == units.end(); });
  for (const std::string& unit : units) {
    const auto [at, added] = followed.try_emplace(unit);
    Unit& entry = at->second;
    entry.work = work;
    entry.changed = changed;
    if (!added) continue;
    entry.view.unit = unit;
    entry.watch = systemd_.watch_unit(unit, [this, service, unit](const auto& state) {
      Unit& known = *find(service, unit);
      heard(known, state);
      known.turn = scheduler_.after({}, [this, service, unit] {
        Unit& there = *find(service, unit);
        const loop::Handle own = std::move(there.turn);
        const auto tell = there.changed;
        tell();
      });
    });
  }
}

void UnitWatch::action_begins(const std::string& service) {
  const auto found = units_.find(service);
  if (found == units_.end()) return;
  for (auto& [name, unit] : found->second) unit.acted_on_us = unit.last ? unit.last->active_enter_us : 0;
}

void UnitWatch::drill(const std::string& service, const std::string& unit, bool is_on) {
  if (Unit* known = find(service, unit)) known->drilled = is_on;
}

std::vector<std::string> UnitWatch::units(const std::string& service) const {
  std::vector<std::string> out;
  if (const auto found = units_.find(service); found != units_.end())
    for (const auto& [name, unit] : found->second) out.push_back(name);
  return out;
}

const UnitWatch::Unit* UnitWatch::find(const std::string& service, const std::string& unit) const {
  const auto of_service = units_.find(service);
  if (of_service == units_.end()) return nullptr;
  const auto found = of_service->second.find(unit);
  return found == of_service->second.end() ? nullptr : &found->second;
}

UnitWatch::Unit* UnitWatch::find(const std::string& service, const std::string& unit) {
  return const_cast<Unit*>(std::as_const(*this).find(service, unit));
}

void UnitWatch::heard(Unit& known, const base::Result<os::UnitState>& state) {
  if (state) {
    note_stop(known, *state);
    return note_work(known, *state);
  }
  // No bus, or no such unit: nothing is known of a stop, and probes decide.
  const bool missing = state.error().kind == base::Kind::not_found;
  if (missing && known.view.known != UnitView::Known::missing)
    base::log::warn("a recovery plan names a unit that systemd does not know", {{"unit", known.view.unit}});
  const std::string unit = known.view.unit;
  known.view = {unit, missing ? UnitView::Known::missing : UnitView::Known::nothing};
  known.last.reset();
  known.active_since.reset();
  known.stopped = known.stopping = false;
}

// After a restart of the agent in the middle of a run the action was perhaps just under way: then a unit that is up is
// taken for the one that it has started.
bool UnitWatch::is_ours(Unit& known, const os::UnitState& state) {
  // A drill starts no job in systemd, so this stop is not the drill's.
  if (state.job == "stop") known.drilled = false;
  if (known.drilled) return true;
  const UnitWork work = known.work();
  if (work != UnitWork::has_acted) return work == UnitWork::acting;
  if (!known.acted_on_us) known.acted_on_us = state.active == "active" && state.job.empty() ? 0 : state.active_enter_us;
  return *known.acted_on_us == state.active_enter_us;
}

void UnitWatch::note_stop(Unit& known, const os::UnitState& state) {
  // To hear the same once more, because it was asked for, makes nobody else its cause.
  if (known.last && same_stop(*known.last, state)) return;
  known.last = state;
  const bool was_stopping = known.stopping;
  const bool ours = is_ours(known, state);
  // A unit that crashed goes through "deactivating", too; its result says so by then.
  known.stopping = (state.job == "stop" || (state.active == "deactivating" && state.result == "success")) && !ours;
  if (state.active != "inactive" && state.active != "failed") {
    known.stopped = known.failed_by_it = false;
    return;
  }
  known.stopping = false;
  const bool clean = ended_cleanly(state);
  if (known.failed_by_it && !clean && known.active_enter_us == state.active_enter_us) return;
  known.failed_by_it = was_stopping && !clean;
  known.active_enter_us = state.active_enter_us;
  if (!clean && !was_stopping) known.stopped = false;
  else if (!known.stopped) known.stopped = !ours;
}

void UnitWatch::note_work(Unit& known, const os::UnitState& state) const {
  const base::Instant now = scheduler_.now();
  UnitView& view = known.view;
  const bool was_known = view.known == UnitView::Known::loaded;
  if (!is_starting(state)) {
    view.starting_since.reset();
  } else {
    // systemd's time limit is for each command and each part of a start, so it counts from the newest of them.
    const base::Instant told{std::chrono::microseconds{state.state_change_monotonic_us}};
    const bool fresh = !view.starting_since || view.state.active != state.active || view.state.sub != state.sub;
    const bool next_command = was_known && state.control_pid != 0 && state.control_pid != view.state.control_pid;
    if (fresh) view.starting_since = state.state_change_monotonic_us > 0 && told < now ? told : now;
    else if (next_command) view.starting_since = now;
  }
  const bool has_job = !state.job.empty() && state.job != "stop";
  if (!has_job) view.job_since.reset();
  else if (!view.job_since || view.state.job != state.job) view.job_since = now;
  if (state.active == "active") {
    if (!known.active_since) known.active_since = now;
  } else {
    if (known.active_since && now - *known.active_since > kSettled) view.looping_since.reset();
    known.active_since.reset();
    if (!state.sub.starts_with("auto-restart")) {
      if (state.restarts == 0) view.looping_since.reset();  // somebody else has started it
    } else if (!view.looping_since) {
      view.looping_since = now;
    }
  }
  view.known = UnitView::Known::loaded;
  view.state = state;
}

loop::Handle UnitWatch::ask(const std::string& service, const std::string& unit, base::Instant deadline,
                            std::function<void()> done) {
  return systemd_.read_unit(unit, deadline, [this, service, unit, done = std::move(done)](const auto& state) {
    Unit* known = find(service, unit);
    if (known != nullptr && (state || state.error().kind == base::Kind::not_found)) heard(*known, state);
    done();
  });
}

std::optional<std::string> UnitWatch::stopped(const std::string& service, const std::string& name) const {
  const Unit* unit = find(service, name);
  if (unit == nullptr) return std::nullopt;
  if (unit->stopping) return name + " is being stopped";
  const std::string& freezer = unit->view.state.freezer;
  if (freezer == "frozen" || freezer == "freezing")
    return fmt::format("{0} is {1}, not by fettle; to have it go on: systemctl thaw {0}", name, freezer);
  if (!unit->stopped) return std::nullopt;
  return fmt::format("{} was stopped{}, not by fettle; to have it back: systemctl start {}, or fettle recover {}", name,
                     unit->failed_by_it ? "" : " cleanly", name, service);
}

UnitView UnitWatch::view(const std::string& service, const std::string& name) const {
  const Unit* unit = find(service, name);
  return unit != nullptr ? unit->view : UnitView{name};
}

}  // namespace recover
