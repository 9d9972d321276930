// The backups that a tool says a repository has, and whether they are enough. Pure.
#pragma once

#include <string>

#include "base/time.h"
#include "encoding/backup_list.h"
#include "model/outcome.h"

namespace probe {

using encoding::Backup;
using encoding::BackupSet;

struct BackupDemands {
  base::Millis max_age{26 * 3'600'000};  // of the newest: a day, and two hours in which the next may be made
  int min_count = 1;
  double min_size = 0.5;  // of the newest, as a share of the median of those before it; 0: any
};

// Backups with an error count as none. probe_backup_* are measured whatever the verdict is.
model::Outcome judge(const std::string& repository, const BackupSet& found, const BackupDemands& demands,
                     base::WallTime now);

}  // namespace probe
