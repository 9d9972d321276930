#include "probe/schedule.h"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/edit_distance.h"
#include "base/hash.h"
#include "base/random.h"
#include "config/scalar.h"
#include "loop/deferred_delete.h"
#include "probe/attempt.h"
#include "probe/health.h"
#include "probe/registry.h"

namespace probe {
namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::Instant;

constexpr Duration kEventGap = 100ms;     // between two runs of one probe that events asked for
constexpr Duration kFirstRunWithin = 5s;  // of the start, however long the interval is
// Phases are multiples of this. Waking up costs as much as a run does: what shares a wake-up shares the price of it,
// and a hundred probes a second cost a third of what they would cost one by one.
constexpr Duration kWakeUpEvery = 100ms;
constexpr std::size_t kHistory = 60;
constexpr base::Millis kShortestFast{100};

using Key = std::pair<std::string, std::string>;  // service, probe

Duration fast_interval(const Spec& spec) {
  return spec.fast_interval.count() > 0 ? spec.fast_interval : std::max(spec.interval / 4, kShortestFast);
}

Thresholds thresholds_of(const Spec& spec) {
  return {spec.failure_threshold, spec.success_threshold, spec.fatal_reasons, spec.failure_window};
}

}  // namespace

// One configured probe with all that is known about it. Lives at one address until a turn after it was retired.
struct Entry {
  Spec spec;
  Thresholds thresholds;
  HealthState health;
  Status status;

  std::uint64_t hash = 0;  // of node, service and probe: gives the phase
  Instant due{};           // what `timer` is armed for
  loop::Handle timer;      // next run on the grid, or an earlier one while a change is pending
  loop::Handle event_timer;
  Instant last_event_run{};
  Instant grace_ends{};        // of the service's start; failures before it count for nothing
  std::optional<Event> event;  // waits for its confirming run

  std::unique_ptr<Attempt> attempt;  // null: no run is going on
  bool waiting = false;              // for its turn among the runs of its type
  Instant wanted{};                  // when the run that is going on or waiting should have started
  std::optional<Event> confirms;     // by the run that is going on or waiting

  std::unique_ptr<EventSource> source;
  bool retired = false;  // replaced; nothing of it may be told any more

  bool busy() const { return attempt || waiting; }
  // Its run and its event source may be on the stack: the run is cut for itself, what the source says is not heard.
  void cut() {
    retired = true;
    timer.reset();
    event_timer.reset();
  }
  // Between two runs on the grid, as things stand.
  Duration pace() const {
    const bool settled_down = health.health == model::Health::down && !change_pending(health);
    return settled_down && spec.down_interval.count() > 0 ? spec.down_interval : spec.interval;
  }
};

struct Schedule::Rep {
  Rep(std::string n, Context c, Callbacks l)
      : node(std::move(n)), context(c), callbacks(std::move(l)), random(base::fnv1a(node)) {}

  Instant now() const { return context.scheduler.now(); }

  // The first point of the entry's grid after `t`. The grid is counted from the monotonic clock's own zero: it knows
  // neither when the agent started nor what anybody did to the wall clock, and no error adds up.
  static Instant next_on_grid(const Entry& e, Instant t) {
    const auto interval = e.pace().count();
    const auto hashed = static_cast<Duration::rep>(e.hash % static_cast<std::uint64_t>(interval));
    const auto phase = hashed - hashed % kWakeUpEvery.count();
    const auto since = t.time_since_epoch().count() - phase;
    const auto passed = since >= 0 ? since / interval : -1;
    return Instant(Duration(phase + (passed + 1) * interval));
  }

  void arm_on_grid(Entry& e) {
    const Duration late(
        static_cast<Duration::rep>(e.spec.jitter * random.unit() * static_cast<double>(e.pace().count())));
    arm(e, next_on_grid(e, now()) + late);
  }

  void arm(Entry& e, Instant due) {
    e.due = due;
    e.timer = context.scheduler.at(due, [this, &e] { on_due(e); });
  }

