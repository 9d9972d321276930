#include "rules/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/hash.h"
#include "base/log.h"
#include "base/percent.h"
#include "go/format.h"
#include "loop/scheduler.h"
#include "promql/engine.h"
#include "promql/queryable.h"
#include "rules/compiled.h"
#include "rules/durable.h"
#include "rules/group.h"
#include "state/state.h"

namespace rules {
namespace {

namespace log = base::log;

constexpr base::Millis kAliveEvery{30'000};     // how exactly the length of an absence is known
constexpr base::Millis kHoldRestored{300'000};  // for data to come back after a start
constexpr base::Millis kStoodStill{1'000};      // an agent that stood still for so long has measured nothing meanwhile
constexpr base::Millis kFirstRuns{2'000};       // for probes to run after that
constexpr base::Millis kLongStill{10'000};      // as much of a range, or of the lookback, has no samples
constexpr base::Millis kClockStep{100};         // a difference between the clocks that counts as a step
constexpr base::Millis kTogether{10};           // both clocks were read within this, or the agent was away in between

using Changes = AlertRecords::Changes;

}  // namespace

struct Manager::Rep {
  // A group on its grid.
  struct Scheduled {
    explicit Scheduled(std::unique_ptr<Group> g) : group(std::move(g)) {}
    std::unique_ptr<Group> group;
    base::Instant due{};
    loop::Handle timer;
    bool waiting = false;      // for the evaluation that touched() asked for
    bool postponed = false;    // its point of the grid, once
    base::Duration stalled{};  // of the loop, at the last evaluation
    std::uint64_t iterations = 0, missed = 0, evaluations = 0, failures = 0;
    base::WallTime last_evaluation{};
    base::Duration took{};
    bool failing = false;  // some rule; said once per change

    void count_on(const Scheduled& old) {
      std::tie(iterations, missed, evaluations, failures) =
          std::tie(old.iterations, old.missed, old.evaluations, old.failures);
      last_evaluation = old.last_evaluation;
    }
  };

  Rep(Options o, loop::Scheduler& s, state::State& st, const promql::Queryable& d, Callbacks c)
      : options(std::move(o)), scheduler(s), records(st, s), data(d), callbacks(std::move(c)), engine(options.engine) {
    wall_before = scheduler.wall_now();
    mono_before = scheduler.now();
  }

  EvaluationContext context() { return {options, engine, data, callbacks.append}; }

  // ---- time ----

  // When the wall clock was set since the last look, instants of alerts move with it: `for` runs on.
  void follow_clock() {
    const base::Instant before = scheduler.now();
    const base::WallTime wall_now = scheduler.wall_now();
    if (scheduler.now() - before > kTogether) return;
    const auto mono = std::chrono::duration_cast<base::Millis>(before - mono_before);
    const base::Millis step = (wall_now - wall_before) - mono;
    wall_before = wall_now;
    mono_before = before;
    if (std::chrono::abs(step) < kClockStep) return;
    log::warn("the wall clock was set; alerts and samples keep their ages",
              {{"by", fmt::format("{}ms", step.count())}});
    if (callbacks.on_clock_set) callbacks.on_clock_set(step);
    for (auto& one : groups) {
      one->group->shift(step);
      one->last_evaluation = std::min(one->last_evaluation + step, scheduler.wall_now());
    }
  }

  base::Millis phase(const Group& group) const {
    const std::uint64_t hash = base::fnv1a(
        group.source().name,
        base::fnv1a("\xff", base::fnv1a(group.source().file, base::fnv1a("\xff", base::fnv1a(options.node)))));
    return base::Millis{static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(group.interval().count()))};
  }

  // The next point of the grid: points are where wall time modulo the interval is the group's phase.
  void start(Scheduled& one) {
    const std::int64_t interval = one.group->interval().count();
    const std::int64_t into = (base::to_ms(scheduler.wall_now()) - phase(*one.group).count()) % interval;
    one.due = scheduler.now() + base::Millis{into < 0 ? -into : interval - into};
    one.stalled = scheduler.stalled();
    arm(one);
  }
  void arm(Scheduled& one) {
    one.timer = scheduler.at(one.due, [this, &one] { on_grid(one); });
  }

  void on_grid(Scheduled& one) {
    const auto interval = one.group->interval();
    if (!one.postponed && scheduler.stalled() - one.stalled >= kStoodStill) {
      one.postponed = true;
      one.timer = scheduler.after(std::min(interval, kFirstRuns), [this, &one] { on_grid(one); });
      return;
    }
    one.postponed = false;
    evaluate(one);
    ++one.iterations;
    // Points that passed meanwhile are counted, never made up for.
    one.due += interval;
    if (const auto late = scheduler.now() - one.due; late >= base::Duration{0}) {
      const auto points = static_cast<std::uint64_t>(late / interval) + 1;
      one.missed += points;
      one.iterations += points;
      one.due += interval * static_cast<std::int64_t>(points);
    }
    arm(one);
  }

  // ---- evaluation ----

  void evaluate(Scheduled& one) {
    follow_clock();
    one.waiting = false;
    // Two evaluations in one millisecond would write two values at one time.
    const base::WallTime at = std::max(scheduler.wall_now(), one.last_evaluation + base::Millis{1});
    // What was last measured before the agent stood still may be too old to be found, which is no end of an alert.
    const base::Duration stalled = scheduler.stalled();
    if (stalled - std::exchange(one.stalled, stalled) >= kLongStill) one.group->hold(at, at + kHoldRestored, {});
    const base::Instant began = scheduler.now();
    Evaluation evaluation = one.group->evaluate(
        at, [this] { return scheduler.now(); },
        [&](const LiveRule& live, base::Duration took) {
          ++one.evaluations;
          if (!live.error.empty()) ++one.failures;
          if (callbacks.on_evaluated)
            callbacks.on_evaluated(one.group->source().name, live.rule->name(), took, live.error.empty());
        });
    one.last_evaluation = at;
    one.took = scheduler.now() - began;
    if (callbacks.on_group_evaluated) callbacks.on_group_evaluated(one.took);
    say_health(one);
    Changes changes;
    for (const auto& [live, touched] : evaluation.records) records.write(*one.group, *live, touched, changes);
    records.commit(std::move(changes));
    if (!evaluation.changes.transitions.empty()) tell(std::move(evaluation.changes.transitions));
  }

  void tell(std::vector<model::AlertTransition> transitions) {
    if (!callbacks.on_transitions) return;
    for (model::AlertTransition& one : transitions) one.alert.generator_url = generator_url(one.alert);
    callbacks.on_transitions(transitions);
  }

  std::string generator_url(const model::Alert& alert) const {
    for (const auto& one : groups)
      for (const LiveRule& live : one->group->rules())
        if (live.rule->alerting() && live.rule->name() == alert.name() && live.alerts.alerts().contains(alert.labels))
          return url_of(*live.rule);
    return {};
  }
  std::string url_of(const CompiledRule& rule) const {
    return options.external_url + "/graph?g0.expr=" + base::form_encode(rule.query) + "&g0.tab=1";
  }

  void say_health(Scheduled& one) {
    const auto& rules = one.group->rules();
    const auto bad = std::find_if(rules.begin(), rules.end(), [](const LiveRule& live) { return !live.error.empty(); });
    const bool failing = bad != rules.end();
    if (failing != one.failing) {
      const config::RuleGroup& source = one.group->source();
      const bool no_room = failing && bad->refused > 0;
      if (failing)
        log::warn(no_room ? "what a rule writes does not fit into the store; its alerts are what they are"
                          : "a rule cannot be evaluated; its alerts stay as they are",
                  {{"file", source.file}, {"group", source.name}, {"rule", bad->rule->name()}, {"error", bad->error}});
      else log::info("all rules of the group are well again", {{"file", source.file}, {"group", source.name}});
    }
    one.failing = failing;
  }

  // ---- touched ----

  void touched(const std::vector<model::Labels>& series) {
    bool any = false;
    for (auto& one : groups) {
      if (!one->waiting && one->group->reads(series)) one->waiting = true;
      any = any || one->waiting;
    }
    if (any && !soon) soon = scheduler.at(scheduler.now(), [this] { evaluate_waiting(); });
  }

  void evaluate_waiting() {
    // A callback may call replace(): then the list is another one, and the new groups wait for nothing.
    std::vector<Scheduled*> waiting;
    for (auto& one : groups)
      if (one->waiting) waiting.push_back(one.get());
    const loop::Handle running = std::move(soon);
    for (Scheduled* one : waiting) {
      const bool still_there = std::any_of(groups.begin(), groups.end(), [&](const auto& g) { return g.get() == one; });
      if (still_there) evaluate(*one);
    }
  }

  // ---- durable records ----

  // While alerts are open, so that the next start knows how long it was away.
  void keep_alive() {
    alive_timer = scheduler.after(kAliveEvery, [this] {
      const bool open = std::any_of(groups.begin(), groups.end(), [](const auto& one) {
        const auto& rules = one->group->rules();
        return std::any_of(rules.begin(), rules.end(), [](const LiveRule& r) { return r.alerts.active() > 0; });
      });
      if (open) records.commit_time();
      keep_alive();
    });
  }

  // Before the first evaluation: every record goes to its rule; records without one end.
  void restore(const Gone& is_gone) {
    const base::WallTime now = scheduler.wall_now();
    const base::Millis away = records.away();
    const base::Millis shift = away > base::Millis{options.engine.lookback_ms} ? away : base::Millis{0};
    std::map<std::string, LiveRule*> rules;
    for (auto& one : groups)
      for (LiveRule& live : one->group->rules())
        if (live.rule->alerting()) rules.emplace(records.prefix(*one->group, live), &live);
    Changes gone;
    std::vector<model::AlertTransition> ended;
    std::size_t restored = 0;
    records.each([&](const std::string& key, std::optional<model::Alert> alert) {
      const std::size_t labels_at = alert ? key.size() - std::min(key.size(), alert->labels.to_string().size()) : 0;
      const auto rule = rules.find(key.substr(0, labels_at));
      if (!alert || rule == rules.end()) {
        gone.push_back(state::Change::remove(state::Table::alerts, key));
        if (alert && alert->state == model::AlertState::firing) ended.push_back(end_of(std::move(*alert), now));
        return;
      }
      if (alert->state == model::AlertState::pending) alert->active_at = std::min(alert->active_at + shift, now);
      rule->second->alerts.restore(std::move(*alert));
      ++restored;
    });
    for (auto& one : groups) one->group->hold(now, now + kHoldRestored, is_gone);
    if (restored > 0)
      log::info("alerts of the last run go on",
                {{"alerts", fmt::to_string(restored)}, {"away", base::format_duration(away)}});
    state_commit_and_tell(std::move(gone), std::move(ended));
  }

  static model::AlertTransition end_of(model::Alert alert, base::WallTime at) {
    const model::AlertState from = alert.state;
    alert.state = model::AlertState::inactive;
    if (from == model::AlertState::firing) alert.resolved_at = at;
    return {std::move(alert), from, at};
  }

  // In the next turn: whoever called replace() is not expecting to be called back from inside it.
  void state_commit_and_tell(Changes changes, std::vector<model::AlertTransition> transitions) {
    records.commit(std::move(changes));
    if (transitions.empty()) return;
    farewells.insert(farewells.end(), transitions.begin(), transitions.end());
    farewell_timer = scheduler.at(scheduler.now(), [this] { end_what_is_gone(); });
  }
  void end_what_is_gone() {
    farewell_timer.reset();
    if (!farewells.empty()) tell(std::exchange(farewells, {}));
  }

  // ---- replace ----

  void replace(std::vector<CompiledGroupPtr> compiled, const Gone& gone) {
    follow_clock();
    std::vector<std::unique_ptr<Scheduled>> old = std::exchange(groups, {});
    std::vector<Scheduled*> fresh;
    for (CompiledGroupPtr& group : compiled) {
      const auto same = std::find_if(
          old.begin(), old.end(), [&](const auto& one) { return one && same_group(one->group->compiled(), *group); });
      if (same != old.end()) {
        groups.push_back(std::move(*same));
        continue;
      }
      groups.push_back(std::make_unique<Scheduled>(std::make_unique<Group>(std::move(group), context())));
      fresh.push_back(groups.back().get());
    }
    std::erase(old, nullptr);
    const bool first = !std::exchange(started, true);
    Changes changes;
    std::vector<model::AlertTransition> ended;
    for (Scheduled* one : fresh) {
      for (auto& before : old) {
        const config::RuleGroup& a = before->group->source();
        const config::RuleGroup& b = one->group->source();
        if (a.file != b.file || a.name != b.name) continue;
        records.remove_all(*before->group, changes);
        one->group->adopt(*before->group);
        one->count_on(*before);
        for (const LiveRule& live : one->group->rules()) records.write(*one->group, live, all_of(live), changes);
        break;
      }
    }
    for (auto& before : old) retire(*before->group, changes, ended);
    if (first) {
      restore(gone);
      keep_alive();
    }
    for (Scheduled* one : fresh) start(*one);
    state_commit_and_tell(std::move(changes), std::move(ended));
  }

  static std::vector<model::Labels> all_of(const LiveRule& live) {
    std::vector<model::Labels> out;
    for (const auto& [labels, alert] : live.alerts.alerts()) out.push_back(labels);
    return out;
  }

  // What the new configuration no longer has: its alerts end, its series get a marker when nobody took them over.
  void retire(Group& group, Changes& changes, std::vector<model::AlertTransition>& ended) {
    records.remove_all(group, changes);
    std::vector<model::Labels> series;
    for (LiveRule& live : group.rules()) {
      for (const auto& [labels, alert] : live.alerts.alerts())
        if (alert.state == model::AlertState::firing) ended.push_back(end_of(alert, scheduler.wall_now()));
      series.insert(series.end(), live.series.begin(), live.series.end());
    }
    if (series.empty()) return;
    // Two intervals later, as in Prometheus: a rule that only moved to another group writes them on without a gap.
    const std::size_t id = next_orphans++;
    orphans.emplace(id, scheduler.after(2 * group.interval(), [this, id, series] {
      const std::int64_t now = base::to_ms(scheduler.wall_now());
      for (const model::Labels& one : series)
        if (!is_written(one)) callbacks.append(one, {now, model::stale_marker()});
      orphans.erase(id);
    }));
  }
  bool is_written(const model::Labels& series) const {
    for (const auto& one : groups)
      for (const LiveRule& live : one->group->rules())
        if (live.series.contains(series)) return true;
    return false;
  }

  Options options;
  loop::Scheduler& scheduler;
  AlertRecords records;
  const promql::Queryable& data;
  Callbacks callbacks;
  promql::Engine engine;
  std::vector<std::unique_ptr<Scheduled>> groups;
  base::WallTime wall_before{};
  base::Instant mono_before{};
  bool started = false;
  std::vector<model::AlertTransition> farewells;
  std::map<std::size_t, loop::Handle> orphans;
  std::size_t next_orphans = 0;
  loop::Handle soon, alive_timer, farewell_timer;
};

Manager::Manager(Options options, loop::Scheduler& scheduler, state::State& state, const promql::Queryable& data,
                 Callbacks callbacks)
    : rep_(std::make_unique<Rep>(std::move(options), scheduler, state, data, std::move(callbacks))) {}
Manager::~Manager() = default;

void Manager::replace(std::vector<CompiledGroupPtr> groups, const Gone& gone) {
  rep_->replace(std::move(groups), gone);
}
void Manager::end_what_is_gone() { rep_->end_what_is_gone(); }
void Manager::touched(const std::vector<model::Labels>& series) { rep_->touched(series); }
void Manager::follow_clock() { rep_->follow_clock(); }

std::vector<GroupStatus> Manager::groups() const {
  std::vector<GroupStatus> out;
  for (const auto& one : rep_->groups) {
    const config::RuleGroup& source = one->group->source();
    GroupStatus& group = out.emplace_back();
    group.name = source.name;
    group.file = source.file;
    group.interval = one->group->interval();
    group.limit = source.limit;
    group.last_evaluation = one->last_evaluation;
    group.took = one->took;
    group.iterations = one->iterations;
    group.missed = one->missed;
    group.evaluations = one->evaluations;
    group.failures = one->failures;
    for (const LiveRule& live : one->group->rules()) {
      RuleStatus& rule = group.rules.emplace_back();
      rule.name = live.rule->name();
      rule.query = live.rule->query;
      rule.type = live.rule->alerting() ? model::RuleType::alerting : model::RuleType::recording;
      rule.for_duration = live.rule->source.for_duration;
      rule.keep_firing_for = live.rule->source.keep_firing_for;
      std::vector<model::Label> fixed, annotations;
      for (const auto& [name, text] : live.rule->fixed) fixed.push_back({name, text});
      for (const auto& [name, text] : live.rule->annotations) annotations.push_back({name, text.text()});
      rule.labels = model::Labels(std::move(fixed));
      rule.annotations = model::Labels(std::move(annotations));
      if (live.evaluated) rule.health = live.error.empty() ? model::RuleHealth::ok : model::RuleHealth::err;
      rule.last_error = live.error;
      rule.last_evaluation = live.last_evaluation;
      rule.took = live.took;
      rule.series = live.series.size();
      if (live.first_evaluation && !live.matched) rule.unmatched_since = live.first_evaluation;
      for (const auto& [labels, alert] : live.alerts.alerts()) {
        if (alert.state == model::AlertState::inactive) continue;
        rule.alerts.push_back(alert);
        rule.alerts.back().generator_url = rep_->url_of(*live.rule);
      }
    }
  }
  return out;
}

std::map<model::Labels, model::Alert> Manager::known_alerts() const {
  std::map<model::Labels, model::Alert> out;
  for (const auto& one : rep_->groups)
    for (const LiveRule& live : one->group->rules())
      for (const auto& [labels, alert] : live.alerts.alerts()) {
        if (alert.state != model::AlertState::firing && out.contains(labels)) continue;
        (out[labels] = alert).generator_url = rep_->url_of(*live.rule);
      }
  return out;
}

std::vector<model::Alert> Manager::active_alerts() const {
  std::vector<model::Alert> out;
  for (const GroupStatus& group : groups())
    for (const RuleStatus& rule : group.rules) out.insert(out.end(), rule.alerts.begin(), rule.alerts.end());
  return out;
}

}  // namespace rules
