#include "incident/incidents.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "incident/life.h"
#include "incident/record.h"
#include "loop/scheduler.h"
#include "model/annotations.h"
#include "state/state.h"

namespace incident {

using model::AlertState;
using state::Change;
using state::Table;

namespace {

// What a plan waits for may change without a word: its guards are asked again.
constexpr base::Millis kLookEvery{1'000};
// So long what a plan says to people in the middle of a run waits for the run's end.
constexpr base::Millis kDemandWaits{500};

template <typename Change>
std::shared_ptr<const model::Incident> changed(const model::Incident& incident, const Change& change) {
  auto next = std::make_shared<model::Incident>(incident);
  change(*next);
  return next;
}

}  // namespace

Incidents::Incidents(Options options, loop::Scheduler& scheduler, state::State& state, View view, Callbacks callbacks)
    : options_(std::move(options)),
      scheduler_(scheduler),
      state_(state),
      view_(std::move(view)),
      callbacks_(std::move(callbacks)) {
  for (const auto& [key, text] : state_.read(Table::incidents)) {
    auto incident = parse_incident(text);
    if (!incident) {
      base::log::error("an incident is lost: its record is unreadable",
                       {{"incident", key}, {"error", incident.error().text}});
      continue;
    }
    const std::string service = incident->service;
    if (!incident->is_open()) closed_.push_back(std::make_shared<const model::Incident>(*std::move(incident)));
    else open_.insert_or_assign(service, Open{*std::move(incident), false});
  }
  std::sort(closed_.begin(), closed_.end(), [](const auto& a, const auto& b) { return a->started > b->started; });
}

void Incidents::settle(const std::map<model::Labels, model::Alert>& known,
                       const std::vector<model::RecoveryReport>& runs) {
  if (std::exchange(settled_, true)) return tell_again();
  const base::WallTime now = scheduler_.wall_now();
  for (auto& [service, one] : open_) {
    for (model::Alert& alert : one.incident.alerts) {
      if (alert.state != AlertState::firing) continue;
      const auto there = known.find(alert.labels);
      if (there != known.end() && there->second.state == AlertState::firing) continue;
      alert.state = AlertState::inactive;
      alert.resolved_at = there == known.end() ? now : there->second.resolved_at.value_or(now);
    }
    const Facts facts = view_(service);
    if (!facts.configured) one.incident.down = false;
    for (model::RecoveryReport& run : one.incident.recoveries) {
      if (run.ended || run.id == facts.answer.run || run.state == model::RecoveryState::blocked) continue;
      const auto kept = std::find_if(runs.begin(), runs.end(), [&run](const auto& each) { return each.id == run.id; });
      if (kept != runs.end() && kept->ended) {
        run = *kept;
        continue;
      }
      run.ended = now;  // the agent that did it could not write down how it ended
      run.state = model::RecoveryState::aborted;
      run.reason = "the agent stopped";
    }
    add_note(one.incident, now, "the agent has started anew and goes on with it");
    one.changed = true;
  }
  for (const auto& [labels, alert] : known)
    if (alert.state == AlertState::firing && !alert.service().empty()) {
      const std::string service(alert.service());
      model::Incident& incident = find_or_open(service, alert.active_at);
      if (note_alert(incident, alert)) mark(incident);
    }
  for (Ended& each : closed_) {
    const Ended incident = each;
    if (!incident->announced) announce(each);
    else if (callbacks_.on_changed) callbacks_.on_changed(*incident);  // what a crash left of it is forgotten
  }
  look_again();
}

void Incidents::tell_again() {
  tell_all_ = true;
  look_again();
}

// ---- what happens

void Incidents::on_health(const model::HealthChange& change, base::WallTime first_failure) {
  const bool down = change.to == model::Health::down;
  if (!down && change.to != model::Health::up) return;
  model::Incident* incident = down ? &find_or_open(change.service, first_failure) : find(change.service);
  if (incident == nullptr) return;
  if (down && incident->service == change.service) note_relapse(*incident, options_.settle, change.at);
  if (note_health(*incident, change.service, down, change.text, change.at)) mark(*incident);
  if (down && incident->service == change.service) {
    if (incident->cause.probe.empty()) incident->cause = view_(change.service).cause;
    take_in_dependents(open_.at(change.service));
  }
  look_again();
}

void Incidents::on_alerts(const std::vector<model::AlertTransition>& transitions) {
  for (const model::AlertTransition& t : transitions) {
    const std::string service(t.alert.service());
    const bool firing = t.alert.state == AlertState::firing;
    if (service.empty() || (!firing && t.from != AlertState::firing)) continue;
    model::Incident* incident = firing ? &find_or_open(service, t.alert.active_at) : find(service);
    if (incident == nullptr) continue;
    if (note_alert(*incident, t.alert)) mark(*incident);
    if (incident->cause.probe.empty() && incident->cause.text.empty())
      incident->cause.text = model::summary_of(t.alert.annotations);
  }
  if (!transitions.empty()) look_again();
}

void Incidents::on_report(const model::RecoveryReport& report) {
  model::Incident* incident = find(report.service);
  if (incident == nullptr || !note_run(*incident, report)) return;
  mark(*incident);
  look_again();
}

void Incidents::on_blocked(const std::string& service, const std::string& guard) {
  model::Incident* incident = find(service);
  if (incident == nullptr) return;
  add_note(*incident, scheduler_.wall_now(), fmt::format("recovery of {} waits: {}", service, guard));
  mark(*incident);
  look_again();
}

bool Incidents::on_demand(const std::string& service, const std::string& text) {
  model::Incident* incident = find(service);
  if (incident == nullptr) return false;
  note_demand(*incident, scheduler_.wall_now(), text);
  mark(*incident);
  const bool goes_on = std::any_of(incident->recoveries.begin(), incident->recoveries.end(), [](const auto& run) {
    return !run.ended && run.mode != model::RecoveryMode::dry_run && run.state != model::RecoveryState::blocked;
  });
  if (!goes_on) {
    look_again();
    return true;
  }
  // As a rule its run ends with it, once that is durable: one message says both.
  write(*incident);
  demanded_ = scheduler_.after(kDemandWaits, [this] { look_again(); });
  return true;
}

void Incidents::on_evidence(const std::string& service, const std::string& text) {
  model::Incident* incident = find(service);
  if (incident == nullptr) return;
  const std::string whose = incident->service == service ? "" : " of " + service;
  add_note(*incident, scheduler_.wall_now(), fmt::format("evidence{}: {}", whose, text));
  if (whose.empty() && !incident->located) incident->located = scheduler_.wall_now();
  mark(*incident);
  look_again();
}

void Incidents::on_changes(const std::string& service, const std::string& text) {
  model::Incident* incident = find(service);
  if (incident == nullptr || incident->service != service || incident->changed == text) return;
  incident->changed = text;
  add_note(*incident, incident->started, text);
  mark(*incident);
  look_again();
}

void Incidents::on_message(const std::string& id, const model::IncidentMessage& message) {
  for (auto& [service, one] : open_) {
    if (one.incident.id != id) continue;
    note_message(one.incident, message);
    write(one.incident);
  }
  for (Ended& each : closed_) {
    if (each->id != id) continue;
    each = changed(*each, [&](model::Incident& incident) { note_message(incident, message); });
    write(*each);
  }
}

void Incidents::on_fate(const std::string& message, std::string_view fate) {
  const base::WallTime now = scheduler_.wall_now();
  for (auto& [service, one] : open_)
    if (note_fate(one.incident, message, fate, now)) return mark(one.incident), look_again();
  for (Ended& each : closed_) {
    const auto& sent = each->messages;
    if (std::none_of(sent.begin(), sent.end(), [&](const auto& one) { return one.id == message; })) continue;
    each = changed(*each, [&](model::Incident& incident) { note_fate(incident, message, fate, now); });
    return write(*each);
  }
}

// ---- which incident

model::Incident* Incidents::find(const std::string& service) {
  if (const auto own = open_.find(service); own != open_.end()) return &own->second.incident;
  for (auto& [name, one] : open_) {
    const auto& all = one.incident.dependents;
    if (std::find(all.begin(), all.end(), service) != all.end()) return &one.incident;
  }
  return nullptr;
}

// The nearest one, over dependencies of dependencies: a service in between may have no probe of its own.
Incidents::Open* Incidents::broken_dependency(const std::string& service) {
  std::set<std::string> seen{service};
  std::deque<std::string> next{service};
  while (!next.empty()) {
    const std::vector<std::string> names = view_(next.front()).depends_on;
    next.pop_front();
    for (const std::string& name : names) {
      if (!seen.insert(name).second) continue;
      if (model::Incident* there = find(name); there != nullptr && there->service != service) {
        Open& root = open_.at(there->service);
        if (root.incident.down) return &root;
      }
      next.push_back(name);
    }
  }
  return nullptr;
}

model::Incident& Incidents::open(const std::string& service, base::WallTime at) {
  model::Incident incident;
  incident.id = "inc_" + options_.random.identifier();
  incident.service = service;
  incident.started = at;
  const Facts facts = view_(service);
  if (facts.health == model::Health::down) incident.cause = facts.cause;
  incident.drill = facts.drill;
  if (!facts.drill.empty()) add_note(incident, at, fmt::format("a drill: {} is rehearsed", facts.drill));
  base::log::info("an incident is open", {{"service", service}, {"incident", incident.id}});
  return open_.insert_or_assign(service, Open{std::move(incident), true}).first->second.incident;
}

model::Incident& Incidents::find_or_open(const std::string& service, base::WallTime at) {
  if (model::Incident* there = find(service)) return *there;
  if (Open* root = broken_dependency(service)) {
    root->changed = add_dependent(root->incident, service, scheduler_.wall_now()) || root->changed;
    return root->incident;
  }
  return open(service, at);
}

// A dependent may be seen down before what it depends on is. If nobody has heard of it yet, it never was one of its
// own.
void Incidents::take_in_dependents(Open& root) {
  std::vector<std::string> theirs;
  for (const auto& [service, one] : open_)
    if (&one != &root && !one.incident.told && broken_dependency(service) == &root) theirs.push_back(service);
  for (const std::string& service : theirs) {
    auto one = open_.extract(service);
    state_.commit({Change::remove(Table::incidents, one.mapped().incident.id)}, [](base::Result<>) {});
    absorb(root.incident, std::move(one.mapped().incident), scheduler_.wall_now());
    root.changed = true;
  }
}

// ---- looking

void Incidents::mark(const model::Incident& incident) { open_.at(incident.service).changed = true; }

void Incidents::look_again() {
  if (!settled_ || soon_) return;
  soon_ = scheduler_.after({}, [this] {
    const loop::Handle own = std::move(soon_);
    look();
  });
}

// When somebody sets the clock, what was two minutes ago still is.
void Incidents::follow_clock() {
  const base::Millis offset =
      scheduler_.wall_now().time_since_epoch() - std::chrono::floor<base::Millis>(scheduler_.now().time_since_epoch());
  const base::Millis step = offset - std::exchange(offset_, offset).value_or(offset);
  if (step < base::Millis{1'000} && step > base::Millis{-1'000}) return;
  for (auto& [service, one] : open_) {
    shift(one.incident, step);
    one.changed = true;
  }
}

void Incidents::look() {
  follow_clock();
  const base::WallTime now = scheduler_.wall_now();
  std::vector<std::string> over;
  for (auto& [service, one] : open_) {
    look_at(one, now);
    const auto& calm = one.incident.calm_since;
    if (calm && now - *calm >= options_.settle) over.push_back(service);
  }
  tell_all_ = false;
  for (const std::string& service : over) close(service, now);
  arm();
}

void Incidents::look_at(Open& one, base::WallTime now) {
  model::Incident& incident = one.incident;
  const Facts facts = view_(incident.service);
  const auto set = [&one](auto& field, auto value) {
    if (field == value) return;
    field = std::move(value);
    one.changed = true;
  };
  if (facts.maintenance) set(incident.maintenance, true);
  if (!facts.configured) set(incident.down, false);
  if (!is_calm(incident)) set(incident.calm_since, std::optional<base::WallTime>{});
  else if (!incident.calm_since) set(incident.calm_since, std::optional(now));
  const Decision decision = decide(incident, facts.answer, now);
  if (decision.act == Act::hold) set(incident.hold_until, decision.until);
  if (decision.act == Act::refer) set(incident.hold_until, std::optional<base::WallTime>{});
  if (!incident.calm_since) set(incident.why, decision.why);
  if (decision.act == Act::page && !incident.told) {
    set(incident.told, std::optional(now));
    add_note(incident, now, "people are told: " + decision.why);
  }
  const bool changed = std::exchange(one.changed, false);
  if (changed) write(incident);
  if ((changed || tell_all_) && callbacks_.on_changed) callbacks_.on_changed(incident);
}

void Incidents::close(const std::string& service, base::WallTime now) {
  auto one = open_.extract(service);
  model::Incident incident = std::move(one.mapped().incident);
  const Facts facts = view_(service);
  // Who depends on it and is still not well has a fault of its own.
  for (const std::string& name : incident.dependents) {
    std::vector<model::Alert> alerts = release(incident, name);
    const Facts theirs = view_(name);
    const bool down = theirs.health == model::Health::down;
    if (alerts.empty() && !down) continue;
    model::Incident& own = find_or_open(name, now);
    for (const model::Alert& alert : alerts) note_alert(own, alert);
    if (down) note_health(own, name, true, theirs.cause.text, now);
    mark(own);
    look_again();
  }
  incident.end = facts.configured || incident.cause.probe.empty() ? end_of(incident) : model::IncidentEnd::gone;
  incident.ended = incident.calm_since.value_or(now);
  for (const model::MissedObjective& each : missed_objectives(incident, facts.objectives)) {
    incident.missed.push_back(each.name);
    add_note(incident, *incident.ended, "an objective was missed: " + each.text);
  }
  base::log::info("an incident is over", {{"service", service},
                                          {"incident", incident.id},
                                          {"end", std::string(to_string(incident.end))},
                                          {"standing", standing(incident)}});
  const Ended ended = closed_.emplace_front(std::make_shared<const model::Incident>(std::move(incident)));
  write(*ended);
  std::vector<Change> gone;
  for (; closed_.size() > options_.keep; closed_.pop_back())
    gone.push_back(Change::remove(Table::incidents, closed_.back()->id));
  if (!gone.empty()) state_.commit(std::move(gone), [](base::Result<>) {});
  if (callbacks_.on_ended) callbacks_.on_ended(*ended);
  announce(closed_.front());
}

// Receivers write down what they are told before `announced` is; so a crash in between tells it once all the same.
// What they do with it may come back here as messages of it.
void Incidents::announce(Ended& each) {
  const Ended before = each;
  if (callbacks_.on_changed) callbacks_.on_changed(*before);
  const Ended announced = each = changed(*each, [](model::Incident& incident) { incident.announced = true; });
  write(*announced);
  if (callbacks_.on_changed) callbacks_.on_changed(*announced);
}

// The state says what is wrong with the disk; the incident goes on in memory.
void Incidents::write(const model::Incident& incident) {
  state_.commit({Change::put(Table::incidents, incident.id, to_json(incident))}, [](base::Result<>) {});
}

// Deadlines are met to the moment; besides, what plans wait for is asked once a second while people wait.
void Incidents::arm() {
  const base::WallTime now = scheduler_.wall_now();
  std::optional<base::Millis> next;
  const auto sooner = [&](base::Millis in) { next = std::min(next.value_or(in), std::max(in, base::Millis{0})); };
  for (const auto& [service, one] : open_) {
    const model::Incident& incident = one.incident;
    if (incident.calm_since) sooner(*incident.calm_since + options_.settle - now);
    else if (!incident.told)
      sooner(incident.hold_until ? std::min(kLookEvery, *incident.hold_until - now) : kLookEvery);
  }
  timer_.reset();
  if (next) timer_ = scheduler_.after(*next, [this] { look_again(); });
}

std::string Incidents::incident_of(const std::string& service) const {
  const model::Incident* there = const_cast<Incidents*>(this)->find(service);  // NOLINT: it only looks
  return there == nullptr ? "" : there->id;
}

std::optional<base::WallTime> Incidents::started(const std::string& service) const {
  const auto own = open_.find(service);
  if (own == open_.end()) return std::nullopt;
  return own->second.incident.started;
}

bool Incidents::keeps(const std::string& id) const {
  return std::any_of(open_.begin(), open_.end(), [&](const auto& one) { return one.second.incident.id == id; }) ||
         std::any_of(closed_.begin(), closed_.end(), [&](const auto& one) { return one->id == id; });
}

std::vector<std::shared_ptr<const model::Incident>> Incidents::newest_first() const {
  std::vector<Ended> out;
  for (const auto& [service, one] : open_) out.push_back(std::make_shared<const model::Incident>(one.incident));
  out.insert(out.end(), closed_.begin(), closed_.end());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a->started > b->started; });
  return out;
}

}  // namespace incident