  void on_due(Entry& e) {
    const Instant wanted = e.due;
    // A silent run whose deadline is exactly now (timeout equal to interval) ends first and is no overrun.
    if (e.attempt && now() >= e.attempt->deadline()) e.attempt->expire();
    if (e.retired) return;
    arm_on_grid(e);
    if (e.busy()) {
      ++e.status.overruns;
      if (callbacks.on_overrun) callbacks.on_overrun(e.spec);
      return;
    }
    begin(e, wanted, std::nullopt);
  }

  void on_event(Entry& from, const Event& event) {
    if (from.retired) return;
    ++from.status.events;
    for (Entry* e : of_service(from.spec.service)) {
      if (!e->event) e->event = event;
      confirm(*e);
    }
  }

  // Starts the confirming run of a waiting event, or sees to it that somebody will. A run that is going on may have
  // looked before the event happened, so it does not count.
  void confirm(Entry& e) {
    if (!e.event || e.busy() || e.event_timer) return;
    const Instant earliest = e.last_event_run + kEventGap;
    if (e.last_event_run != Instant{} && now() < earliest) {
      e.event_timer = context.scheduler.at(earliest, [this, &e] {
        e.event_timer.reset();
        confirm(e);
      });
      return;
    }
    e.last_event_run = now();
    std::optional<Event> event = std::exchange(e.event, std::nullopt);
    const Instant noticed = event->noticed == Instant{} ? now() : event->noticed;
    begin(e, noticed, std::move(event));
  }

  void begin(Entry& e, Instant wanted, std::optional<Event> confirms) {
    e.wanted = wanted;
    e.confirms = std::move(confirms);
    if (!has_room(e)) {
      e.waiting = true;
      queue.push_back(&e);
      return;
    }
    start(e);
  }

  std::size_t limit_of(const Type& type) const {
    const auto given = limits.by_type.find(std::string(type.name));
    return given == limits.by_type.end() ? type.concurrency : given->second;
  }

  bool has_room(const Entry& e) const {
    if (limits.at_once > 0 && running_in_all >= limits.at_once) return false;
    if (e.spec.type == nullptr) return true;
    const std::size_t limit = limit_of(*e.spec.type);
    const auto now_running = running.find(e.spec.type);
    return limit == 0 || now_running == running.end() || now_running->second < limit;
  }

  void start(Entry& e) {
    e.waiting = false;
    ++running_in_all;
    ++running[e.spec.type];
    e.attempt = std::make_unique<Attempt>(context, e.spec,
                                          [this, &e](model::Outcome outcome) { finish(e, std::move(outcome)); });
  }

  // Frees the place that a run of this type held, for whoever has waited longest and may run now. Once for each run:
  // when it has told its outcome, or when its probe is retired.
  void leave(const Type* type) {
    std::size_t& of_type = running[type];
    CHECK(running_in_all > 0 && of_type > 0);
    --running_in_all;
    --of_type;
    const auto next = std::find_if(queue.begin(), queue.end(), [this](const Entry* e) { return has_room(*e); });
    if (next == queue.end()) return;
    Entry& e = **next;
    queue.erase(next);
    start(e);
  }

  void finish(Entry& e, model::Outcome outcome) {
    const Instant began = e.attempt->started();
    deferred.add(std::move(e.attempt));
    if (e.source) e.source->describe(outcome);
    model::make_fit(outcome);
    const Cause cause = e.confirms ? Cause::event : Cause::grid;
    const model::Health before = e.health.health;
    const Starting starting = now() < e.grace_ends ? Starting::yes : Starting::no;
    const bool changed = judge(e.thresholds, outcome, cause, starting, e.health);
    if (outcome.up) e.grace_ends = {};

    Status& s = e.status;
    s.health = e.health.health;
    s.consecutive_failures = e.health.failures;
    s.consecutive_successes = e.health.successes;
    ++s.runs;
    if (!outcome.up) ++s.failures;
    if (s.history.size() == kHistory) s.history.erase(s.history.begin());
    s.history.push_back(outcome.up);
    // By the clock as it is now, should it have been set meanwhile.
    const base::WallTime started = context.scheduler.wall_now() - std::chrono::floor<base::Millis>(now() - began);
    const bool blind = outcome.reason == model::Reason::agent_overloaded;
    if (!blind) s.last_verdict.reset();
    else if (s.last && Status::says_something(*s.last)) s.last_verdict = std::move(s.last);
    s.last = Run{&e.spec, started, began - e.wanted, std::move(outcome), std::exchange(e.confirms, std::nullopt)};
    if (changed) s.since = context.scheduler.wall_now();

    if (change_pending(e.health)) {
      const Instant soon = std::max(began + fast_interval(e.spec), now());
      if (soon < e.due) arm(e, soon);
    } else if (changed) {
      arm_on_grid(e);  // which may be another one now
    }
    leave(e.spec.type);
    confirm(e);

    if (callbacks.on_run) callbacks.on_run(*s.last, s);
    if (changed && !e.retired && callbacks.on_change) {
      const model::Outcome& found = s.last->outcome;
      callbacks.on_change(
          model::HealthChange{e.spec.service, e.spec.name, before, s.health, found.reason, found.text, s.since},
          *s.last);
    }
    if (e.source && !e.retired) e.source->after_run(s.last->outcome);
  }

