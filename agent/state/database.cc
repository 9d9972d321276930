#include "state/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/number.h"
#include "base/unique_fd.h"
#include "base/version.h"

namespace state {
namespace {

// What each format has that the one before it has not; the place in the list is the user_version of the file, from 1.
// Lines are added, and never changed: files of every version are there.
constexpr std::array<const char*, 3> kMigrations = {
    "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (kind, key)) WITHOUT ROWID",
    // Incidents: who waits for the outcome of a fault, and who was told. A fettle of format 1 would forget both, and so
    // it may not write into this file any more.
    "DELETE FROM records WHERE kind = 'incidents'",
    // The audit trail. A fettle of format 2 would act without a word in it. From here on each migration has a row.
    "CREATE TABLE migrations (format INTEGER PRIMARY KEY, at TEXT NOT NULL, version TEXT NOT NULL)",
};
constexpr std::size_t kFirstWithRow = 3;

constexpr std::array kTables = {
    std::pair{Table::alerts, std::string_view("alerts")},
    std::pair{Table::budgets, std::string_view("budgets")},
    std::pair{Table::intents, std::string_view("intents")},
    std::pair{Table::recoveries, std::string_view("recoveries")},
    std::pair{Table::maintenance, std::string_view("maintenance")},
    std::pair{Table::silences, std::string_view("silences")},
    std::pair{Table::notifications, std::string_view("notifications")},
    std::pair{Table::traffic, std::string_view("traffic")},
    std::pair{Table::incidents, std::string_view("incidents")},
    std::pair{Table::fleet, std::string_view("fleet")},
    std::pair{Table::audit, std::string_view("audit")},
    std::pair{Table::availability, std::string_view("availability")},
    std::pair{Table::evidence, std::string_view("evidence")},
};

std::optional<Table> parse_table(std::string_view name) {
  for (const auto& [table, its_name] : kTables)
    if (its_name == name) return table;
  return {};
}

std::string column_bytes(sqlite3_stmt* statement, int column) {
  // In this order: the length is that of the converted text.
  const void* data = sqlite3_column_blob(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return data ? std::string(static_cast<const char*>(data), size) : std::string();
}

// Texts may hold any bytes, a zero included: they are bound and read with their length.
int bind_text(sqlite3_stmt* statement, int at, std::string_view text) {
  return sqlite3_bind_text64(statement, at, text.data() ? text.data() : "", text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

}  // namespace

std::string_view to_string(Table table) { return kTables[static_cast<std::size_t>(table)].second; }

void Database::Closed::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void Database::Closed::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

tl::unexpected<base::Error> Database::failed(std::string_view doing) const {
  const int code = sqlite3_errcode(db_.get());
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  const base::Kind kind = damaged                 ? base::Kind::protocol
                          : code == SQLITE_FULL   ? base::Kind::limit
                          : code == SQLITE_PERM   ? base::Kind::permission
                          : code == SQLITE_TOOBIG ? base::Kind::limit
                                                  : base::Kind::io;
  std::string text = fmt::format("cannot {} {}: {}", doing, path_, sqlite3_errmsg(db_.get()));
  if (code == SQLITE_FULL) text += "; free some space there";
  if (code == SQLITE_IOERR) text += fmt::format(" (SQLite code {})", sqlite3_extended_errcode(db_.get()));
  return base::fail(kind, std::move(text));
}

// A new file gets its name when it is whole: an empty one is taken for one that was lost.
base::Result<> Database::create(const std::string& path) {
  const std::string fresh = path + ".new";
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((fresh + suffix).c_str());
  TRY_VOID(open_file(fresh, path));
  for (const char* suffix : {"-wal", "-shm"}) ::unlink((path + suffix).c_str());  // of a file that was removed
  if (::rename(fresh.c_str(), path.c_str()) != 0) return base::fail_errno(errno, fmt::format("cannot make {}", path));
  return {};
}

base::Result<Database> Database::open(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) TRY_VOID(create(path));
  return open_file(path, path);
}

base::Result<Database> Database::open_file(const std::string& path, const std::string& name) {
  // Made here and not by SQLite, which would let everybody read it; its -wal and -shm take over the mode.
  { const base::UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)); }
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (!raw) return base::fail(base::Kind::io, fmt::format("cannot open {}: out of memory", name));
  Database database(Connection(raw), name);
  if (code != SQLITE_OK) return database.failed("open");
  TRY_VOID(database.prepare());
  return database;
}

base::Result<> Database::prepare() {
  sqlite3_extended_result_codes(db_.get(), 0);
  sqlite3_busy_timeout(db_.get(), 5000);  // a person looking into the file with sqlite3
  TRY_VOID(run("PRAGMA journal_mode=WAL"));
  TRY_VOID(run("PRAGMA synchronous=FULL"));
  TRY_VOID(run("PRAGMA wal_autocheckpoint=250"));  // pages of 4 KiB: on a small disk the log must not be what fills it
  std::string version;
  TRY_VOID(answer("PRAGMA user_version", version));
  const auto format = base::leading_number<std::size_t>(version);
  if (!format || *format > kMigrations.size())
    return base::fail(
        base::Kind::invalid,
        fmt::format("{} has format {}, this fettle knows up to {}: a newer version wrote it; install that "
                    "one again, or give another --storage.path",
                    path_, version, kMigrations.size()));
  std::string verdict;
  TRY_VOID(answer("PRAGMA quick_check(1)", verdict));
  if (verdict != "ok") return base::fail(base::Kind::protocol, fmt::format("{} is damaged: {}", path_, verdict));
  if (*format < kMigrations.size()) TRY_VOID(migrate(*format));
  TRY(put_, compile("INSERT INTO records (kind, key, value) VALUES (?1, ?2, ?3) "
                    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"));
  TRY(remove_, compile("DELETE FROM records WHERE kind = ?1 AND key = ?2"));
  return {};
}

// Each migration whole or not at all; also where a crash ends it.
base::Result<> Database::migrate(std::size_t from) {
  const std::string copy = from > 0 ? copy_of_format(from) : "";
  for (std::size_t format = from + 1; format <= kMigrations.size(); ++format) {
    const std::string row =
        format < kFirstWithRow
            ? ""
            : fmt::format("INSERT INTO migrations VALUES ({}, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), '{}'); ", format,
                          base::version());
    TRY_VOID(
        run(fmt::format("BEGIN IMMEDIATE; {}; {}PRAGMA user_version={}; COMMIT", kMigrations[format - 1], row, format)
                .c_str()));
  }
  if (from > 0)
    base::log::info("the state file has a newer format now; older versions of fettle cannot use it",
                    {{"file", path_},
                     {"before", fmt::to_string(from)},
                     {"now", fmt::to_string(kMigrations.size())},
                     {"copy", copy.empty() ? "none" : copy}});
  return {};
}

// For a way back to the version before: as it was, beside the file; "" if there is no room for it.
std::string Database::copy_of_format(std::size_t format) {
  const std::string copy = fmt::format("{}.format-{}", path_, format);
  const base::UniqueFd made(::open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  const base::Result<Statement> vacuum = compile("VACUUM INTO ?1");
  const bool copied =
      made && vacuum && bind_text(vacuum->get(), 1, copy) == SQLITE_OK && sqlite3_step(vacuum->get()) == SQLITE_DONE;
  if (copied) return copy;
  ::unlink(copy.c_str());
  return "";
}

base::Result<> Database::run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failed("use");
  return {};
}

base::Result<> Database::answer(const char* sql, std::string& out) {
  TRY(const Statement statement, compile(sql));
  if (sqlite3_step(statement.get()) != SQLITE_ROW) return failed("read");
  out = column_bytes(statement.get(), 0);
  return {};
}

base::Result<Database::Statement> Database::compile(const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    // All statements are ours: one that is an error finds another file than this format says.
    if (sqlite3_errcode(db_.get()) == SQLITE_ERROR)
      return base::fail(base::Kind::protocol, fmt::format("{} is damaged: {}", path_, sqlite3_errmsg(db_.get())));
    return failed("use");
  }
  return Statement(raw);
}

base::Result<> Database::load(const std::function<void(Table, std::string key, std::string value)>& each) {
  TRY(const Statement all, compile("SELECT kind, key, value FROM records ORDER BY kind, key"));
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(all.get())) == SQLITE_ROW)
    if (const auto table = parse_table(column_bytes(all.get(), 0)))
      each(*table, column_bytes(all.get(), 1), column_bytes(all.get(), 2));
  if (code != SQLITE_DONE) return failed("read");
  return {};
}

