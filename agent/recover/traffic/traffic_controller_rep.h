// The inside of a TrafficController: services with their targets, desired states, requests, slow starts. Included by
// traffic_controller.cc only.
#pragma once

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "config/node.h"
#include "loop/scheduler.h"
#include "recover/traffic/drain_record.h"
#include "recover/traffic/nginx.h"
#include "recover/traffic/traffic_controller.h"
#include "state/state.h"

namespace recover {

// Of a slow start: the rest comes in even steps.
inline constexpr std::array kShares{10, 25, 50, 75, DesiredState::kAll};
static_assert(kShares.size() == TrafficController::kRampSteps + 1);

struct TrafficController::Rep : std::enable_shared_from_this<Rep> {
  using Change = state::Change;
  using Table = state::Table;

  struct Target {
    const TrafficPlace* place;
    std::unique_ptr<Adapter> adapter;
    std::optional<DesiredState> observed{};  // confirmed last
    DesiredState attempted{};                // of the change that is under way or failed last
    bool forced = false;                     // applied next, whatever was observed
    bool awaited = false;                    // its change is one that the request waits for
    std::string trouble{};
    std::string seen{};  // what was wrong there at the last look, without a change
    loop::Handle applying{}, retry{}, looking{};
  };
  struct Request {
    std::uint64_t id;
    Command command;
    std::function<void(ActionResult)> done;
    bool begun = false;  // the record is durable
    bool going_back = false;
    std::optional<ApplyResult> failure{};
    std::vector<std::string> texts{};
  };
  struct Entry {
    std::string service;
    DesiredState desired{};
    DrainRecord record{};
    std::size_t step = 0;  // of the slow start
    loop::Handle ramp{};
    std::unique_ptr<const TrafficSpec> spec, next{};
    bool exchange = false;  // for `next`, null: it goes, once its traffic is back
    std::vector<std::unique_ptr<Target>> targets{};
    std::optional<Request> request{};

    bool is_retired() const { return exchange && !next; }
    bool busy() const {
      return request ||
             std::any_of(targets.begin(), targets.end(), [](const auto& l) { return static_cast<bool>(l->applying); });
    }
  };
  struct Waiter final : loop::Registration {
    Waiter(std::weak_ptr<Rep> r, std::string s, std::uint64_t i) : rep(std::move(r)), service(std::move(s)), id(i) {}
    ~Waiter() override {
      const auto there = rep.lock();
      if (there) there->superseded.erase(id);
      Entry* entry = there ? there->find(service) : nullptr;
      if (entry != nullptr && entry->request && entry->request->id == id) entry->request->done = nullptr;
    }
    std::weak_ptr<Rep> rep;
    std::string service;
    std::uint64_t id;
  };

  Rep(TrafficContext c, state::State& s)
      : context(std::move(c)), state(s), nginx(context.scheduler, context.systemd, context.spawner) {
    context.nginx = &nginx;
  }

  TrafficContext context;
  state::State& state;
  traffic::Nginx nginx;
  std::uint64_t next_id = 1;
  std::map<std::uint64_t, std::function<void(ActionResult)>> superseded;  // requests that wait to be told so, by id
  std::map<std::string, std::unique_ptr<Entry>> entries;
  loop::Handle watch_timer;

  Entry* find(const std::string& service) {
    const auto found = entries.find(service);
    return found == entries.end() ? nullptr : found->second.get();
  }

  // What is out there by an agent's doing: it wants it so, or could not put it back yet.
  static Flow flow_by_us(const Entry& entry, const Target& target) {
    // A place that follows the health may be another word for the same server.
    const bool follows =
        entry.desired.is_out() && std::any_of(entry.targets.begin(), entry.targets.end(),
                                              [](const auto& t) { return t->place->follows_health(); });
    const bool out = follows || entry.desired.flow == Flow::drained || entry.record.drained ||
                     (target.observed && target.observed->flow == Flow::drained) ||
                     target.attempted.flow == Flow::drained;
    return out && !entry.record.externally_drained.contains(target.place->text()) ? Flow::drained : Flow::live;
  }

  // ---- reconciling

  // The desired state as far as the target knows it. What makes no difference to it is left out, so that it is no
  // reason for a change.
  static DesiredState desired_of(const Entry& entry, const Target& target) {
    DesiredState s = entry.desired;
    if (!target.place->follows_health() || entry.is_retired()) s.health = model::Health::up;
    if (s.flow == Flow::drained) return {.flow = Flow::drained};
    if (s.is_out()) s.share = DesiredState::kAll;
    else s.text.clear();
    return s;
  }

