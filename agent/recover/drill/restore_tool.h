// How the tool that made a backup is asked for the newest one, and restores it into a folder. Pure: only the words of
// its command lines, and what its answers mean.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/schema.h"
#include "encoding/backup_list.h"
#include "recover/drill/scratch.h"

namespace recover {

class RestoreTool {
 public:
  virtual ~RestoreTool() = default;
  // "restic /srv/backup/order", as everybody may see it.
  virtual std::string text() const = 0;
  // The program and its arguments that list the backups; empty: it cannot be asked, and restores what it takes for the
  // newest one.
  virtual std::vector<std::string> list(const Scratch& scratch) const = 0;
  virtual base::Result<encoding::BackupSet> read(const std::string& answer) const = 0;
  // Restores the backup `id` below scratch.data(), where it is started. What it says on success is not relied on.
  virtual std::vector<std::string> restore(const std::string& id, const Scratch& scratch) const = 0;
  // All variables that it gets.
  virtual std::map<std::string, std::string> environment(const Scratch& scratch) const = 0;
  // Whether scratch.data() is then the data directory of a PostgreSQL.
  virtual bool restores_postgres() const { return false; }
};

// The keys restic, pgbackrest, borg and command; a drill has one of them.
struct ResticKeys {
  std::string program = "/usr/bin/restic", repository{}, password_file{}, host{}, path{}, tag{};
  std::map<std::string, std::string> environment{};
};
struct PgbackrestKeys {
  std::string program = "/usr/bin/pgbackrest", stanza{}, config_file = "/etc/pgbackrest.conf";
  std::map<std::string, std::string> environment{};
};
struct BorgKeys {
  std::string program = "/usr/bin/borg", repository{}, passphrase_file{};
  std::map<std::string, std::string> environment{};
};
struct RestoreCommandKeys {
  std::vector<std::string> argv{};
  std::map<std::string, std::string> environment{};
};
struct RestoreToolKeys {
  std::optional<ResticKeys> restic{};
  std::optional<PgbackrestKeys> pgbackrest{};
  std::optional<BorgKeys> borg{};
  std::optional<RestoreCommandKeys> command{};
};
const config::Schema<RestoreToolKeys>& restore_tool_schema();
// Null after a mistake. `drill` is the mapping in which the keys stand, for messages.
std::unique_ptr<const RestoreTool> make_restore_tool(RestoreToolKeys keys, const config::Node& drill,
                                                     const std::string& path, config::Errors& errors);

}  // namespace recover
