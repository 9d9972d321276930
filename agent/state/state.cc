#include "state/state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "state/database.h"
#include "state/folder_lock.h"
#include "state/records.h"
#include "state/writer.h"

namespace state {
namespace {

// Callbacks are posted; one that is still in the loop's queue when its State goes must not run.
class Deliveries {
 public:
  std::function<bool()> still_wanted() const {
    return [alive = std::weak_ptr<const bool>(alive_)] { return !alive.expired(); };
  }

 private:
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

class FileState final : public State {
 public:
  FileState(base::UniqueFd lock, Database database, Records records, loop::Scheduler& loop)
      : lock_(std::move(lock)),
        records_(std::move(records)),
        writer_(std::move(database), [this, &loop, wanted = deliveries_.still_wanted()](std::vector<Call> calls) {
          loop.post([this, wanted, calls = std::move(calls)]() mutable {
            for (Call& call : calls)
              if (wanted()) settle(call);
          });
        }) {}

  void commit(std::vector<Change> changes, std::function<void(base::Result<>)> durable) override {
    const std::uint64_t number = ++calls_;
    records_.begin(number, changes);
    writer_.add({number, std::move(changes), std::move(durable), {}});
  }

  const std::map<std::string, std::string>& read(Table table) const override { return records_.table(table); }

 private:
  void settle(Call& call) {
    if (call.result) records_.keep(call.number, call.changes);
    else records_.take_back(call.number, call.changes);
    if (call.durable) call.durable(std::move(call.result));
  }

  base::UniqueFd lock_;
  Records records_;
  std::uint64_t calls_ = 0;
  Deliveries deliveries_;
  Writer writer_;  // last: its thread ends before anything that it uses goes
};

class MemoryState final : public State {
 public:
  explicit MemoryState(loop::Scheduler& loop) : loop_(loop) {}

  void commit(std::vector<Change> changes, std::function<void(base::Result<>)> durable) override {
    records_.begin(++calls_, changes);
    records_.keep(calls_, changes);
    if (!durable) return;
    loop_.post([wanted = deliveries_.still_wanted(), durable = std::move(durable)] {
      if (wanted()) durable({});
    });
  }

  const std::map<std::string, std::string>& read(Table table) const override { return records_.table(table); }

 private:
  loop::Scheduler& loop_;
  Records records_;
  std::uint64_t calls_ = 0;
  Deliveries deliveries_;
};

struct Opened {
  Database database;
  Records records;
};

base::Result<Opened> open_file(const std::string& path) {
  TRY(Database database, Database::open(path));
  Records records;
  TRY_VOID(database.load(
      [&](Table table, std::string key, std::string value) { records.load(table, std::move(key), std::move(value)); }));
  return Opened{std::move(database), std::move(records)};
}

// With its -wal and -shm, so that sqlite3's .recover finds all there is.
base::Result<std::string> set_aside(const std::string& path, base::WallTime now) {
  std::string stamp = base::format_iso8601(now);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  const std::string aside = fmt::format("{}.damaged-{}", path, stamp);
  if (std::rename(path.c_str(), aside.c_str()) != 0)
    return base::fail_errno(errno, fmt::format("cannot set the damaged {} aside", path));
  for (const char* suffix : {"-wal", "-shm"}) (void)std::rename((path + suffix).c_str(), (aside + suffix).c_str());
  return aside;
}

}  // namespace

base::Result<std::unique_ptr<State>> open(const std::string& folder, loop::Scheduler& loop, std::string& notice) {
  TRY(base::UniqueFd lock, lock_folder(folder));
  const std::string path = folder + "/fettle.db";
  base::Result<Opened> opened = open_file(path);
  if (!opened && opened.error().kind == base::Kind::protocol) {
    TRY(const std::string aside, set_aside(path, loop.wall_now()));
    notice = fmt::format(
        "{}; it was moved to {}. Alert states, budgets, silences and waiting notifications are lost: the agent starts "
        "without them",
        opened.error().text, aside);
    opened = open_file(path);
  }
  if (!opened) return tl::unexpected<base::Error>(std::move(opened).error());
  return std::unique_ptr<State>(
      std::make_unique<FileState>(std::move(lock), std::move(opened->database), std::move(opened->records), loop));
}

std::unique_ptr<State> in_memory(loop::Scheduler& loop) { return std::make_unique<MemoryState>(loop); }

}  // namespace state
