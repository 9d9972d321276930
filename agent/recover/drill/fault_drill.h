// The state machine of one rehearsed fault. Pure: inputs come with the time, what is to be done comes out as Effects in
// order. FaultDrills carries them out.
//
//   committing ─durable→ injecting ─done→ detecting ─down→ curing ─recovered→ undoing ─done→ settling → over
//
// Rules that hold throughout:
// - The fault begins only after the record of it was durable, and it is over only when it is undone. Every way out but
//   a record that could not be written, and a fault that was refused, leads through undoing.
// - What was not detected in time, and what the plan does not cure, the drill undoes at once: no fault stands longer
//   than the objectives allow.
// - A plan in enforce is watched to the end of its first run. One in dry_run or ask says what it would do, and the
//   drill undoes the fault; the same where there is no plan.
// - After that it is waited for: the service is up, no alert of it fires, every receiver has taken the message.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/action_report.h"
#include "recover/drill/fault_report.h"

namespace recover {

// What is drilled.
struct FaultTarget {
  std::string service, unit;
  std::optional<model::RecoveryMode> mode;                // of its plan; nothing: it has none
  std::optional<base::Millis> detect, locate, recover{};  // its objectives
};

class FaultDrill {
 public:
  static constexpr base::Millis kDetect{60'000}, kRecover{600'000};  // without objectives
  static constexpr base::Millis kSay{15'000};                        // for a plan that only says what it would do
  static constexpr base::Millis kSettle{60'000};  // after the fault is undone: for health, receivers and alerts

  enum class Effect {
    commit,  // the record that the fault may be there; answer with durable()
    inject,  // answer with injected()
    tell,    // every receiver of the service
    undo,    // answer with undone(), when it is
    forget,  // the record of the fault: it is undone
    close    // report() is final
  };
  using Effects = std::vector<Effect>;

  FaultDrill(FaultTarget target, Fault fault) : target_(std::move(target)), fault_(fault) {}

  struct At {
    base::Instant now{};
    base::WallTime wall{};
  };
  Effects begin(At at);
  Effects durable(const base::Result<>& kept, At at);
  Effects injected(const base::Result<>& done, At at);
  Effects health(bool up, At at);  // of the service: it changed
  Effects located(At at);          // the evidence names the fault
  Effects report(const model::RecoveryReport& run, At at);
  void blocked(const std::string& guard) { blocked_by_ = guard; }
  // Of those that were told: who has not taken it yet, and why. Whether no alert of the service fires.
  Effects seen(std::map<std::string, std::string> untaken, bool quiet, At at);
  Effects wake(At at);                          // deadline() came
  Effects stop(const std::string& why, At at);  // undoes it, and ends
  Effects undone(At at);

  const FaultTarget& target() const { return target_; }
  Fault fault() const { return fault_; }
  const FaultReport& report() const { return report_; }
  std::optional<base::Instant> deadline() const { return deadline_; }
  std::string doing() const;                                                                // for a person
  bool is_there() const { return phase_ >= Phase::injecting && phase_ <= Phase::undoing; }  // the fault, perhaps
  bool may_be_stopped() const { return phase_ < Phase::undoing; }

 private:
  enum class Phase { idle, committing, injecting, detecting, curing, undoing, settling, over };

  void found(FaultResult result, std::string text);
  void since(Stage stage, At at) { report_.stages.emplace(stage, at_since(at)); }
  base::Millis at_since(At at) const;
  void take_stages(const model::RecoveryReport& run, At at);
  void enter(Phase phase, std::optional<base::Instant> deadline) { phase_ = phase, deadline_ = deadline; }
  Effects undo();
  Effects settle(At at);
  Effects end(At at);
  void judge();

  FaultTarget target_;
  Fault fault_;
  Phase phase_ = Phase::idle;
  FaultReport report_;
  std::vector<std::string> findings_;
  base::Instant began_{};
  std::optional<base::Instant> deadline_;
  std::optional<base::Instant> healed_at_;      // end of the last action that may have
  std::optional<model::RecoveryReport> early_;  // of a run that began before the detection was known
  std::map<std::string, std::string> untaken_;
  std::string blocked_by_;
  bool up_ = true, quiet_ = true, told_ = false, interrupted_ = false;
};

}  // namespace recover
