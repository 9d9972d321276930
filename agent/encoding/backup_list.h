// The backups of a repository, as restic, pgBackRest and BorgBackup list them in JSON. Pure; from every thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace encoding {

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

// Of `restic snapshots --json`, `pgbackrest info --output=json` and `borg info --json`. An error is text that cannot be
// understood. pgBackRest ends with exit code 0 when its repository is gone: that is BackupSet::trouble.
base::Result<BackupSet> read_restic_snapshots(std::string_view answer, const std::string& repository);
base::Result<BackupSet> read_pgbackrest_info(std::string_view answer, const std::string& name);
base::Result<BackupSet> read_borg_info(std::string_view text, const std::string& repository);

}  // namespace encoding
