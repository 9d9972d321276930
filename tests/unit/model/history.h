// Histories of a service whose truth is known: each event adds what the agent would have written down, and counts what
// a ledger must find.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/ledger.h"

namespace histories {

using model::ActionStatus;
using model::RecoveryMode;
using model::RecoveryState;
using model::WouldHave;

inline constexpr std::int64_t kBegin = 1'795'000'000'000;
inline constexpr base::Millis kDay{86'400'000}, kHour{3'600'000}, kSecond{1'000};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {}

  // ---- what happens; each takes some time, and some of it goes by before the next

  // Over before the alert fired.
  void heals_by_itself() {
    model::Incident& incident = down(between(2, 20));
    end(incident, model::IncidentEnd::itself);
    ++truth.itself;
    expected.push_back(WouldHave::itself);
  }
  void person_at_work() {
    model::Incident& incident = down(between(60, 900));
    incident.maintenance = true;
    end(incident, model::IncidentEnd::person);
    ++truth.person;
    expected.push_back(WouldHave::person);
  }
  // redis is down, and the plan of order waits.
  void dependency_fails() {
    model::Incident& incident = down(between(30, 300), "redis");
    if (random_.below(2) == 0) {
      blocked_run(incident, "dependencies");
    } else {
      model::RecoveryReport& run = begin_run(incident, RecoveryMode::dry_run, between(3, 9));
      run.actions.push_back(action("drain", ActionStatus::would_run, false, run.started));
      run.actions.push_back(action("systemd restart order.service", ActionStatus::refused, true, run.started,
                                   "dependencies: redis is down"));
      finish(run, RecoveryState::aborted, between(20, 29));
    }
    end(incident, model::IncidentEnd::itself);
    ++truth.dependency;
    expected.push_back(WouldHave::dependency);
  }
  void held_by(const std::string& guard) {
    model::Incident& incident = down(between(30, 300));
    blocked_run(incident, guard);
    end(incident, model::IncidentEnd::itself);
    ++truth.held;
    ++truth.held_by[guard];
    expected.push_back(WouldHave::held);
  }
  // The plan would have acted, and the service stayed down for long.
  void would_have_helped(std::size_t times = 1) {
    model::Incident& incident = down(between(300, 3'000));
    for (std::size_t i = 0; i < times; ++i) dry_run(incident, RecoveryState::would_run, static_cast<int>(5 + 60 * i));
    end(incident, random_.below(2) == 0 ? model::IncidentEnd::itself : model::IncidentEnd::person);
    ++truth.would_act;
    truth.would_act_times += times;
    expected.push_back(WouldHave::acted);
  }
  // It came back while the plan verified what it had not done.
  void would_have_been_needless() {
    model::Incident& incident = down(between(10, 30));
    dry_run(incident, RecoveryState::recovered, 5);
    end(incident, model::IncidentEnd::itself);
    ++truth.would_act;
    ++truth.would_act_times;
    ++truth.needless;
    expected.push_back(WouldHave::acted);
  }
  void would_have_hit_the_wrong_one() {
    model::Incident& incident = down(between(60, 300), "redis");
    dry_run(incident, RecoveryState::would_run, 5);
    end(incident, model::IncidentEnd::itself);
    ++truth.would_act;
    ++truth.would_act_times;
    ++truth.blamed;
    expected.push_back(WouldHave::acted);
  }
  // Runs that were carried out.
  void heals() {
    model::Incident& incident = down(between(4, 40));
    took_.push_back(real_run(incident, RecoveryState::recovered, ActionStatus::ok));
    end(incident, model::IncidentEnd::healed);
    ++truth.attempts;
    ++truth.successes;
    expected.push_back(WouldHave::none);
  }
  void fails_to_heal() {
    model::Incident& incident = down(between(400, 900));
    real_run(incident, RecoveryState::failed, random_.below(2) == 0 ? ActionStatus::ok : ActionStatus::timeout);
    end(incident, model::IncidentEnd::itself);
    ++truth.attempts;
    expected.push_back(WouldHave::none);
  }
  void is_refused() {
    model::Incident& incident = down(between(400, 900));
    real_run(incident, RecoveryState::failed, ActionStatus::refused);
    end(incident, model::IncidentEnd::itself);
    ++truth.refused;
    expected.push_back(WouldHave::itself);
  }
  // The last success did not last: what comes next is a relapse.
  void relapses_within(base::Millis span) {
    now_ = last_end_ + base::Millis{1 + static_cast<std::int64_t>(random_.below(span.count() - 1))};
    if (now_ - last_end_ <= kHour) ++truth.relapses_hour;
    if (now_ - last_end_ <= kDay) ++truth.relapses_day;
  }
  // Down again, and up again, in the incident that was the last one.
  void flaps() {
    model::Incident& incident = *incidents_.back();
    const base::WallTime up = *incident.ended;
    incident.notes.push_back(model::health_note(up + 3 * kSecond, {"order", true}, "refused"));
    incident.notes.push_back(model::health_note(up + 9 * kSecond, {"order", false}, ""));
    incident.ended = up + 9 * kSecond;
    ++truth.flaps;
  }
  void waits(base::Millis span) { now_ += span; }

  // ---- what is known of it

  model::IncidentList incidents() const { return {incidents_.begin(), incidents_.end()}; }
  base::WallTime now() const { return now_; }
  base::Random& random() { return random_; }
  // What the agent also has by itself: the newest runs. Of each one twice, one of them must count.
  std::vector<model::RecoveryReport> runs() const {
    std::vector<model::RecoveryReport> out;
    for (const auto& incident : incidents_)
      if (out.size() < 100) out.insert(out.end(), incident->recoveries.begin(), incident->recoveries.end());
    return out;
  }
  std::optional<base::Millis> worst() const {
    return took_.empty() ? std::nullopt : std::optional(*std::max_element(took_.begin(), took_.end()));
  }

  model::Ledger truth;
  std::vector<WouldHave> expected;  // of each incident, in their order

 private:
  base::Millis between(std::int64_t low, std::int64_t high) {
    return base::Millis{1'000 * low + static_cast<std::int64_t>(random_.below(1'000 * (high - low)))};
  }

  model::Incident& down(base::Millis length, const std::string& whose = "order") {
    auto incident = std::make_shared<model::Incident>();
    incident->id = fmt::format("inc_{}", incidents_.size());
    incident->service = whose;
    incident->started = now_;
    incident->cause.probe = "http";
    if (whose != "order") incident->dependents = {"order"};
    const base::WallTime seen = now_ + 2 * kSecond;
    if (whose != "order") incident->notes.push_back(model::health_note(seen, {whose, true}, "refused"));
    incident->notes.push_back(model::health_note(seen, {"order", true}, "refused: connect failed"));
    now_ += length;
    incident->notes.push_back(model::health_note(now_, {"order", false}, ""));
    if (whose != "order") incident->notes.push_back(model::health_note(now_, {whose, false}, ""));
    incident->ended = now_;
    incidents_.push_back(incident);
    ++truth.faults;
    return *incident;
  }
  void end(model::Incident& incident, model::IncidentEnd end) {
    incident.end = end;
    last_end_ = now_;
    now_ += kDay + between(60, 7'200);
  }
  model::RecoveryReport& begin_run(model::Incident& incident, RecoveryMode mode, base::Millis after) {
    model::RecoveryReport& run = incident.recoveries.emplace_back();
    run.id = fmt::format("run_{}", ++runs_);
    run.service = "order";
    run.trigger = "alert ServiceDown";
    run.mode = mode;
    run.attempt = 1;
    run.started = incident.started + after;
    return run;
  }
  static void finish(model::RecoveryReport& run, RecoveryState state, base::Millis after) {
    run.state = state;
    run.ended = run.started + after;
  }
  static model::ActionReport action(std::string name, ActionStatus result, bool may_heal, base::WallTime at,
                                    std::string text = "") {
    return {std::move(name), result, std::move(text), at, base::Millis{20}, may_heal};
  }
  void blocked_run(model::Incident& incident, const std::string& guard) {
    model::RecoveryReport& run = begin_run(incident, RecoveryMode::dry_run, between(3, 9));
    run.reason = guard;
    finish(run, RecoveryState::aborted, between(5, 19));
  }
  void dry_run(model::Incident& incident, RecoveryState state, int after) {
    model::RecoveryReport& run = begin_run(incident, RecoveryMode::dry_run, after * kSecond);
    run.actions.push_back(action("drain", ActionStatus::would_run, false, run.started));
    run.actions.push_back(action("systemd restart order.service", ActionStatus::would_run, true, run.started));
    finish(run, state, base::Millis{3'000});
  }
  base::Millis real_run(model::Incident& incident, RecoveryState state, ActionStatus result) {
    model::RecoveryReport& run = begin_run(incident, RecoveryMode::enforce, 3 * kSecond);
    run.actions.push_back(action("systemd restart order.service", result, true, run.started,
                                 result == ActionStatus::refused ? "Interactive authentication required." : ""));
    finish(run, state, *incident.ended - run.started);
    return *run.ended - run.started;
  }

  base::Random random_;
  base::WallTime now_ = base::wall_from_ms(kBegin), last_end_{};
  std::vector<std::shared_ptr<model::Incident>> incidents_;
  std::vector<base::Millis> took_;
  std::size_t runs_ = 0;
};

}  // namespace histories
