// What is known of a drill, durable: its last run, and the last that proved a restore. A record of Table::recoveries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace recover {

// How a run ended; the words are durable, and those of the API.
enum class DrillResult {
  none,            // it has not
  verified,        // a restore is proven
  no_backup,       // the repository has none that counts
  unreadable,      // the tool does not get at the repository: gone, damaged, a wrong password
  restore_failed,  // the tool could not restore it
  empty,           // nothing came back
  not_verified,    // what came back is not what it must be
  scratch,         // the scratch folder cannot be used
  scratch_full,    // or has no room
  timeout,
  interrupted  // by a recovery, a reload, the end of the agent, a want of its own: says nothing about the backup
};
std::string_view to_string(DrillResult result);

struct DrillReport {
  DrillResult result = DrillResult::none;
  std::string text;    // for a person
  std::string backup;  // as its tool calls it
  base::WallTime started{}, ended{};
  base::Millis restore{0};               // from its begin until the data could be used
  std::optional<base::Millis> data_age;  // of the newest data that came back, when the run began
  std::uint64_t files = 0, bytes = 0;    // that came back
};

struct DrillRecord {
  base::WallTime known_since{};         // first configured
  bool running = false;                 // an agent that died left it so
  DrillReport last{};                   // result none: there was no run
  std::optional<DrillReport> proven{};  // the last that was verified
  std::optional<bool> succeeded{};      // the last that was not interrupted
};

std::string to_json(const DrillRecord& record);
base::Result<DrillRecord> parse_drill_record(std::string_view text);

}  // namespace recover
