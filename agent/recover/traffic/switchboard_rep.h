// The inside of a Switchboard: services with their places, levels, orders, slow starts. Included by switchboard.cc
// only.
#pragma once

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "recover/traffic/away.h"
#include "recover/traffic/nginx.h"
#include "recover/traffic/switchboard.h"

namespace recover {

// Of a slow start: the rest comes in even steps.
inline constexpr std::array kShares{10, 25, 50, 75, Stance::kAll};
static_assert(kShares.size() == Switchboard::kRampSteps + 1);

struct Switchboard::Rep : std::enable_shared_from_this<Rep> {
  using Change = state::Change;
  using Table = state::Table;

  struct Line {
    const TrafficPlace* place;
    std::unique_ptr<Adapter> adapter;
    std::optional<Stance> shown{};  // confirmed last
    Stance asked{};                 // of the turn that is under way or failed last
    bool must = false;              // be turned, whatever it shows
    bool counts = false;            // its turn is one that the order waits for
    std::string trouble{};
    loop::Handle turn{}, again{};
  };
  struct Order {
    std::uint64_t id;
    Command command;
    std::function<void(ActionResult)> done;
    bool begun = false;  // the record is durable
    bool going_back = false;
    std::optional<Turned> failure{};
    std::vector<std::string> texts{};
  };
  struct Entry {
    std::string service;
    Stance stance{};
    Away away{};
    std::size_t step = 0;  // of the slow start
    loop::Handle ramp{};
    std::unique_ptr<const TrafficSpec> spec, next{};
    bool exchange = false;  // for `next`, null: it goes, once its traffic is back
    std::vector<std::unique_ptr<Line>> lines{};
    std::optional<Order> order{};

