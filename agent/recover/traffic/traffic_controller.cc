#include "recover/traffic/traffic_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/traffic/traffic_controller_rep.h"
#include "state/state.h"

namespace recover {

// A load balancer that starts again knows nothing of a drain; a file may be written by others.
void TrafficController::Rep::watch() {
  watch_timer = context.scheduler.after(kWatch, [this] {
    for (const auto& [service, entry] : entries) {
      for (std::size_t i = 0; i < entry->targets.size(); ++i) {
        Target& target = *entry->targets[i];
        if (stays_out(*entry, target)) target.forced = true;
        else if (!target.applying && !target.looking) look_at(*entry, i);
      }
      reconcile(*entry);
    }
    watch();
  });
}

bool TrafficController::Rep::stays_out(const Entry& entry, const Target& target) {
  return !entry.request && !target.applying && target.adapter->can_forget() && target.observed &&
         target.observed->is_out() && target.observed == desired_of(entry, target) &&
         !entry.record.externally_drained.contains(target.place->text());
}

void TrafficController::Rep::look_at(Entry& entry, std::size_t i) {
  Target& target = *entry.targets[i];
  target.looking = target.adapter->look(
      context.scheduler.now() + kWatch, [this, service = entry.service, i](const std::string& found) {
        Entry* there = find(service);
        if (there == nullptr || i >= there->targets.size()) return;
        Target& seen = *there->targets[i];
        const loop::Handle own = std::move(seen.looking);
        if (!found.empty() && found != seen.seen)
          base::log::warn("traffic cannot be turned there when it has to be",
                          {{"service", service}, {"place", seen.place->text()}, {"text", found}});
        seen.seen = found;
      });
}

TrafficController::TrafficController(TrafficContext context, state::State& state)
    : rep_(std::make_shared<Rep>(std::move(context), state)) {}
TrafficController::~TrafficController() = default;

void TrafficController::replace(std::vector<std::unique_ptr<const TrafficSpec>> services) {
  std::set<std::string> kept;
  for (auto& spec : services) {
    if (!spec) continue;
    kept.insert(spec->service);
    Rep::Entry* entry = rep_->find(spec->service);
    if (entry == nullptr) {
      rep_->add(std::move(spec));
    } else if (entry->busy()) {
      entry->next = std::move(spec);
      entry->exchange = true;
    } else {
      rep_->install(*entry, std::move(spec));
    }
  }
  for (auto it = rep_->entries.begin(); it != rep_->entries.end();) {
    Rep::Entry& entry = *it->second;
    const bool gone = !kept.contains(it->first);
    const bool stays = gone && (entry.busy() || Rep::has_pending_undrain(entry));
    if (stays) rep_->retire(entry);
    if (gone && !stays) it = rep_->entries.erase(it);
    else ++it;
  }
  rep_->adopt_orphans();
}

void TrafficController::on_health(const std::string& service, model::Health health, const std::string& text) {
  if (Rep::Entry* entry = rep_->find(service)) rep_->on_health(*entry, health, text);
}

loop::Handle TrafficController::apply(const std::string& service, const Command& command,
                                      std::function<void(ActionResult)> done) {
  Rep::Entry* entry = rep_->find(service);
  if (entry == nullptr)
    return rep_->context.scheduler.after({}, [done = std::move(done), service] {
      done({ActionStatus::refused,
            fmt::format("no traffic was moved: {} has no `traffic` in the configuration", service)});
    });
  const std::uint64_t id = rep_->next_id++;
  rep_->command(*entry, command, id, std::move(done));
  return loop::Handle(std::make_unique<Rep::Waiter>(rep_, service, id));
}

bool TrafficController::knows_drains(const std::string& service) const {
  const Rep::Entry* entry = rep_->find(service);
  return entry != nullptr && std::any_of(entry->targets.begin(), entry->targets.end(),
                                         [](const auto& target) { return target->adapter->knows_drains(); });
}

loop::Handle TrafficController::ask_drained(const std::string& service, base::Instant deadline,
                                            std::function<void(std::string)> done) {
  struct Round final : loop::Registration {
    std::function<void(std::string)> done;
    std::size_t missing = 0;
    std::string text;
    std::vector<loop::Handle> questions;
    loop::Handle turn;
  };
  auto owned = std::make_unique<Round>();
  Round* const round = owned.get();
  round->done = std::move(done);
  const Rep::Entry* entry = rep_->find(service);
  for (std::size_t i = 0; entry != nullptr && i < entry->targets.size(); ++i) {
    const Rep::Target& target = *entry->targets[i];
    if (!target.adapter->knows_drains() || target.applying) continue;
    ++round->missing;
    round->questions.push_back(
        target.adapter->ask_drained(Rep::flow_by_us(*entry, target), deadline, [round](std::string text) {
          if (!text.empty()) round->text += (round->text.empty() ? "" : "; ") + text;
          if (--round->missing == 0) round->done(round->text);
        }));
  }
  if (round->missing == 0) round->turn = rep_->context.scheduler.after({}, [round] { round->done(""); });
  return loop::Handle(std::move(owned));
}

bool TrafficController::left_drained(const std::string& service) const {
  const Rep::Entry* entry = rep_->find(service);
  if (entry == nullptr || entry->request) return false;
  if (entry->exchange && !entry->next && Rep::has_pending_undrain(*entry)) return true;
  return entry->record.drained || std::any_of(entry->targets.begin(), entry->targets.end(), [](const auto& target) {
           return !target->observed && target->adapter->left_drained();
         });
}

std::vector<std::string> TrafficController::all_left_drained() const {
  std::vector<std::string> out;
  for (const auto& [service, entry] : rep_->entries)
    if (left_drained(service)) out.push_back(service);
  return out;
}

std::vector<TrafficStatus> TrafficController::statuses() const {
  std::vector<TrafficStatus> out;
  for (const auto& [service, entry] : rep_->entries) {
    TrafficStatus status{service, entry->desired, {}, {}};
    for (const auto& target : entry->targets) {
      if (!target->trouble.empty()) status.troubles.push_back(target->place->text() + ": " + target->trouble);
      status.places.push_back({target->place->text(), target->trouble.empty() ? target->seen : target->trouble});
    }
    out.push_back(std::move(status));
  }
  return out;
}

}  // namespace recover
