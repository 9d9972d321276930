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

using model::AvailabilityDay;
using nlohmann::json;
using state::Change;
using state::Table;

// 2020-01-01. A clock that says less was not set yet, and begins no day.
constexpr std::int32_t kFirstDay = 18'262;
constexpr std::string_view kToday = "today/", kBefore = "before/";

json to_array(const AvailabilityDay& day) { return json::array({day.day, day.up, day.down, day.planned}); }

std::optional<AvailabilityDay> day_of(const json& in) {
  if (!in.is_array() || in.size() != 4) return std::nullopt;
  for (const json& value : in)
    if (!value.is_number_integer()) return std::nullopt;
  return AvailabilityDay{in[0].get<std::int32_t>(), in[1].get<std::int64_t>(), in[2].get<std::int64_t>(),
                         in[3].get<std::int64_t>()};
}

bool has_some(const AvailabilityDay& day) { return day.up + day.down + day.planned > 0; }

}  // namespace

Availability::Availability(state::State& state, loop::Scheduler& scheduler, InMaintenance in_maintenance)
    : state_(state), scheduler_(scheduler), in_maintenance_(std::move(in_maintenance)) {
  load();
  timer_ = scheduler_.after(kWriteEvery, [this] { write(); });
}

void Availability::load() {
  for (const auto& [key, text] : state_.read(Table::availability)) {
    const json in = json::parse(text, nullptr, false);
    if (key.starts_with(kToday)) {
      if (const auto day = day_of(in)) services_[key.substr(kToday.size())].today = *day;
    } else if (key.starts_with(kBefore) && in.is_array()) {
      std::vector<AvailabilityDay> days;
      for (const json& each : in)
        if (const auto day = day_of(each)) days.push_back(*day);
      services_[key.substr(kBefore.size())].before =
          std::make_shared<const std::vector<AvailabilityDay>>(std::move(days));
    }
  }
}

std::int32_t Availability::day() const {
  const auto days = std::chrono::floor<std::chrono::days>(scheduler_.wall_now().time_since_epoch());
  return static_cast<std::int32_t>(days.count());
}

void Availability::on_health(const std::string& service, model::Health health) {
  Service& entry = services_[service];
  count(service, entry);
  entry.health = health;
}

void Availability::count(const std::string& name, Service& service) {
  const base::Instant now = scheduler_.now();
  const auto gone = std::chrono::floor<base::Millis>(now - std::exchange(service.since, now));
  if (const std::int32_t today = day(); service.today.day != today && today >= kFirstDay) begin_day(service, today);
  if (service.health == model::Health::unknown || gone <= base::Millis{0}) return;
  // What began yesterday counts for today from midnight on at most, and the clock may have been set.
  std::int64_t& into = service.health == model::Health::up ? service.today.up
                       : in_maintenance_(name)             ? service.today.planned
                                                           : service.today.down;
  into += gone.count();
  service.changed = true;
}

// A clock that was set back begins no day again: its figures go on.
void Availability::begin_day(Service& service, std::int32_t day) const {
  std::vector<AvailabilityDay> days = *service.before;
  if (has_some(service.today)) days.push_back(service.today);
  service.today = {day, 0, 0, 0};
  const auto again = std::find_if(days.begin(), days.end(), [&](const auto& one) { return one.day == day; });
  if (again != days.end()) {
    service.today = *again;
    days.erase(again);
  }
  std::erase_if(days, [&](const AvailabilityDay& one) {
    return one.day > day || one.day + static_cast<std::int32_t>(model::ServiceAvailability::kDays) <= day;
  });
  service.before = std::make_shared<const std::vector<AvailabilityDay>>(std::move(days));
  service.changed = service.before_changed = true;
}

void Availability::write() {
  std::vector<Change> changes;
  for (auto at = services_.begin(); at != services_.end();) {
    auto& [name, service] = *at;
    count(name, service);
    if (std::exchange(service.before_changed, false)) {
      json days = json::array();
      for (const AvailabilityDay& day : *service.before) days.push_back(to_array(day));
      changes.push_back(Change::put(Table::availability, std::string(kBefore) + name, days.dump()));
    }
    if (std::exchange(service.changed, false))
      changes.push_back(Change::put(Table::availability, std::string(kToday) + name, to_array(service.today).dump()));
    // Nothing is known of it for 90 days: it is not configured any more.
    const bool over = service.health == model::Health::unknown && service.before->empty() && !has_some(service.today);
    if (over)
      for (const std::string_view kind : {kToday, kBefore})
        changes.push_back(Change::remove(Table::availability, std::string(kind) + name));
    at = over ? services_.erase(at) : std::next(at);
  }
  if (!changes.empty())
    state_.commit(std::move(changes), [this, still = std::weak_ptr(alive_)](const base::Result<>& written) {
      if (written || still.expired()) return;
      base::log::debug("availability could not be written", {{"error", written.error().text}});
      for (auto& [name, service] : services_) service.changed = service.before_changed = true;
    });
  timer_ = scheduler_.after(kWriteEvery, [this] { write(); });
}

std::vector<model::ServiceAvailability> Availability::services() {
  std::vector<model::ServiceAvailability> out;
  for (auto& [name, service] : services_) {
    count(name, service);
    if (has_some(service.today) || !service.before->empty()) out.push_back({name, service.before, service.today});
  }
  return out;
}

}  // namespace app
