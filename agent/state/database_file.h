// fettle.db and its -wal and -shm on their paths, whatever becomes of them: a file that cannot be opened, that is
// damaged, or that was removed, replaced, cut short or written by others while the agent runs is opened or made again
// when something is to be written, and gets all records that were durable before. Nothing is written while another
// process has the lock of the folder. One thread at a time, as with Database.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "state/database.h"
#include "state/folder_lock.h"

namespace state {

class DatabaseFile {
 public:
  using Each = std::function<void(Table, std::string key, std::string value)>;

  DatabaseFile(std::string path, FolderLock lock);

  // Damaged files that are kept; of more, the oldest go.
  static constexpr std::size_t kKeepDamaged = 5;

  // Gives `each` every record. What a person must know of it, "" if there is nothing: a damaged file was set aside, a
  // file was empty, or nothing can be written. A file that can be read only is read from a copy. Once, at the start.
  std::string open(const Each& each, base::WallTime now);

  // All of it becomes durable, or nothing.
  base::Result<> apply(std::span<const std::vector<Change>* const> calls);

  // Looks whether files and lock are still those on their paths and as they were left, and opens or makes them again if
  // not.
  void look();

  // Why the last write did not get through, or why the file cannot be opened; "" while records become durable.
  const std::string& trouble() const { return trouble_; }
  // As of the last open(), apply() that set a file aside, or look().
  const Damage& damage() const { return damage_; }

 private:
  struct Seen {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::chrono::nanoseconds changed{0};  // since the epoch, by the file system's clock
    bool same_as(const Seen& other) const { return device == other.device && inode == other.inode; }
  };
  // What was on the paths; nothing where no file was.
  struct Files {
    std::optional<Seen> database, log, index;  // fettle.db, -wal, -shm
  };

  Files files() const;
  bool harmed();
  void note_own_writes();
  void use(Database database);
  void close();
  base::Result<> open_again();
  base::Result<Database> open_or_set_aside(base::WallTime now, std::string& notice);
  base::Result<> load(Database& database, const Each& each);
  base::Result<> load_copy(const Each& each);
  base::Result<std::string> set_aside(base::WallTime now);
  void remember(std::span<const std::vector<Change>* const> calls);

  std::string path_;
  FolderLock lock_;
  std::optional<Database> database_;
  Files seen_;                               // those that `database_` has open, each as long as it ever was
  std::optional<std::string> data_version_;  // of `database_`, as of the last look or write
  std::map<std::pair<Table, std::string>, std::string> durable_;
  std::string trouble_;
  Damage damage_;
};

}  // namespace state
