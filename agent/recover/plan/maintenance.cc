#include "recover/plan/maintenance.h"
#include "loop/scheduler.h"
#include "state/state.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace recover {
namespace {

using state::Change;
using state::Table;

std::string to_json(const std::string& comment, std::optional<base::WallTime> until) {
  nlohmann::json record{{"comment", comment}};
  if (until) record["until_ms"] = base::to_ms(*until);
  return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Records of older versions are the comment alone.
Hold parse(const std::string& text) {
  const auto record = nlohmann::json::parse(text, nullptr, false);
  if (!record.is_object()) return {text};
  Hold hold{record.value("comment", "")};
  if (record.contains("until_ms")) hold.until = base::wall_from_ms(record["until_ms"].get<std::int64_t>());
  return hold;
}

// A link that leads nowhere was put there by a person as well.
bool exists(const std::string& path) {
  struct stat entry {};
  return !path.empty() && ::lstat(path.c_str(), &entry) == 0;
}

}  // namespace

void Maintenance::begin(const std::string& service, base::Millis length, const std::string& comment,
                        std::function<void(base::Result<>)> done) {
  std::optional<base::WallTime> until;
  if (length > base::Millis{0}) until = scheduler_.wall_now() + length;
  state_.commit({Change::put(Table::maintenance, service, to_json(comment, until))}, std::move(done));
}

void Maintenance::end(const std::string& service, std::function<void(base::Result<>)> done) {
  state_.commit({Change::remove(Table::maintenance, service)}, std::move(done));
}

std::optional<Hold> Maintenance::hold(const std::string& service, const MaintenanceTimes* times) const {
  const base::WallTime now = scheduler_.wall_now();
  const auto& table = state_.read(Table::maintenance);
  if (const auto found = table.find(service); found != table.end()) {
    Hold hold = parse(found->second);
    if (!hold.until || *hold.until > now) {
      if (hold.until)
        hold.text += fmt::format("{}until {}", hold.text.empty() ? "" : ", ", base::format_iso8601(*hold.until));
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
