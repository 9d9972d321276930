// One run of a drill: prepare the scratch folder, ask for the newest backup, restore it, look at what came back, remove
// all of it. Whatever the tools say, a restore is proven only by what is there after it. Loop thread; all that may wait
// for a disk runs elsewhere, all programs in the background.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loop/handle.h"
#include "recover/drill/drill_program.h"
#include "recover/drill/drill_record.h"
#include "recover/drill/drill_spec.h"
#include "recover/drill/throwaway_postgres.h"

namespace recover {

class DrillRun {
 public:
  // `done` comes once, in a later turn, when nothing is left of the run; its callee may delete it.
  DrillRun(DrillContext context, Drill drill, std::function<void(DrillReport)> done);
  // Ends what runs; the scratch folder is left to its owner.
  ~DrillRun();

  // Ends the run with this result: programs are killed, the folder is removed, then `done` comes.
  void stop(DrillResult result, std::string why);
  const std::string& doing() const { return doing_; }  // "restoring 4f3c2a1b", for a person

 private:
  using Finished = base::Result<os::Finished>;

  void prepare();
  void ask();
  void choose(const std::string& answer);
  void restore(std::string id);
  void watch_size();
  void on_restored(const Finished& finished);
  void look();
  void check_files();
  void start_postgres();
  void on_rows(base::Result<PostgresRows> rows);
  void conclude();
  void end(DrillResult result, std::string text);
  void stop_postgres();
  void clean(int tries);

  void program(std::vector<std::string> argv, std::string directory, std::function<void(const Finished&)> done);
  // `work` elsewhere; `done` with what it returned, or with why it was not begun.
  template <typename T>
  void elsewhere(std::function<base::Result<T>()> work, std::function<void(base::Result<T>)> done);

  DrillContext context_;
  Drill drill_;
  std::function<void(DrillReport)> done_;
  DrillReport report_;
  std::string doing_;
  std::optional<base::WallTime> backup_ended_, newest_;
  base::Instant deadline_{}, restore_began_{};
  bool ending_ = false;
  std::unique_ptr<ThrowawayPostgres> postgres_;
  loop::Handle work_, limit_, size_timer_, size_look_;
};

}  // namespace recover