  void reconcile(Entry& entry) {
    for (std::size_t i = 0; i < entry.targets.size(); ++i) {
      Target& target = *entry.targets[i];
      if (target.applying) continue;
      const DesiredState to = desired_of(entry, target);
      // Unknown is not down, and not up either: what is outside stays as it is.
      const bool known = to.flow == Flow::drained || to.health != model::Health::unknown;
      const bool by_itself =
          (target.place->follows_health() && known) || (entry.record.slow_start.count() > 0 && target.observed);
      const bool rests = target.retry && target.attempted == to;
      if (target.forced || (by_itself && target.observed != to && !rests)) start_apply(entry, i, to);
    }
    if (entry.desired.share == DesiredState::kAll && entry.record.slow_start.count() > 0 && !entry.request &&
        all_converged(entry)) {
      entry.record = {};
      save(entry, nullptr);
      base::log::info("the slow start is over", {{"service", entry.service}});
    }
    if (entry.exchange && !entry.busy()) finish_exchange(entry.service);
  }

  static bool all_converged(const Entry& entry) {
    return std::all_of(entry.targets.begin(), entry.targets.end(), [&](const auto& target) {
      return !target->applying && target->observed == desired_of(entry, *target);
    });
  }

  void start_apply(Entry& entry, std::size_t i, const DesiredState& to) {
    Target& target = *entry.targets[i];
    target.retry.reset();
    target.attempted = to;
    target.awaited = target.forced && entry.request && entry.request->begun;
    target.forced = false;
    const base::Instant limit = context.scheduler.now() + kLimit;
    const bool commanded = target.awaited && !entry.request->going_back;
    target.applying = target.adapter->apply(to, commanded ? entry.request->command.deadline : limit,
                                            [this, service = entry.service, i](ApplyResult applied) {
                                              if (Entry* there = find(service)) ended(*there, i, std::move(applied));
                                            });
  }

  void ended(Entry& entry, std::size_t i, ApplyResult applied) {
    Target& target = *entry.targets[i];
    const loop::Handle own = std::move(target.applying);
    const std::string name = target.place->text();
    if (applied.result == ActionStatus::ok) {
      const bool was_drained = target.observed && target.observed->flow == Flow::drained;
      if (applied.externally_drained && target.attempted.flow == Flow::drained && !was_drained)
        entry.record.externally_drained.insert(name);
      if (was_drained && target.attempted.flow == Flow::drained && !applied.as_before && !target.awaited)
        base::log::warn("the service had its traffic again, which a plan had taken away; it was taken away once more",
                        {{"service", entry.service}, {"place", name}, {"text", applied.text}});
      target.observed = target.attempted;
      target.seen.clear();
      if (!target.trouble.empty())
        base::log::info("traffic is as it should be again", {{"service", entry.service}, {"text", applied.text}});
      target.trouble.clear();
    } else {
      if (target.trouble != applied.text && !target.awaited)
        base::log::warn("traffic could not be turned; trying again",
                        {{"service", entry.service}, {"place", name}, {"text", applied.text}});
      target.trouble = applied.text;
      target.retry = context.scheduler.after(kAgain, [this, service = entry.service, i] {
        Entry* there = find(service);
        if (there == nullptr) return;
        const loop::Handle timer = std::move(there->targets[i]->retry);
        reconcile(*there);
      });
    }
    if (std::exchange(target.awaited, false)) count(entry, applied);
    reconcile(entry);
  }

  // ---- what may be lost, or is not there: traffic_controller.cc

  void watch();
  static bool stays_out(const Entry& entry, const Target& target);
  void look_at(Entry& entry, std::size_t i);

  // ---- requests

  void count(Entry& entry, const ApplyResult& applied) {
    if (!entry.request) return;
    if (applied.result == ActionStatus::ok) entry.request->texts.push_back(applied.text);
    else if (!entry.request->failure) entry.request->failure = applied;
    request_done_if_all(entry);
  }

