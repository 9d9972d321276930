#include "recover/drill/fault_drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace recover {
namespace {

using model::ActionStatus;
using model::RecoveryMode;
using model::RecoveryState;

std::string text_of(base::Millis d) { return base::format_duration(d); }

bool moves(const model::ActionReport& action, std::string_view word) {
  return action.action == word || action.action.starts_with(std::string(word) + " ");
}

}  // namespace

base::Millis FaultDrill::at_since(At at) const {
  return std::chrono::duration_cast<base::Millis>(std::max(base::Duration{0}, base::Duration{at.now - began_}));
}

std::string FaultDrill::doing() const {
  switch (phase_) {
    case Phase::committing:
    case Phase::injecting: return fmt::format("injects {}", to_string(fault_));
    case Phase::detecting: return fmt::format("{}: waits for its detection", to_string(fault_));
    case Phase::curing: return fmt::format("{}: waits for its cure", to_string(fault_));
    case Phase::undoing: return fmt::format("undoes {}", to_string(fault_));
    case Phase::settling: return fmt::format("{} is undone: waits for health and receivers", to_string(fault_));
    case Phase::idle:
    case Phase::over: break;
  }
  return "";
}

// The result is the first in the order of the enum; the text has all.
void FaultDrill::found(FaultResult result, std::string text) {
  if (report_.result == FaultResult::none || result < report_.result) report_.result = result;
  if (std::find(findings_.begin(), findings_.end(), text) == findings_.end()) findings_.push_back(std::move(text));
}

FaultDrill::Effects FaultDrill::begin(At at) {
  report_.started = at.wall;
  began_ = at.now;
  enter(Phase::committing, std::nullopt);
  return {Effect::commit};
}

FaultDrill::Effects FaultDrill::durable(const base::Result<>& kept, At at) {
  if (phase_ != Phase::committing) return {};
  if (!kept) {
    found(FaultResult::not_injected, "the record of it could not be written: " + kept.error().text);
    Effects out = end(at);
    out.insert(out.begin(), Effect::forget);
    return out;
  }
  if (interrupted_) return undo();
  // What it does may be seen before systemd has answered: time counts from here.
  report_.started = at.wall;
  began_ = at.now;
  enter(Phase::injecting, std::nullopt);
  return {Effect::inject};
}

FaultDrill::Effects FaultDrill::injected(const base::Result<>& done, At at) {
  if (phase_ != Phase::injecting) return {};
  if (!done) {
    found(FaultResult::not_injected, done.error().text);
    // Refused is not there. Of all else it is not known.
    if (done.error().kind != base::Kind::permission && done.error().kind != base::Kind::not_found) return undo();
    Effects out = end(at);
    out.insert(out.begin(), Effect::forget);
    return out;
  }
  told_ = true;
  if (interrupted_) return undo();
  enter(Phase::detecting, at.now + target_.detect.value_or(kDetect));
  Effects out{Effect::tell};
  // What ends a process is seen before systemd has answered.
  if (!up_)
    for (const Effect each : health(false, at)) out.push_back(each);
  return out;
}

FaultDrill::Effects FaultDrill::health(bool up, At at) {
  up_ = up;
  if (phase_ == Phase::detecting && !up) {
    since(Stage::detect, at);
    if (!target_.mode) {
      report_.cured_by_drill = true;
      return undo();
    }
    const bool acts = target_.mode == RecoveryMode::enforce;
    enter(Phase::curing, acts ? began_ + target_.recover.value_or(kRecover) : at.now + kSay);
    return early_ ? report(*std::exchange(early_, std::nullopt), at) : Effects{};
  }
  if (phase_ == Phase::settling && up) return settle(at);
  return {};
}

FaultDrill::Effects FaultDrill::located(At at) {
  if (is_there() || phase_ == Phase::settling) since(Stage::locate, at);
  return {};
}

void FaultDrill::take_stages(const model::RecoveryReport& run, At at) {
  std::map<Stage, base::Duration> took;
  base::WallTime healed{}, given_back = run.ended.value_or(at.wall);
  for (const model::ActionReport& action : run.actions) {
    const base::WallTime ended = action.started + std::chrono::duration_cast<base::Millis>(action.took);
    if (moves(action, "drain")) took[Stage::drain] += action.took;
    if (moves(action, "undrain")) {
      took[Stage::undrain] += action.took;
      given_back = std::min(given_back, action.started);
    }
    if (!action.may_heal) continue;
    took[Stage::cure] += action.took;
    healed = std::max(healed, ended);
  }
  for (const auto& [stage, length] : took)
    report_.stages.insert_or_assign(stage, std::chrono::duration_cast<base::Millis>(length));
  if (healed != base::WallTime{} && given_back >= healed)
    report_.stages.insert_or_assign(Stage::verify, given_back - healed);
}

