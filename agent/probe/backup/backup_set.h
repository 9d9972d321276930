// The backups that a tool says a repository has, and whether they are enough. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/outcome.h"

namespace probe {

struct Backup {
  std::string id;  // as the tool calls it
  base::WallTime ended{};
  std::optional<double> bytes{};  // of the data that it holds, whatever was stored of it
  std::string error{};            // why it cannot be relied on
};

struct BackupSet {
  std::string trouble{};               // of the repository itself, as its tool says it; "": none
  std::vector<Backup> backups{};       // in any order
  std::optional<std::size_t> locks{};  // that are held on the repository, where the tool tells
};

struct BackupDemands {
  base::Millis max_age{26 * 3'600'000};  // of the newest: a day, and two hours in which the next may be made
  int min_count = 1;
  double min_size = 0.5;  // of the newest, as a share of the median of those before it; 0: any
};

// Backups with an error count as none. probe_backup_* are measured whatever the verdict is.
model::Outcome judge(const std::string& repository, const BackupSet& found, const BackupDemands& demands,
                     base::WallTime now);

}  // namespace probe
