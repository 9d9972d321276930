#include "state/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/log.h"
#include "base/unique_fd.h"

namespace state {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLost = "Alert states, budgets, silences and waiting notifications are lost";

// Damaged files that were set aside beside `path`, oldest first: their names end with the time.
std::vector<std::string> damaged_beside(const std::string& path) {
  const std::string prefix = fs::path(path).filename().string() + ".damaged-";
  std::vector<std::string> out;
  std::error_code code;
  for (fs::directory_iterator it(fs::path(path).parent_path(), code), end; !code && it != end; it.increment(code)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm")) out.push_back(it->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A folder in memory or a temporary one, gone with this object; empty path if none can be made.
class ScratchFolder {
 public:
  ScratchFolder() {
    const char* runtime = std::getenv("RUNTIME_DIRECTORY");
    std::error_code code;
    for (const fs::path& parent :
         {fs::path(runtime ? runtime : ""), fs::path("/dev/shm"), fs::temp_directory_path(code)}) {
      std::string name = (parent / "fettle-state-XXXXXX").string();
      if (parent.empty() || ::mkdtemp(name.data()) == nullptr) continue;
      path_ = name;
      return;
    }
  }
  ~ScratchFolder() {
    std::error_code code;
    if (!path_.empty()) fs::remove_all(path_, code);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Whether a log of SQLite begins as each does. One that was emptied while it was written grows again behind a hole.
bool begins_as_log(const std::string& path) {
  unsigned char magic[4] = {};
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::pread(file.value(), magic, sizeof magic, 0) != sizeof magic) return true;  // empty, or not to be read
  return magic[0] == 0x37 && magic[1] == 0x7f && magic[2] == 0x06 && (magic[3] | 1U) == 0x83;
}

}  // namespace

DatabaseFile::DatabaseFile(std::string path, FolderLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

DatabaseFile::Files DatabaseFile::files() const {
  const auto look_at = [](const std::string& path) -> std::optional<Seen> {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    const std::chrono::nanoseconds changed =
        std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::nanoseconds(status.st_ctim.tv_nsec);
    return Seen{status.st_dev, status.st_ino, status.st_size, changed};
  };
  return {look_at(path_), look_at(path_ + "-wal"), look_at(path_ + "-shm")};
}

// SQLite keeps the files until the database is closed, and the log and its index as long as they once were. A person
// may make them shorter or write into them and lose nothing (VACUUM, a checkpoint, chmod); open_again() finds out.
bool DatabaseFile::harmed() {
  const auto now = files();
  const auto kept = [](const std::optional<Seen>& then, const std::optional<Seen>& there) {
    return !then || (there && there->same_as(*then) && there->size >= then->size);
  };
  const auto untouched = [&](const std::optional<Seen>& then, const std::optional<Seen>& there) {
    return kept(then, there) && (!then || then->changed == there->changed);
  };
  // The index changes with each reader.
  return !seen_.database || !untouched(seen_.database, now.database) || !untouched(seen_.log, now.log) ||
         !kept(seen_.index, now.index) || !begins_as_log(path_ + "-wal") || database_->data_version() != data_version_;
}

// Sizes grow only: a file that another process truncates at this moment must be found by the next look.
void DatabaseFile::note_own_writes() {
  const Files now = files();
  const auto note = [](std::optional<Seen>& then, const std::optional<Seen>& there) {
    if (!then || !there || !there->same_as(*then)) return;
    then->size = std::max(then->size, there->size);
    then->changed = there->changed;
  };
  if (database_->cut_log() && seen_.log) seen_.log->size = 0;
  note(seen_.database, now.database);
  note(seen_.log, now.log);
  note(seen_.index, now.index);
  data_version_ = database_->data_version();
}

void DatabaseFile::use(Database database) {
  database_.emplace(std::move(database));
  seen_ = files();
  data_version_ = database_->data_version();
}

// SQLite has the index (-shm) mapped into memory and reads it to close the database: a page that was cut off would be a
// SIGBUS. The file gets its length back; an index of zeros is one that SQLite makes again from the log.
void DatabaseFile::close() {
  const auto now = files().index;
  std::error_code code;
  if (seen_.index && now && now->same_as(*seen_.index) && now->size < seen_.index->size)
    fs::resize_file(path_ + "-shm", static_cast<std::uintmax_t>(seen_.index->size), code);
  database_.reset();
}

// With its -wal and -shm, so that sqlite3's .recover finds all there is.
base::Result<std::string> DatabaseFile::set_aside(base::WallTime now) {
  std::string stamp = base::format_iso8601(now);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  const std::string aside = fmt::format("{}.damaged-{}", path_, stamp);
  if (std::rename(path_.c_str(), aside.c_str()) != 0)
    return base::fail_errno(errno, fmt::format("cannot set the damaged {} aside", path_));
  for (const char* suffix : {"-wal", "-shm"}) (void)std::rename((path_ + suffix).c_str(), (aside + suffix).c_str());
  std::vector<std::string> kept = damaged_beside(path_);
  for (; kept.size() > kKeepDamaged; kept.erase(kept.begin()))
    for (const char* suffix : {"", "-wal", "-shm"}) (void)std::remove((kept.front() + suffix).c_str());
  damage_.files = kept.size();
  return aside;
}

base::Result<Database> DatabaseFile::open_or_set_aside(base::WallTime now, std::string& notice) {
  base::Result<Database> opened = Database::open(path_);
  if (opened || opened.error().kind != base::Kind::protocol) return opened;
  TRY(const std::string aside, set_aside(now));
  notice = fmt::format("{}; it was moved to {}", opened.error().text, aside);
  return Database::open(path_);
}

base::Result<> DatabaseFile::load(Database& database, const Each& each) {
  durable_.clear();
  const base::Result<> loaded = database.load([&](Table table, std::string key, std::string value) {
    durable_.insert_or_assign({table, std::move(key)}, std::move(value));
  });
  if (!loaded) durable_.clear();  // all of it or nothing
  for (const auto& [key, value] : durable_) each(key.first, key.second, value);
  return loaded;
}

// SQLite writes beside a file even to read it, so a file on a full or read-only disk is read from a copy.
base::Result<> DatabaseFile::load_copy(const Each& each) {
  const ScratchFolder scratch;
  const std::string copy = (scratch.path() / "fettle.db").string();
  std::error_code code;
  if (scratch.path().empty() || !fs::copy_file(path_, copy, code))
    return base::fail(base::Kind::io, fmt::format("{} cannot be read", path_));
  fs::copy_file(path_ + "-wal", copy + "-wal", code);  // there is none after a clean end
  TRY(Database database, Database::open(copy));
  return load(database, each);
}

std::string DatabaseFile::open(const Each& each, base::WallTime now) {
  std::error_code code;
  fs::create_directories(fs::path(path_).parent_path(), code);
  const bool empty = fs::is_regular_file(path_, code) && fs::file_size(path_, code) == 0;
  std::string notice;
  base::Result<Database> opened = open_or_set_aside(now, notice);
  base::Result<> loaded;
  if (opened) loaded = load(*opened, each);
  if (opened && !loaded && loaded.error().kind == base::Kind::protocol) {  // a page that the check does not reach
    opened = base::Result<Database>(tl::unexpected<base::Error>(loaded.error()));
    if (const auto aside = set_aside(now)) {
      notice = fmt::format("{}; it was moved to {}", loaded.error().text, *aside);
      opened = Database::open(path_);
      loaded = {};
    }
  }
  damage_ = {damaged_beside(path_).size(), !notice.empty() || empty};
  if (!notice.empty())
    notice += fmt::format(
        ". {}: the agent starts without them, and with one attempt to recover each service until the time of its "
        "budget "
        "is over",
        kLost);
  else if (empty) notice = fmt::format("{} was empty. {}, if there were any", path_, kLost);
  if (opened && loaded) {
    use(std::move(*opened));
    return notice;
  }
  const base::Error& why = opened ? loaded.error() : opened.error();
  trouble_ = why.text;
  const bool there = fs::exists(path_, code);
  const bool read = there && why.kind != base::Kind::invalid && load_copy(each).has_value();
  damage_.forgotten = damage_.forgotten || (there && !read);
  if (!notice.empty()) notice += ". ";
  return notice + fmt::format(
                      "{}. Nothing is durable until that is mended: the agent probes and tells, and recovers within a "
                      "small budget that it keeps in memory{}",
                      why.text,
                      read    ? "; what was durable before is known"
                      : there ? "; silences, maintenance and budgets of before are not known"
                              : "");
}

// In the same file, records that the agent does not have are ones that it removed before: they are removed again, or
// the next start would read them. In another file they belong to the person who put it there, and stay.
base::Result<> DatabaseFile::open_again() {
  const bool was_open = database_.has_value();
  const Files now = files();
  const bool ours = seen_.database && now.database && now.database->same_as(*seen_.database);
  const bool replaced = !ours || (seen_.log && !(now.log && now.log->same_as(*seen_.log)));
  close();
  std::error_code code;
  fs::create_directories(fs::path(path_).parent_path(), code);
  std::string notice;
  const auto when =
      std::chrono::floor<base::Millis>(std::chrono::system_clock::now());  // for the name of a damaged file
  TRY(Database fresh, open_or_set_aside(when, notice));
  auto lacking = durable_;
  std::vector<Change> mend;
  std::size_t unknown = 0;
  TRY_VOID(fresh.load([&](Table table, std::string key, std::string value) {
    const auto known = durable_.find({table, key});
    if (known != durable_.end() && known->second == value) lacking.erase(known->first);
    else if (known == durable_.end() && ours) mend.push_back(Change::remove(table, std::move(key)));
    else if (known == durable_.end()) ++unknown;
  }));
  for (const auto& [key, value] : lacking) mend.push_back(Change::put(key.first, key.second, value));
  const std::vector<Change>* const call = &mend;
  if (!mend.empty()) TRY_VOID(fresh.apply({&call, 1}));
  if (!notice.empty() || (was_open && (replaced || !mend.empty())))
    base::log::error(
        "the state file or its -wal was removed, replaced, cut short, damaged or changed by others; what the agent "
        "knows "
        "is in it again",
        {{"file", path_},
         {"records", fmt::to_string(durable_.size())},
         {"lacked", fmt::to_string(lacking.size())},
         {"damage", notice}});
  if (unknown > 0)
    base::log::warn(
        "the state file holds records of before that this agent does not know; they count from its next start",
        {{"file", path_}, {"records", fmt::to_string(unknown)}});
  use(std::move(fresh));
  return {};
}

base::Result<> DatabaseFile::apply(std::span<const std::vector<Change>* const> calls) {
  base::Result<> result = lock_.hold();
  if (!result && result.error().kind == base::Kind::unavailable) {  // the file is another agent's now
    close();
    seen_ = {};
    trouble_ = result.error().text;
    return result;
  }
  result = {};
  if (!database_ || harmed()) result = open_again();
  if (result) result = database_->apply(calls);
  if (!result && database_ && result.error().kind == base::Kind::protocol) {  // damaged under the running agent
    result = open_again();
    if (result) result = database_->apply(calls);
  }
  if (database_) note_own_writes();
  trouble_ = result ? "" : result.error().text;
  if (result) remember(calls);
  return result;
}

void DatabaseFile::look() {
  damage_.files = damaged_beside(path_).size();
  if (!database_ || harmed() || !lock_.held()) (void)apply({});
}

void DatabaseFile::remember(std::span<const std::vector<Change>* const> calls) {
  for (const std::vector<Change>* changes : calls)
    for (const Change& change : *changes) {
      if (change.erase) durable_.erase({change.table, change.key});
      else durable_.insert_or_assign({change.table, change.key}, change.value);
    }
}

}  // namespace state
