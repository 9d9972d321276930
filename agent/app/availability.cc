#include "app/availability.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"

namespace app {
namespace {

using model::AvailabilitySpan;
using nlohmann::json;
using state::Change;
using state::Table;

// 2020-01-01. A clock that says less was not set yet, and begins nothing.
constexpr std::int32_t kFirstDay = 18'262;
// Of what goes on, and of those before it.
struct Keys {
  std::string_view now, before;
};
constexpr Keys kDays{"today/", "before/"}, kHours{"hour/", "hours/"};

json to_array(const AvailabilitySpan& span) { return json::array({span.number, span.up, span.down, span.planned}); }

std::optional<AvailabilitySpan> span_of(const json& in) {
  if (!in.is_array() || in.size() != 4) return std::nullopt;
  for (const json& value : in)
    if (!value.is_number_integer()) return std::nullopt;
  return AvailabilitySpan{in[0].get<std::int32_t>(), in[1].get<std::int64_t>(), in[2].get<std::int64_t>(),
                          in[3].get<std::int64_t>()};
}

bool has_some(const AvailabilitySpan& span) { return span.up + span.down + span.planned > 0; }

// A clock that was set back begins no day and no hour again: its figures go on.
template <typename Ledger>
void begin(Ledger& ledger, std::int32_t number, std::size_t most) {
  std::vector<AvailabilitySpan> spans = *ledger.before;
  if (has_some(ledger.now)) spans.push_back(ledger.now);
  ledger.now = {number, 0, 0, 0};
  const auto again = std::find_if(spans.begin(), spans.end(), [&](const auto& one) { return one.number == number; });
  if (again != spans.end()) {
    ledger.now = *again;
    spans.erase(again);
  }
  std::erase_if(spans, [&](const AvailabilitySpan& one) {
    return one.number > number || one.number + static_cast<std::int32_t>(most) <= number;
  });
  ledger.before = std::make_shared<const std::vector<AvailabilitySpan>>(std::move(spans));
  ledger.changed = ledger.before_changed = true;
}

template <typename Ledger>
void read(const std::string& key, const json& in, const Keys& keys,
          const std::function<Ledger&(const std::string&)>& of) {
  if (key.starts_with(keys.now)) {
    if (const auto span = span_of(in)) of(key.substr(keys.now.size())).now = *span;
  } else if (key.starts_with(keys.before) && in.is_array()) {
    std::vector<AvailabilitySpan> spans;
    for (const json& each : in)
      if (const auto span = span_of(each)) spans.push_back(*span);
    of(key.substr(keys.before.size())).before = std::make_shared<const std::vector<AvailabilitySpan>>(std::move(spans));
  }
}

template <typename Ledger>
void add_changes(const std::string& name, Ledger& ledger, const Keys& keys, std::vector<Change>& changes) {
  if (std::exchange(ledger.before_changed, false)) {
    json spans = json::array();
    for (const AvailabilitySpan& span : *ledger.before) spans.push_back(to_array(span));
    changes.push_back(Change::put(Table::availability, std::string(keys.before) + name, spans.dump()));
  }
  if (std::exchange(ledger.changed, false))
    changes.push_back(Change::put(Table::availability, std::string(keys.now) + name, to_array(ledger.now).dump()));
}

}  // namespace

Availability::Availability(state::State& state, loop::Scheduler& scheduler, InMaintenance in_maintenance)
    : state_(state), scheduler_(scheduler), in_maintenance_(std::move(in_maintenance)) {
  load();
  timer_ = scheduler_.after(kWriteEvery, [this] { write(); });
}

void Availability::load() {
  for (const auto& [key, text] : state_.read(Table::availability)) {
    const json in = json::parse(text, nullptr, false);
    read<Ledger>(key, in, kDays, [&](const std::string& name) -> Ledger& { return services_[name].days; });
    read<Ledger>(key, in, kHours, [&](const std::string& name) -> Ledger& { return services_[name].hours; });
  }
}

void Availability::on_health(const std::string& service, model::Health health) {
  Service& entry = services_[service];
  count(service, entry);
  entry.health = health;
}

void Availability::count(const std::string& name, Service& service) {
  using model::ServiceAvailability;
  const base::Instant now = scheduler_.now();
  const auto gone = std::chrono::floor<base::Millis>(now - std::exchange(service.since, now));
  const auto wall = scheduler_.wall_now().time_since_epoch();
  const auto day = static_cast<std::int32_t>(std::chrono::floor<std::chrono::days>(wall).count());
  const auto hour = static_cast<std::int32_t>(std::chrono::floor<std::chrono::hours>(wall).count());
  const bool is_set = day >= kFirstDay;
  if (is_set && service.days.now.number != day) begin(service.days, day, ServiceAvailability::kDays);
  if (is_set && service.hours.now.number != hour) begin(service.hours, hour, ServiceAvailability::kHours);
  if (service.health == model::Health::unknown || gone <= base::Millis{0}) return;
  const bool planned = service.health == model::Health::down && in_maintenance_(name);
  // What began before counts for the new day or hour from its begin on at most, and the clock may have been set.
  for (Ledger* ledger : {&service.days, &service.hours}) {
    std::int64_t& into = service.health == model::Health::up ? ledger->now.up
                         : planned                           ? ledger->now.planned
                                                             : ledger->now.down;
    into += gone.count();
    ledger->changed = true;
  }
}

void Availability::write() {
  std::vector<Change> changes;
  for (auto at = services_.begin(); at != services_.end();) {
    auto& [name, service] = *at;
    count(name, service);
    add_changes(name, service.days, kDays, changes);
    add_changes(name, service.hours, kHours, changes);
    // Nothing is known of it for 90 days: it is not configured any more.
    const bool over =
        service.health == model::Health::unknown && service.days.before->empty() && !has_some(service.days.now);
    if (over)
      for (const std::string_view kind : {kDays.now, kDays.before, kHours.now, kHours.before})
        changes.push_back(Change::remove(Table::availability, std::string(kind) + name));
    at = over ? services_.erase(at) : std::next(at);
  }
  if (!changes.empty())
    state_.commit(std::move(changes), [this, still = std::weak_ptr(alive_)](const base::Result<>& written) {
      if (written || still.expired()) return;
      base::log::debug("availability could not be written", {{"error", written.error().text}});
      for (auto& [name, service] : services_)
        for (Ledger* ledger : {&service.days, &service.hours}) ledger->changed = ledger->before_changed = true;
    });
  timer_ = scheduler_.after(kWriteEvery, [this] { write(); });
}

std::vector<model::ServiceAvailability> Availability::services() {
  std::vector<model::ServiceAvailability> out;
  for (auto& [name, service] : services_) {
    count(name, service);
    if (has_some(service.days.now) || !service.days.before->empty())
      out.push_back({name, service.days.before, service.days.now, service.hours.before, service.hours.now});
  }
  return out;
}

}  // namespace app