FaultDrill::Effects FaultDrill::report(const model::RecoveryReport& run, At at) {
  if (run.service != target_.service) return {};
  if (phase_ == Phase::injecting || phase_ == Phase::detecting) early_ = run;
  if (phase_ != Phase::curing) return {};
  if (target_.mode != RecoveryMode::enforce) {
    const bool said = run.state == RecoveryState::would_run || run.state == RecoveryState::asking;
    if (!said) return {};
    report_.cured_by_drill = true;
    return undo();
  }
  if (!run.ended || run.mode != RecoveryMode::enforce) return {};
  take_stages(run, at);
  for (const model::ActionReport& action : run.actions)
    if (action.result == ActionStatus::failed || action.result == ActionStatus::timeout ||
        action.result == ActionStatus::refused)
      found(FaultResult::step_failed, fmt::format("{}: {}{}", action.action, to_string(action.result),
                                                  action.text.empty() ? "" : " (" + action.text + ")"));
  if (run.state != RecoveryState::recovered) {
    report_.cured_by_drill = true;
    found(FaultResult::not_recovered, fmt::format("the plan's run ended as {}{}", to_string(run.state),
                                                  run.reason.empty() ? "" : " (" + run.reason + ")"));
  } else {
    since(Stage::recover, at);
  }
  return undo();
}

FaultDrill::Effects FaultDrill::seen(std::map<std::string, std::string> untaken, bool quiet, At at) {
  untaken_ = std::move(untaken);
  quiet_ = quiet;
  if (told_ && untaken_.empty()) since(Stage::deliver, at);
  return phase_ == Phase::settling ? settle(at) : Effects{};
}

FaultDrill::Effects FaultDrill::wake(At at) {
  if (!deadline_ || at.now < *deadline_) return {};
  const std::string limit = text_of(at_since(at));
  switch (phase_) {
    case Phase::detecting:
      found(FaultResult::not_detected, fmt::format("no probe found it within {}", limit));
      return undo();
    case Phase::curing:
      report_.cured_by_drill = true;
      if (target_.mode == RecoveryMode::enforce || blocked_by_.empty())
        found(FaultResult::not_recovered,
              fmt::format("the plan {} within {}{}",
                          target_.mode == RecoveryMode::enforce ? "has not recovered it" : "said nothing", limit,
                          blocked_by_.empty() ? "" : ", it waits: " + blocked_by_));
      else findings_.push_back("the plan would wait: " + blocked_by_);
      return undo();
    case Phase::settling: return end(at);
    default: return {};
  }
}

FaultDrill::Effects FaultDrill::stop(const std::string& why, At) {
  if (!may_be_stopped() || phase_ == Phase::idle || interrupted_) return {};
  interrupted_ = true;
  found(FaultResult::interrupted, why);
  // What is asked of the disk or of systemd is answered first.
  if (phase_ == Phase::committing || phase_ == Phase::injecting) return {};
  return undo();
}

FaultDrill::Effects FaultDrill::undo() {
  enter(Phase::undoing, std::nullopt);
  return {Effect::undo};
}

FaultDrill::Effects FaultDrill::undone(At at) {
  if (phase_ != Phase::undoing) return {};
  enter(Phase::settling, at.now + kSettle);
  Effects out{Effect::forget};
  for (const Effect each : interrupted_ || !told_ ? end(at) : settle(at)) out.push_back(each);
  return out;
}

// What was down comes back: also by the drill.
FaultDrill::Effects FaultDrill::settle(At at) {
  if (!up_) return {};
  if (report_.stages.contains(Stage::detect)) since(Stage::recover, at);
  return quiet_ && untaken_.empty() ? end(at) : Effects{};
}

void FaultDrill::judge() {
  if (!up_) found(FaultResult::not_recovered, "the service is not up after it was undone");
  for (const auto& [receiver, error] : untaken_)
    found(FaultResult::not_delivered,
          fmt::format("{} has not taken the message{}", receiver, error.empty() ? "" : ": " + error));
  const auto judged = [&](Stage stage, const std::optional<base::Millis>& wanted) {
    if (!wanted) return;
    const auto took = report_.stages.find(stage);
    if (took != report_.stages.end() && took->second <= *wanted) return;
    found(FaultResult::too_slow,
          took == report_.stages.end()
              ? fmt::format("{} took longer than {}", to_string(stage), text_of(*wanted))
              : fmt::format("{} took {} of {}", to_string(stage), text_of(took->second), text_of(*wanted)));
  };
  judged(Stage::detect, target_.detect);
  judged(Stage::locate, target_.locate);
  judged(Stage::recover, target_.recover);
}

FaultDrill::Effects FaultDrill::end(At at) {
  enter(Phase::over, std::nullopt);
  report_.ended = at.wall;
  const bool counts = !interrupted_ && told_;
  if (counts) judge();
  if (report_.result == FaultResult::none) report_.result = FaultResult::passed;
  if (counts && report_.stages.contains(Stage::detect)) {
    std::string text = "detected after " + text_of(report_.stages.at(Stage::detect));
    if (const auto back = report_.stages.find(Stage::recover); back != report_.stages.end())
      text += ", up again after " + text_of(back->second);
    if (report_.cured_by_drill)
      text += !target_.mode                           ? "; undone by the drill, for there is no plan"
              : target_.mode == RecoveryMode::enforce ? "; undone by the drill"
              : target_.mode == RecoveryMode::ask     ? "; undone by the drill, for the plan asks a person"
                                                      : "; undone by the drill, for the plan is in dry_run";
    findings_.push_back(std::move(text));
  }
  report_.text = fmt::format("{}", fmt::join(findings_, "; "));
  return {Effect::close};
}

}  // namespace recover