std::optional<std::string> Database::data_version() {
  std::string version;
  if (!answer("PRAGMA data_version", version)) return {};
  return version;
}

base::Result<> Database::write(const Change& change) {
  sqlite3_stmt* statement = (change.erase ? remove_ : put_).get();
  bool bound =
      bind_text(statement, 1, to_string(change.table)) == SQLITE_OK && bind_text(statement, 2, change.key) == SQLITE_OK;
  if (!change.erase) bound = bound && bind_text(statement, 3, change.value) == SQLITE_OK;
  const bool done = bound && sqlite3_step(statement) == SQLITE_DONE;
  base::Result<> result;
  if (!done) result = failed("write to");
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);  // they point into the change
  return result;
}

// On a full disk the log (-wal) may be what fills it: it is merged into the file and cut off, and then there is room.
base::Result<> Database::apply(std::span<const std::vector<Change>* const> calls) {
  cut_log_ = false;
  base::Result<> result = apply_once(calls);
  if (result || result.error().kind != base::Kind::limit) return result;
  if (sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK)
    return result;
  cut_log_ = true;
  return apply_once(calls);
}

base::Result<> Database::apply_once(std::span<const std::vector<Change>* const> calls) {
  if (sqlite3_exec(db_.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) return failed("write to");
  const auto all = [&]() -> base::Result<> {
    for (const std::vector<Change>* changes : calls)
      for (const Change& change : *changes) TRY_VOID(write(change));
    if (sqlite3_exec(db_.get(), "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) return failed("write to");
    return {};
  };
  base::Result<> result = all();
  // Some errors have rolled back already; a second time does no harm.
  if (!result && !sqlite3_get_autocommit(db_.get())) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return result;
}

}  // namespace state