    bool busy() const {
      return order || std::any_of(lines.begin(), lines.end(), [](const auto& l) { return static_cast<bool>(l->turn); });
    }
  };
  struct Place final : loop::Registration {
    Place(std::weak_ptr<Rep> r, std::string s, std::uint64_t i) : rep(std::move(r)), service(std::move(s)), id(i) {}
    ~Place() override {
      const auto there = rep.lock();
      if (there) there->superseded.erase(id);
      Entry* entry = there ? there->find(service) : nullptr;
      if (entry != nullptr && entry->order && entry->order->id == id) entry->order->done = nullptr;
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
  std::map<std::uint64_t, std::function<void(ActionResult)>> superseded;  // orders that wait to be told so, by id
  std::map<std::string, std::unique_ptr<Entry>> entries;

  Entry* find(const std::string& service) {
    const auto found = entries.find(service);
    return found == entries.end() ? nullptr : found->second.get();
  }

  // ---- levels

  // How the place is to show the service. What makes no difference to it is left out, so that it is no reason to turn.
  static Stance wanted(const Entry& entry, const Line& line) {
    Stance s = entry.stance;
    if (!line.place->follows_health()) s.health = model::Health::up;
    if (s.flow == Flow::drained) return {.flow = Flow::drained};
    if (s.is_out()) s.share = Stance::kAll;
    else s.text.clear();
    return s;
  }

  void settle(Entry& entry) {
    for (std::size_t i = 0; i < entry.lines.size(); ++i) {
      Line& line = *entry.lines[i];
      if (line.turn) continue;
      const Stance to = wanted(entry, line);
      // Unknown is not down, and not up either: what is outside stays as it is.
      const bool known = to.flow == Flow::drained || to.health != model::Health::unknown;
      const bool by_itself =
          (line.place->follows_health() && known) || (entry.away.slow_start.count() > 0 && line.shown);
      const bool rests = line.again && line.asked == to;
      if (line.must || (by_itself && line.shown != to && !rests)) start_turn(entry, i, to);
    }
    if (entry.stance.share == Stance::kAll && entry.away.slow_start.count() > 0 && !entry.order && all_show(entry)) {
      entry.away = {};
      save(entry, nullptr);
      base::log::info("the slow start is over", {{"service", entry.service}});
    }
    if (entry.exchange && !entry.busy()) finish_exchange(entry.service);
  }

  static bool all_show(const Entry& entry) {
    return std::all_of(entry.lines.begin(), entry.lines.end(),
                       [&](const auto& line) { return !line->turn && line->shown == wanted(entry, *line); });
  }

  void start_turn(Entry& entry, std::size_t i, const Stance& to) {
    Line& line = *entry.lines[i];
    line.again.reset();
    line.asked = to;
    line.counts = line.must && entry.order && entry.order->begun;
    line.must = false;
    const base::Instant limit = context.scheduler.now() + kLimit;
    const bool commanded = line.counts && !entry.order->going_back;
    line.turn = line.adapter->turn(to, commanded ? entry.order->command.deadline : limit,
                                   [this, service = entry.service, i](Turned turned) {
                                     if (Entry* there = find(service)) ended(*there, i, std::move(turned));
                                   });
  }

  void ended(Entry& entry, std::size_t i, Turned turned) {
    Line& line = *entry.lines[i];
    const loop::Handle own = std::move(line.turn);
    const std::string name = line.place->text();
    if (turned.result == "ok") {
      const bool was_drained = line.shown && line.shown->flow == Flow::drained;
      if (turned.by_others && line.asked.flow == Flow::drained && !was_drained) entry.away.by_others.insert(name);
      line.shown = line.asked;
      if (!line.trouble.empty())
        base::log::info("traffic is as it should be again", {{"service", entry.service}, {"text", turned.text}});
      line.trouble.clear();
    } else {
      if (line.trouble != turned.text && !line.counts)
        base::log::warn("traffic could not be turned; trying again",
                        {{"service", entry.service}, {"place", name}, {"text", turned.text}});
      line.trouble = turned.text;
      line.again = context.scheduler.after(kAgain, [this, service = entry.service, i] {
        Entry* there = find(service);
        if (there == nullptr) return;
        const loop::Handle timer = std::move(there->lines[i]->again);
        settle(*there);
      });
    }
    if (std::exchange(line.counts, false)) count(entry, turned);
    settle(entry);
  }

  // ---- orders

  void count(Entry& entry, const Turned& turned) {
    if (!entry.order) return;
    if (turned.result == "ok") entry.order->texts.push_back(turned.text);
    else if (!entry.order->failure) entry.order->failure = turned;
    order_done_if_all(entry);
  }

  void order_done_if_all(Entry& entry) {
    for (const auto& line : entry.lines)
      if (line->must || line->counts) return;
    Order& order = *entry.order;
    if (order.failure && order.command.to == Flow::drained && !order.going_back) {
      order.going_back = true;
      entry.stance.flow = Flow::live;
      bool any = false;
      for (const auto& line : entry.lines)
        if (line->shown && line->shown->flow == Flow::drained && !entry.away.by_others.contains(line->place->text()))
          line->must = any = true;
      if (any) return;  // settle() follows
    }
    finish(entry);
  }

  void finish(Entry& entry) {
    Order order = std::move(*entry.order);
    entry.order.reset();
    const bool live = entry.stance.flow == Flow::live;
    const bool some_out = std::any_of(entry.lines.begin(), entry.lines.end(), [&](const auto& line) {
      return line->shown && line->shown->flow == Flow::drained && !entry.away.by_others.contains(line->place->text());
    });
    if (live && !(order.command.to == Flow::live && order.failure) && !some_out) {
      entry.away = {};
      if (!order.failure) entry.away.slow_start = order.command.slow_start;
      entry.away.settings = entry.spec->text;
    }
    save(entry, nullptr);
    if (live && entry.away.slow_start.count() > 0) continue_ramp(entry);
    if (!order.done) return;
    if (order.failure) return order.done({order.failure->result, order.failure->text});
    std::string text;
    for (const std::string& one : order.texts) text += (text.empty() ? "" : "; ") + one;
    if (entry.away.slow_start.count() > 0)
      text += fmt::format("; all of it after {}", base::format_duration(entry.away.slow_start));
    order.done({"ok", text});
  }

  void begin(Entry& entry) {
    Order& order = *entry.order;
    order.begun = true;
    const bool live = order.command.to == Flow::live;
    entry.ramp.reset();
    entry.step = 0;
    if (live) entry.away.slow_start = {};  // an earlier one
    entry.stance.flow = order.command.to;
    entry.stance.share = live && order.command.slow_start.count() > 0 ? kShares.front() : Stance::kAll;
    for (const auto& line : entry.lines) {
      const std::string name = line->place->text();
      line->counts = false;
      line->must = !(live && entry.away.by_others.contains(name));
      if (!line->must) {
        order.texts.push_back(name + " stays out: it was not fettle that took it out");
        line->shown.reset();
      }
    }
    settle(entry);
    if (entry.order) order_done_in_later_turn(entry);
  }

  // For a service whose places have nothing to turn.
  void order_done_in_later_turn(Entry& entry) {
    for (const auto& line : entry.lines)
      if (line->must || line->counts) return;
    post([this, service = entry.service, id = entry.order->id] {
      Entry* there = find(service);
      if (there != nullptr && there->order && there->order->id == id) order_done_if_all(*there);
    });
  }

  void post(std::function<void()> task) {
    context.scheduler.post([weak = weak_from_this(), task = std::move(task)] {
      if (weak.lock()) task();
    });
  }

  // Writes what is away, or that nothing is.
  void save(const Entry& entry, std::function<void(base::Result<>)> durable) {
    const bool known = state.read(Table::traffic).contains(entry.service);
    if (entry.away.nothing() && !known && !durable) return;
    std::vector<Change> changes;
    if (entry.away.nothing()) changes.push_back(Change::remove(Table::traffic, entry.service));
    else changes.push_back(Change::put(Table::traffic, entry.service, entry.away.to_json()));
    state.commit(std::move(changes), [weak = weak_from_this(), durable = std::move(durable)](base::Result<> result) {
      const auto there = weak.lock();
      if (!there) return;
      if (durable) return durable(std::move(result));
      if (!result) base::log::error("could not write how traffic stands", {{"error", result.error().text}});
    });
  }

  void command(Entry& entry, Command what, std::uint64_t id, std::function<void(ActionResult)> done) {
    if (entry.order && entry.order->done) {
      superseded.emplace(entry.order->id, std::move(entry.order->done));
      post([this, earlier = entry.order->id] {
        const auto told = superseded.extract(earlier);  // unless its Handle was dropped meanwhile
        if (told) told.mapped()({"failed", "a later command took its place"});
      });
    }
    entry.order = Order{id, what, std::move(done)};
    if (what.to == Flow::live) return begin(entry);
    entry.away.drained = true;
    entry.away.settings = entry.spec->text;
    entry.away.slow_start = {};
    save(entry, [this, service = entry.service, id](base::Result<> result) {
      Entry* there = find(service);
      if (there == nullptr || !there->order || there->order->id != id) return;
      if (result) return begin(*there);
      there->away.drained = there->stance.flow == Flow::drained;
      there->order->failure = Turned{"failed", "nothing was turned, as it could not be noted: " + result.error().text};
      finish(*there);
      settle(*there);
    });
  }

  // ---- slow start

  // To the next share, as long as the service is not down.
  void continue_ramp(Entry& entry) {
    if (entry.ramp || entry.stance.share == Stance::kAll || entry.stance.health == model::Health::down) return;
    entry.ramp = context.scheduler.after(entry.away.slow_start / kRampSteps, [this, service = entry.service] {
      Entry* there = find(service);
      if (there == nullptr) return;
      const loop::Handle own = std::move(there->ramp);
      there->step = std::min(there->step + 1, kShares.size() - 1);
      there->stance.share = kShares[there->step];
      continue_ramp(*there);
      settle(*there);
    });
  }

  void on_health(Entry& entry, model::Health health, const std::string& text) {
    entry.stance.health = health;
    entry.stance.text = health == model::Health::down ? text : "";
    if (entry.away.slow_start.count() > 0 && entry.stance.flow == Flow::live && !entry.order) {
      if (health == model::Health::down) {
        entry.ramp.reset();
        entry.step = 0;
        entry.stance.share = kShares.front();
      } else continue_ramp(entry);
    }
    settle(entry);
  }

  // ---- configuration

  void install(Entry& entry, std::unique_ptr<const TrafficSpec> spec) {
    entry.exchange = false;
    entry.lines.clear();  // before the new ones: an address that they listen at is free again
    entry.spec = std::move(spec);
    for (const auto& place : entry.spec->places) {
      entry.lines.push_back(std::make_unique<Line>(Line{place.get(), place->start(context, entry.service)}));
      if (entry.away.slow_start.count() > 0) entry.lines.back()->must = true;
    }
    settle(entry);
  }

  void add(std::unique_ptr<const TrafficSpec> spec) {
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.service = spec->service;
    entries[entry.service] = std::move(owned);
    const auto& table = state.read(Table::traffic);
    if (const auto left = table.find(entry.service); left != table.end()) entry.away = parse_away(left->second);
    if (entry.away.drained) entry.stance.flow = Flow::drained;
    else if (entry.away.slow_start.count() > 0) entry.stance.share = kShares.front();
    install(entry, std::move(spec));
    if (entry.away.slow_start.count() > 0) continue_ramp(entry);
  }

  // What fettle took away and no plan will bring back any more.
  static bool owes(const Entry& entry) {
    return !entry.away.nothing() || std::any_of(entry.lines.begin(), entry.lines.end(), [&](const auto& line) {
      return line->shown && line->shown->is_out() && !entry.away.by_others.contains(line->place->text());
    });
  }

  // The service has no traffic in the configuration: its entry stays until nothing is owed. Its health is nobody's
  // business any more, so that no place is left out for it.
  void dismiss(Entry& entry) {
    entry.next.reset();
    entry.exchange = true;
    entry.ramp.reset();
    on_health(entry, model::Health::up, "");
  }

  // Drains of services that had lost their traffic when this agent started: their records say how they were configured.
  void take_up_orphans() {
    const auto table = state.read(Table::traffic);
    for (const auto& [service, text] : table) {
      if (find(service) != nullptr) continue;
      config::Errors errors;
      const Away away = parse_away(text);
      auto spec = parse_traffic(service, config::Node::parse(away.settings, "the record of a drain", errors), errors);
      if (spec == nullptr) {
        base::log::error("the service was left without its traffic, and no record says where: look for it",
                         {{"service", service}, {"error", errors.text()}});
        state.commit({Change::remove(Table::traffic, service)}, [](base::Result<>) {});
        continue;
      }
      add(std::move(spec));
      dismiss(*find(service));
    }
  }

  // In a turn of its own: callers still hold the entry.
  void finish_exchange(const std::string& service) {
    post([this, service] {
      Entry* entry = find(service);
      if (entry == nullptr || !entry->exchange || entry->busy()) return;
      if (!entry->next && owes(*entry)) return;
      entry->exchange = false;
      if (entry->next) install(*entry, std::move(entry->next));
      else entries.erase(service);
    });
  }
};

}  // namespace recover
