// A run that people want stopped: by maintenance or a pause file, by the configuration, or by hand. What runs comes to
// its end, what was drained is given back, nothing else follows.
#include <utility>

#include "recover/plan/plan.h"

namespace recover {

using Kind = Effect::Kind;

std::optional<std::string> Plan::stop_reason(const PlanInput& input) const {
  if (!run_.stop.empty()) return run_.stop;
  return hands_off(input);
}

std::optional<std::string> Plan::step_stopped(const PlanInput& input) const {
  if (!running() || run_.part == Part::finally || current_step().action->moves_traffic()) return std::nullopt;
  return stop_reason(input);
}

// It waits, so that what people say is asked for again and again.
bool Plan::is_watched() const {
  return phase_ == Phase::verifying || phase_ == Phase::looking || phase_ == Phase::waiting ||
         phase_ == Phase::reacquiring || phase_ == Phase::holding || phase_ == Phase::asking;
}

// Whether the run was stopped just now. One whose action runs, or whose intent is being written, stops after that.
bool Plan::stops(const PlanInput& input, Effects& out) {
  if (!is_watched() || run_.part == Part::finally) return false;
  const auto why = stop_reason(input);
  if (!why) return false;
  run_.stop = *why;
  finish(RecoveryState::aborted, input, out);
  say_progress(out);
  return true;
}

Effects Plan::halt(const std::string& why, const PlanInput& input) {
  Effects out;
  if (phase_ == Phase::acquiring) give_up_start(input, out);
  if (!running() || phase_ == Phase::closing || !run_.stop.empty()) return out;
  run_.stop = why;
  if (stops(input, out)) return out;
  run_.report.reason = why;
  if (phase_ == Phase::acting) out.push_back({Kind::commit_progress});
  if (progress_.visible) say(Kind::report, out);
  return out;
}

Effects Plan::abort(const std::string& who, const PlanInput& input) {
  const std::string why = "aborted by " + who;
  if (firing_) usage_.aborted = pending_.aborted = why;
  if (running()) return halt(why, input);
  Effects out;
  if (phase_ == Phase::acquiring && !firing_) drop(input, out);  // a person has started it
  if (phase_ != Phase::blocked && phase_ != Phase::recheck && phase_ != Phase::acquiring) return out;
  if (std::exchange(progress_.visible, false)) {
    run_.report.state = RecoveryState::aborted;
    run_.report.reason = why;
    run_.report.ended = input.wall;
    say(Kind::report, out);
  }
  settling_ = false;
  begin(input, Waited::yes, out);
  out.push_back({Kind::commit_budget});
  return out;
}

void Plan::forget_abort(Effects& out) {
  if (usage_.aborted.empty() && pending_.aborted.empty()) return;
  usage_.aborted.clear();
  pending_.aborted.clear();
  if (!running()) out.push_back({Kind::commit_budget});
}

}  // namespace recover
