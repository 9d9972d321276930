#include "notify/fallback.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "notify/receiver.h"

namespace notify {

Fallbacks::Fallbacks(Common& common, const Receivers& receivers, const std::map<model::Labels, model::Alert>& firing,
                     const std::map<std::string, model::Incident>& incidents)
    : common_(common), receivers_(receivers), firing_(firing), incidents_(incidents) {}

void Fallbacks::use(const std::vector<ReceiverSpec>& specs) {
  ways_.clear();
  for (const ReceiverSpec& spec : specs)
    if (!spec.fallback.empty()) ways_[spec.name] = {spec.fallback, spec.fallback_after};
  std::erase_if(active_, [&](const std::string& name) { return !ways_.contains(name); });
  soon();
}

std::string Fallbacks::stands_in_for(const std::string& receiver) const {
  return active_.contains(receiver) ? ways_.at(receiver).to : "";
}

void Fallbacks::soon() {
  if (ways_.empty() || soon_) return;
  soon_ = common_.context.scheduler.after({}, [this] {
    const loop::Handle own = std::move(soon_);
    look();
  });
}

std::vector<Receiver*> Fallbacks::named(const std::string& receiver) const {
  std::vector<Receiver*> out;
  for (const auto& [id, each] : receivers_)
    if (each->name() == receiver) out.push_back(each.get());
  return out;
}

template <typename What>
bool Fallbacks::waits_too_long(const std::string& receiver, const Way& way, const What& what,
                               base::WallTime& next) const {
  std::optional<base::WallTime> since;
  for (const Receiver* each : named(receiver)) {
    const auto waits = each->untaken_since(what);
    if (!waits) return false;
    since = std::max(since.value_or(*waits), *waits);
  }
  if (!since) return false;
  if (*since + way.after <= common_.context.scheduler.wall_now()) return true;
  next = std::min(next, *since + way.after);
  return false;
}

// An alert of a service goes into the incident of that service for those who hear of incidents.
bool Fallbacks::hears_of_its_incident(const std::string& receiver, const model::Alert& alert) const {
  const std::vector<Receiver*> ways = named(receiver);
  return std::any_of(ways.begin(), ways.end(), [](const Receiver* each) { return each->by_incident(); }) &&
         std::any_of(incidents_.begin(), incidents_.end(),
                     [&](const auto& entry) { return entry.second.service == alert.service(); });
}

bool Fallbacks::look_at(const std::string& receiver, const Way& way, base::WallTime& next) {
  bool any = false;
  for (const auto& [id, incident] : std::map(incidents_)) {
    if (!waits_too_long(receiver, way, incident, next)) continue;
    any = true;
    for (Receiver* second : named(way.to)) second->on_incident(incident, Receiver::Wanted::anyway);
  }
  for (const auto& [labels, alert] : std::map(firing_)) {
    if (hears_of_its_incident(way.to, alert) || !waits_too_long(receiver, way, alert, next)) continue;
    any = true;
    for (Receiver* second : named(way.to)) second->stand_in(alert);
  }
  return any;
}

void Fallbacks::look() {
  base::WallTime next = base::WallTime::max();
  for (const auto& [receiver, way] : ways_) {
    const bool active = look_at(receiver, way, next);
    if (active && active_.insert(receiver).second) {
      base::log::warn("a receiver takes no notification; its fallback is told in its place",
                      {{"receiver", receiver}, {"fallback", way.to}, {"after", base::format_duration(way.after)}});
      if (common_.callbacks.on_result) common_.callbacks.on_result(receiver, "", SendResult::fallback);
    }
    if (!active && active_.erase(receiver) > 0)
      base::log::info("nothing waits for a receiver any more; its fallback is not told in its place now",
                      {{"receiver", receiver}, {"fallback", way.to}});
  }
  later_.reset();
  if (next == base::WallTime::max()) return;
  const base::WallTime now = common_.context.scheduler.wall_now();
  later_ = common_.context.scheduler.after(std::max<base::Duration>(next - now, base::Duration{}), [this] {
    const loop::Handle own = std::move(later_);
    look();
  });
}

}  // namespace notify