  void request_done_if_all(Entry& entry) {
    for (const auto& target : entry.targets)
      if (target->forced || target->awaited) return;
    Request& request = *entry.request;
    if (request.failure && request.command.to == Flow::drained && !request.going_back) {
      request.going_back = true;
      entry.desired.flow = Flow::live;
      bool any = false;
      for (const auto& target : entry.targets)
        if (target->observed && target->observed->flow == Flow::drained &&
            !entry.record.externally_drained.contains(target->place->text()))
          target->forced = any = true;
      if (any) return;  // reconcile() follows
    }
    finish(entry);
  }

  void finish(Entry& entry) {
    Request request = std::move(*entry.request);
    entry.request.reset();
    const bool live = entry.desired.flow == Flow::live;
    const bool some_out = std::any_of(entry.targets.begin(), entry.targets.end(), [&](const auto& target) {
      return target->observed && target->observed->flow == Flow::drained &&
             !entry.record.externally_drained.contains(target->place->text());
    });
    if (live && !(request.command.to == Flow::live && request.failure) && !some_out) {
      entry.record = {};
      if (!request.failure) entry.record.slow_start = request.command.slow_start;
      entry.record.settings = entry.spec->text;
    }
    save(entry, nullptr);
    if (live && entry.record.slow_start.count() > 0) continue_ramp(entry);
    if (!request.done) return;
    if (request.failure) return request.done({request.failure->result, request.failure->text});
    std::string text;
    for (const std::string& one : request.texts) text += (text.empty() ? "" : "; ") + one;
    if (entry.record.slow_start.count() > 0)
      text += fmt::format("; all of it after {}", base::format_duration(entry.record.slow_start));
    request.done({ActionStatus::ok, text});
  }

  void begin(Entry& entry) {
    Request& request = *entry.request;
    request.begun = true;
    const bool live = request.command.to == Flow::live;
    entry.ramp.reset();
    entry.step = 0;
    if (live) entry.record.slow_start = {};  // an earlier one
    entry.desired.flow = request.command.to;
    entry.desired.share = live && request.command.slow_start.count() > 0 ? kShares.front() : DesiredState::kAll;
    for (const auto& target : entry.targets) {
      const std::string name = target->place->text();
      target->awaited = false;
      target->forced = !(live && entry.record.externally_drained.contains(name));
      if (!target->forced) {
        request.texts.push_back(name + " stays out: it was not fettle that took it out");
        target->observed.reset();
      }
    }
    reconcile(entry);
    if (entry.request) request_done_in_later_turn(entry);
  }

  // For a service whose targets have nothing to apply.
  void request_done_in_later_turn(Entry& entry) {
    for (const auto& target : entry.targets)
      if (target->forced || target->awaited) return;
    post([this, service = entry.service, id = entry.request->id] {
      Entry* there = find(service);
      if (there != nullptr && there->request && there->request->id == id) request_done_if_all(*there);
    });
  }

  void post(std::function<void()> task) {
    context.scheduler.post([weak = weak_from_this(), task = std::move(task)] {
      if (weak.lock()) task();
    });
  }

  // Writes the record, or removes one that says nothing.
  void save(const Entry& entry, std::function<void(base::Result<>)> durable) {
    const bool known = state.read(Table::traffic).contains(entry.service);
    if (entry.record.nothing() && !known && !durable) return;
    std::vector<Change> changes;
    if (entry.record.nothing()) changes.push_back(Change::remove(Table::traffic, entry.service));
    else changes.push_back(Change::put(Table::traffic, entry.service, entry.record.to_json()));
    state.commit(std::move(changes), [weak = weak_from_this(), durable = std::move(durable)](base::Result<> result) {
      const auto there = weak.lock();
      if (!there) return;
      if (durable) return durable(std::move(result));
      if (!result) base::log::error("could not write how traffic stands", {{"error", result.error().text}});
    });
  }

  void command(Entry& entry, Command what, std::uint64_t id, std::function<void(ActionResult)> done) {
    if (entry.request && entry.request->done) {
      superseded.emplace(entry.request->id, std::move(entry.request->done));
      post([this, earlier = entry.request->id] {
        const auto told = superseded.extract(earlier);  // unless its Handle was dropped meanwhile
        if (told) told.mapped()({ActionStatus::failed, "a later command took its place"});
      });
    }
    entry.request = Request{id, what, std::move(done)};
    if (what.to == Flow::live) return begin(entry);
    entry.record.drained = true;
    entry.record.settings = entry.spec->text;
    entry.record.slow_start = {};
    save(entry, [this, service = entry.service, id](base::Result<> result) {
      Entry* there = find(service);
      if (there == nullptr || !there->request || there->request->id != id) return;
      if (result) return begin(*there);
      there->record.drained = there->desired.flow == Flow::drained;
      there->request->failure =
          ApplyResult{ActionStatus::failed, "nothing was turned, as it could not be noted: " + result.error().text};
      finish(*there);
      reconcile(*there);
    });
  }

