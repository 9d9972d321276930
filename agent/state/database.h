// The file fettle.db: a table of records and one of the migrations that it had, WAL, every transaction on the disk
// before it counts. The only user of SQLite. One thread at a time; State opens it on the loop thread and then leaves it
// to its writer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/state.h"

struct sqlite3;
struct sqlite3_stmt;

namespace state {

std::string_view to_string(Table table);

class Database {
 public:
  struct Closed {
    void operator()(sqlite3* db) const;
    void operator()(sqlite3_stmt* statement) const;
  };

  // Kind::protocol when the file is damaged or no database; Kind::invalid when a newer fettle wrote it; else Kind::io.
  static base::Result<Database> open(const std::string& path);

  // Every record, in order of table and key. The same errors as open().
  base::Result<> load(const std::function<void(Table, std::string key, std::string value)>& each);

  // All of it becomes durable, or nothing.
  base::Result<> apply(std::span<const std::vector<Change>* const> calls);
  // Another number than at the last call: another process has written into the file through SQLite. Empty: it cannot be
  // read.
  std::optional<std::string> data_version();
  // Whether the last apply() truncated the log (-wal), because the disk was full.
  bool cut_log() const { return cut_log_; }

 private:
  using Connection = std::unique_ptr<sqlite3, Closed>;
  using Statement = std::unique_ptr<sqlite3_stmt, Closed>;

  Database(Connection db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}
  // `name`: of errors.
  static base::Result<Database> open_file(const std::string& path, const std::string& name);
  static base::Result<> create(const std::string& path);
  base::Result<> prepare();
  base::Result<> migrate(std::size_t from);
  std::string copy_of_format(std::size_t format);
  base::Result<> run(const char* sql);
  base::Result<> answer(const char* sql, std::string& out);  // the first column of the first row
  base::Result<Statement> compile(const char* sql);
  base::Result<> write(const Change& change);
  base::Result<> apply_once(std::span<const std::vector<Change>* const> calls);
  tl::unexpected<base::Error> failed(std::string_view doing) const;

  Connection db_;
  std::string path_;
  Statement put_;
  Statement remove_;
  bool cut_log_ = false;
};

}  // namespace state
