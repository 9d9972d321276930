// A PostgreSQL that is started from what a drill restored, asked on a unix socket in the scratch folder, and stopped.
// Its settings stand on its command line, before those that were restored: it listens nowhere else, archives nothing,
// and takes little memory. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/handle.h"
#include "recover/drill/drill_program.h"
#include "recover/drill/drill_spec.h"

namespace recover {

struct PostgresRows {
  base::Instant usable_at{};             // when it took queries, with a dump loaded
  std::optional<base::WallTime> newest;  // of the data in it, where the server tells
  std::string complaint;                 // why the numbers are not those that are wanted; "": they are
};

class ThrowawayPostgres {
 public:
  using Done = std::function<void(base::Result<PostgresRows>)>;
  // Begins at once. `environment` is for all of its programs: the server runs the tool's restore_command. `doing` hears
  // what goes on. `done` comes once, in a later turn; the error says what did not work.
  ThrowawayPostgres(DrillContext context, Scratch scratch, PostgresCheck check,
                    std::map<std::string, std::string> environment, base::Instant deadline,
                    std::function<void(std::string)> doing, Done done);

  // Ends the server, so that no shared memory is left of it; `stopped` in a later turn. `done` does not come any more.
  void stop(std::function<void()> stopped);

 private:
  using Finished = base::Result<os::Finished>;

  void find_programs();
  void make_cluster();
  void prepare();
  void start();
  void ask_whether_ready();
  void load_dump();
  void ready();
  void ask_live(std::vector<std::string> restored);
  void judge(const std::vector<std::string>& restored, const std::vector<std::string>& live);
  void fail(std::string why);
  void end(base::Result<PostgresRows> rows);
  void run(std::vector<std::string> argv, std::function<void(const Finished&)> done);
  // The program and arguments that ask the server behind `connection`, a line of output for each query.
  std::vector<std::string> psql(const std::string& connection, const std::vector<std::string>& queries) const;
  std::string own(const std::string& database) const;
  os::Command command(std::vector<std::string> argv) const;

  DrillContext context_;
  Scratch scratch_;
  PostgresCheck check_;
  std::map<std::string, std::string> environment_;
  base::Instant deadline_;
  std::function<void(std::string)> doing_;
  Done done_;
  std::string bin_, cluster_;
  PostgresRows rows_;
  bool server_runs_ = false;
  std::function<void()> stopped_;
  loop::Handle server_, work_, again_;
};

// Why a number of the restored server is not what it must be, or "". `live` is nothing if there is none to compare
// with.
std::string row_complaint(const std::string& query, const std::string& restored, const std::string* live,
                          double tolerance);

}  // namespace recover