  // ---- slow start

  // To the next share, as long as the service is not down.
  void continue_ramp(Entry& entry) {
    if (entry.ramp || entry.desired.share == DesiredState::kAll || entry.desired.health == model::Health::down) return;
    entry.ramp = context.scheduler.after(entry.record.slow_start / kRampSteps, [this, service = entry.service] {
      Entry* there = find(service);
      if (there == nullptr) return;
      const loop::Handle own = std::move(there->ramp);
      there->step = std::min(there->step + 1, kShares.size() - 1);
      there->desired.share = kShares[there->step];
      continue_ramp(*there);
      reconcile(*there);
    });
  }

  void on_health(Entry& entry, model::Health health, const std::string& text) {
    entry.desired.health = health;
    entry.desired.text = health == model::Health::down ? text : "";
    if (entry.record.slow_start.count() > 0 && entry.desired.flow == Flow::live && !entry.request) {
      if (health == model::Health::down) {
        entry.ramp.reset();
        entry.step = 0;
        entry.desired.share = kShares.front();
      } else continue_ramp(entry);
    }
    reconcile(entry);
  }

  // ---- configuration

  void install(Entry& entry, std::unique_ptr<const TrafficSpec> spec) {
    entry.exchange = false;
    entry.targets.clear();  // before the new ones: an address that they listen at is free again
    entry.spec = std::move(spec);
    for (const auto& place : entry.spec->places) {
      entry.targets.push_back(std::make_unique<Target>(Target{place.get(), place->start(context, entry.service)}));
      if (entry.record.slow_start.count() > 0) entry.targets.back()->forced = true;
    }
    reconcile(entry);
  }

  void add(std::unique_ptr<const TrafficSpec> spec) {
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.service = spec->service;
    entries[entry.service] = std::move(owned);
    const auto& table = state.read(Table::traffic);
    if (const auto left = table.find(entry.service); left != table.end())
      entry.record = parse_drain_record(left->second);
    if (entry.record.drained) entry.desired.flow = Flow::drained;
    else if (entry.record.slow_start.count() > 0) entry.desired.share = kShares.front();
    install(entry, std::move(spec));
    if (entry.record.slow_start.count() > 0) continue_ramp(entry);
    if (!watch_timer) watch();
  }

  // What fettle took away and no plan will bring back any more.
  static bool has_pending_undrain(const Entry& entry) {
    return !entry.record.nothing() || std::any_of(entry.targets.begin(), entry.targets.end(), [&](const auto& target) {
      return target->observed && target->observed->is_out() &&
             !entry.record.externally_drained.contains(target->place->text());
    });
  }

  // The service has no traffic in the configuration: its entry stays until nothing is left to undrain. Its health
  // does not count any more: no place is left out for it.
  void retire(Entry& entry) {
    entry.next.reset();
    entry.exchange = true;
    entry.ramp.reset();
    reconcile(entry);
  }

  // Drains of services that had lost their traffic when this agent started: their records say how they were configured.
  void adopt_orphans() {
    const auto table = state.read(Table::traffic);
    for (const auto& [service, text] : table) {
      if (find(service) != nullptr) continue;
      config::Errors errors;
      const DrainRecord record = parse_drain_record(text);
      auto spec = parse_traffic(service, config::Node::parse(record.settings, "the record of a drain", errors), errors);
      if (spec == nullptr) {
        base::log::error("the service was left without its traffic, and no record says where: look for it",
                         {{"service", service}, {"error", errors.text()}});
        state.commit({Change::remove(Table::traffic, service)}, [](base::Result<>) {});
        continue;
      }
      add(std::move(spec));
      retire(*find(service));
    }
  }

  // In a turn of its own: callers still hold the entry.
  void finish_exchange(const std::string& service) {
    post([this, service] {
      Entry* entry = find(service);
      if (entry == nullptr || !entry->exchange || entry->busy()) return;
      if (!entry->next && has_pending_undrain(*entry)) return;
      entry->exchange = false;
      if (entry->next) install(*entry, std::move(entry->next));
      else entries.erase(service);
    });
  }
};

}  // namespace recover
