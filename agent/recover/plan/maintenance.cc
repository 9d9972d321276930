#include "recover/plan/maintenance.h"
#include "loop/scheduler.h"
#include "state/state.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace recover {
namespace {

using state::Change;
using state::Table;

std::string to_json(const std::string& comment, MaintenanceEnd end, base::WallTime now) {
  nlohmann::json record{{"comment", comment}};
  if (end.length > base::Millis{0}) record["until_ms"] = base::to_ms(now + end.length);
  if (end.until_healthy > base::Millis{0}) {
    record["began_ms"] = base::to_ms(now);
    record["until_healthy_ms"] = end.until_healthy.count();
  }
  return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct Record {
  Hold hold;
  base::WallTime began{};
  base::Millis until_healthy{0};
};

// Records of older versions are the comment alone.
Record parse(const std::string& text) {
  const auto record = nlohmann::json::parse(text, nullptr, false);
  if (!record.is_object()) return {{text}};
  Record out{{record.value("comment", "")}};
  if (record.contains("until_ms")) out.hold.until = base::wall_from_ms(record["until_ms"].get<std::int64_t>());
  out.began = base::wall_from_ms(record.value("began_ms", std::int64_t{0}));
  out.until_healthy = base::Millis{record.value("until_healthy_ms", std::int64_t{0})};
  return out;
}

// A link that leads nowhere was put there by a person as well.
bool exists(const std::string& path) {
  struct stat entry {};
  return !path.empty() && ::lstat(path.c_str(), &entry) == 0;
}

}  // namespace

std::string usual_pause_file(const std::string& service) { return "/run/fettle/pause.d/" + service; }

void Maintenance::begin(const std::string& service, MaintenanceEnd end, const std::string& comment,
                        std::function<void(base::Result<>)> done) {
  state_.commit({Change::put(Table::maintenance, service, to_json(comment, end, scheduler_.wall_now()))},
                std::move(done));
}

std::vector<std::string> Maintenance::over(const UpSince& up_since) const {
  const base::WallTime now = scheduler_.wall_now();
  std::vector<std::string> out;
  for (const auto& [service, text] : state_.read(Table::maintenance)) {
    const Record record = parse(text);
    if (record.until_healthy <= base::Millis{0}) continue;
    const auto since = up_since(service);
    if (since && std::max(*since, record.began) + record.until_healthy <= now) out.push_back(service);
  }
  return out;
}

void Maintenance::end(const std::string& service, std::function<void(base::Result<>)> done) {
  state_.commit({Change::remove(Table::maintenance, service)}, std::move(done));
}

std::optional<Hold> Maintenance::hold(const std::string& service, const MaintenanceTimes* times) const {
  const base::WallTime now = scheduler_.wall_now();
  const auto& table = state_.read(Table::maintenance);
  if (const auto found = table.find(service); found != table.end()) {
    const Record record = parse(found->second);
    Hold hold = record.hold;
    if (!hold.until || *hold.until > now) {
      const auto add = [&](const std::string& end) { hold.text += (hold.text.empty() ? "" : ", ") + end; };
      if (hold.until) add("until " + base::format_iso8601(*hold.until));
      if (record.until_healthy > base::Millis{0})
        add("until it has been healthy for " + base::format_duration(record.until_healthy));
      return hold;
    }
  }
  if (times == nullptr) return std::nullopt;
  for (const MaintenanceWindow& window : times->windows)
    if (const auto end = window.open_until(now, times->zone))
      return Hold{fmt::format("window {} until {}", window.text(), times->zone.clock(*end)), end};
  return std::nullopt;
}

std::optional<Hold> Maintenance::pause(const std::string& node_file, const MaintenanceTimes& times) const {
  for (const std::string* file : {&node_file, &times.pause_file})
    if (exists(*file)) return Hold{fmt::format("{} exists: remove it to go on", *file)};
  return std::nullopt;
}

}  // namespace recover
