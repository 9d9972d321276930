#include "recover/drill/fault_injection.h"

#include <fmt/format.h>
#include <signal.h>

#include <utility>

#include "loop/scheduler.h"

namespace recover {
namespace {

using namespace std::chrono_literals;
using Whom = os::Systemd::Whom;

constexpr auto kLimit = 10s;  // for systemd to answer
constexpr auto kStartLimit = 90s;

bool is_under_way(const os::UnitState& state) {
  return !state.job.empty() || state.active == "activating" || state.active == "deactivating" ||
         state.active == "reloading" || state.active == "refreshing";
}

}  // namespace

void FaultInjection::send(Whom whom, int signal, Done done) {
  step_ = systemd_.signal_unit(unit_, whom, signal, scheduler_.now() + kLimit, std::move(done));
}

// Destroys this object, perhaps.
void FaultInjection::end(base::Result<> result) {
  const loop::Handle own = std::move(step_);
  const auto done = std::exchange(done_, nullptr);
  if (done) done(std::move(result));
}

void FaultInjection::inject(Fault fault, const std::string& unit, Done done) {
  unit_ = unit;
  done_ = std::move(done);
  step_ = systemd_.read_unit(unit, scheduler_.now() + kLimit, [this, fault](const base::Result<os::UnitState>& state) {
    if (!state) return end(base::fail(base::Kind::not_found, state.error().text));
    if (state->active != "active" || state->main_pid <= 0 || is_under_way(*state) || state->freezer == "frozen")
      return end(
          base::fail(base::Kind::not_found, fmt::format("{} is {} ({}){}", unit_, state->active, state->sub,
                                                        state->main_pid <= 0 ? ", without a main process" : "")));
    slowed_ = state->main_pid;
    const auto told = [this](const base::Result<>& sent) { end(sent); };
    switch (fault) {
      case Fault::hang: return send(Whom::all, SIGSTOP, told);
      case Fault::kill: return send(Whom::main, SIGKILL, told);
      case Fault::refuse: return send(Whom::main, SIGTERM, told);
      case Fault::slow:
        return send(Whom::all, SIGSTOP, [this](const base::Result<>& sent) {
          if (sent) slow_down();
          end(sent);
        });
    }
  });
}

// They stand still: let them run for a moment.
void FaultInjection::slow_down() {
  slow_ = scheduler_.after(kStill, [this] {
    slow_ = systemd_.signal_unit(unit_, Whom::all, SIGCONT, scheduler_.now() + kLimit, [this](const base::Result<>&) {
      slow_ = scheduler_.after(kRuns, [this] { stand_still(); });
    });
  });
}

// Only those that were there at the begin: a service that was started again is not slow any more.
void FaultInjection::stand_still() {
  slow_ = systemd_.read_unit(unit_, scheduler_.now() + kLimit, [this](const base::Result<os::UnitState>& state) {
    if (!state || state->active != "active" || state->main_pid != slowed_ || is_under_way(*state)) return;
    slow_ = systemd_.signal_unit(unit_, Whom::all, SIGSTOP, scheduler_.now() + kLimit,
                                 [this](const base::Result<>&) { slow_down(); });
  });
}

void FaultInjection::undo(Fault fault, const std::string& unit, Done done) {
  unit_ = unit;
  done_ = std::move(done);
  slow_.reset();
  if (fault == Fault::kill || fault == Fault::refuse) return start_again(fault);
  send(Whom::all, SIGCONT, [this](const base::Result<>& sent) {
    // A unit that is not there has no process.
    if (!sent && sent.error().kind == base::Kind::not_found) return end({});
    end(sent);
  });
}

void FaultInjection::start_again(Fault fault) {
  step_ = systemd_.read_unit(unit_, scheduler_.now() + kLimit, [this, fault](const base::Result<os::UnitState>& state) {
    if (!state && state.error().kind == base::Kind::not_found) return end({});
    if (!state) return end(tl::unexpected<base::Error>(state.error()));
    if (state->load == "not-found" || state->load == "masked" || state->active == "active") return end({});
    // One that was killed has failed. Ended cleanly, people have stopped it since.
    if (fault == Fault::kill && state->active == "inactive" && state->result == "success") return end({});
    if (is_under_way(*state))
      return end(base::fail(base::Kind::unavailable, fmt::format("{} is {} ({})", unit_, state->active, state->sub)));
    step_ = systemd_.run_job(
        "start", unit_, scheduler_.now() + kStartLimit, [this](const base::Result<std::string>& ended) {
          if (!ended) return end(tl::unexpected<base::Error>(ended.error()));
          if (*ended == "done" || *ended == "skipped") return end({});
          end(base::fail(base::Kind::unavailable, fmt::format("the start of {} ended as '{}'", unit_, *ended)));
        });
  });
}

}  // namespace recover