  // True if a run of it was going on: its place is still to be left.
  bool retire(std::unique_ptr<Entry> e) {
    if (e->waiting) std::erase(queue, e.get());
    const bool held_place = e->attempt != nullptr;
    deferred.add(std::move(e->attempt));  // first: it uses the settings of the entry
    deferred.add(std::move(e));
    return held_place;
  }

  enum class Which { all, discovered };

  void replace(std::vector<Spec> specs, Which which) {
    std::multimap<Key, std::unique_ptr<Entry>> old;
    for (auto& e : entries)
      if (which == Which::all || e->spec.discovered) old.emplace(Key{e->spec.service, e->spec.name}, std::move(e));
    std::erase(entries, nullptr);
    for (Spec& spec : specs) {
      const auto found = old.find(Key{spec.service, spec.name});
      const bool same = found != old.end() && found->second->spec.type == spec.type &&
                        found->second->spec.settings_text == spec.settings_text;
      if (same) {
        entries.push_back(std::move(found->second));
        old.erase(found);
        adopt(*entries.back(), std::move(spec));
      } else {
        entries.push_back(std::make_unique<Entry>());
        enter(*entries.back(), std::move(spec));
      }
    }
    std::vector<const Type*> left;  // by all of them before anybody starts in their place
    for (auto& [key, e] : old)
      if (const Type* type = e->spec.type; retire(std::move(e))) left.push_back(type);
    by_service.clear();
    for (const auto& e : entries) by_service[e->spec.service].push_back(e.get());
    for (const auto& e : entries)
      if (!e->source)
        e->source = e->spec.settings->watch(context, [this, entry = e.get()](Event event) { on_event(*entry, event); });
    for (const Type* type : left) leave(type);
  }

  void enter(Entry& e, Spec spec) {
    e.spec = std::move(spec);
    e.thresholds = thresholds_of(e.spec);
    e.grace_ends = now() + e.spec.startup_grace;
    e.hash = base::spread(base::fnv1a(node + '\0' + e.spec.service + '\0' + e.spec.name));
    e.status.spec = &e.spec;
    e.status.since = context.scheduler.wall_now();
    const auto spread = std::chrono::duration_cast<Duration>(kFirstRunWithin).count();
    const Duration soon(static_cast<Duration::rep>(e.hash % static_cast<std::uint64_t>(spread)));
    arm(e, std::min(next_on_grid(e, now()), now() + soon));
  }

  // The probe goes on; only what all types have in common may have changed.
  void adopt(Entry& e, Spec spec) {
    const bool same_grid = e.spec.interval == spec.interval && e.spec.down_interval == spec.down_interval;
    spec.settings = std::move(e.spec.settings);  // a run that is going on uses them
    e.spec = std::move(spec);
    e.thresholds = thresholds_of(e.spec);
    if (!same_grid) arm_on_grid(e);
  }

  Entry* find(const std::string& service, const std::string& probe) const {
    for (Entry* e : of_service(service))
      if (e->spec.name == probe) return e;
    return nullptr;
  }

  // A copy is not needed: what a run or an event leads to does not replace the probes.
  const std::vector<Entry*>& of_service(const std::string& service) const {
    static const std::vector<Entry*> none;
    const auto found = by_service.find(service);
    return found == by_service.end() ? none : found->second;
  }

  void trigger(Entry& e) {
    if (!e.busy()) begin(e, now(), std::nullopt);
  }

  std::string node;
  Context context;
  Callbacks callbacks;
  base::Random random;  // of the jitter
  std::vector<std::unique_ptr<Entry>> entries;
  std::unordered_map<std::string, std::vector<Entry*>> by_service;  // the same, each service in order
  Limits limits;
  std::size_t running_in_all = 0;
  std::map<const Type*, std::size_t> running;
  std::deque<Entry*> queue;  // runs that wait for a place
  loop::DeferredDelete deferred{context.scheduler};
};

Limits parse_limits(const config::ProbesAtOnce& settings, std::size_t own, config::Errors& errors) {
  Limits limits{settings.all > 0 ? settings.all : own, {}};
  const std::vector<std::string> known = types().names();
  for (const auto& [name, value] : settings.by_type.entries()) {
    const std::string path = "global.probes_at_once.by_type." + name.scalar();
    const std::string near = base::nearest(name.scalar(), known);
    std::string why;
    std::size_t limit = 0;
    if (types().find(name.scalar()) == nullptr)
      errors.add(name.mark(), path,
                 "there is no such probe type" + (near.empty() ? "" : "; did you mean '" + near + "'?"));
    else if (!config::read(value, limit, why) || limit == 0)
      errors.add(value.mark(), path, config::expected("a number of runs, at least 1", value));
    limits.by_type[name.scalar()] = limit;
  }
  return limits;
}

Schedule::Schedule(std::string node, Context context, Callbacks callbacks)
    : rep_(std::make_unique<Rep>(std::move(node), context, std::move(callbacks))) {}
Schedule::~Schedule() = default;

void Schedule::replace(std::vector<Spec> specs) { rep_->replace(std::move(specs), Rep::Which::all); }

void Schedule::replace_discovered(std::vector<Spec> specs) { rep_->replace(std::move(specs), Rep::Which::discovered); }

void Schedule::limit(Limits limits) { rep_->limits = std::move(limits); }

Load Schedule::load() const { return {rep_->running_in_all, rep_->queue.size()}; }

void Schedule::trigger(const std::string& service, const std::string& probe) {
  if (Entry* e = rep_->find(service, probe)) rep_->trigger(*e);
}

std::vector<std::string> Schedule::trigger_service(const std::string& service) {
  std::vector<std::string> names;
  for (Entry* e : rep_->of_service(service)) {
    names.push_back(e->spec.name);
    rep_->trigger(*e);
  }
  return names;
}

Statuses Schedule::statuses() const {
  Statuses out;
  out.reserve(rep_->entries.size());
  for (const auto& e : rep_->entries) out.emplace_back(e->status);
  return out;
}

Statuses Schedule::statuses(const std::string& service) const {
  Statuses out;
  for (const Entry* e : rep_->of_service(service)) out.emplace_back(e->status);
  return out;
}

const Status* Schedule::status(const std::string& service, const std::string& probe) const {
  const Entry* e = rep_->find(service, probe);
  return e ? &e->status : nullptr;
}

void Schedule::service_started(const std::string& service, base::Instant at) {
  for (Entry* e : rep_->of_service(service)) e->grace_ends = at + e->spec.startup_grace;
}

model::Health Schedule::service_health(const std::string& service) const {
  std::vector<model::Health> healths;
  std::size_t needed = 0;
  for (const Entry* e : rep_->of_service(service)) {
    healths.push_back(e->health.health);
    needed = e->spec.healthy_probes;
  }
  return compose(healths, needed);
}

model::Health Schedule::latest_health(const std::string& service) const {
  std::vector<model::Health> healths;
  std::size_t needed = 0;
  for (const Entry* e : rep_->of_service(service)) {
    model::Health health = model::Health::unknown;
    if (const auto& last = e->status.last; last && last->outcome.up) health = model::Health::up;
    else if (last && last->outcome.reason != model::Reason::agent_overloaded) health = model::Health::down;
    healths.push_back(health);
    needed = e->spec.healthy_probes;
  }
  return compose(healths, needed);
}

}  // namespace probe
