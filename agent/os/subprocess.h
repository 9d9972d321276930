// Child processes: argv only, own process group, a limit, a grace, capped output, and proof that nothing survives.
// Started as posix_spawn does it; the pidfd is the exit event; SIGCHLD is not used. The agent is a child subreaper: at
// the limit the whole tree of descendants is walked and killed, also what changed its group or forked twice (measured:
// 0 survivors). What a program leaves running when it ends is killed too: a daemon belongs to systemd, not to a hook.
// Every program leads a session of its own. So a child of the agent in a foreign session is the orphan of a program and
// is reaped here; children in the agent's session belong to others and are never touched.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

class Program;

// What becomes of processes that a program started and that are left when it has ended by itself, within its limit.
// At the limit, or when the Handle is dropped, the whole tree is killed in any case.
enum class Leftovers { killed, kept };  // kept: a restart script's daemon lives on

// setrlimit(2) for a program and all that it starts, a daemon that it leaves behind included. 0: as this process has
// it.
struct Limits {
  std::chrono::seconds cpu{0};     // that each process may compute; then SIGXCPU, and SIGKILL a second later
  std::uint64_t file_bytes = 0;    // that a file may grow to; then SIGXFSZ
  std::uint64_t open_files = 0;    // of each process
  std::uint64_t processes = 0;     // and threads, beside those that this user has at the start; the kernel spares root
  std::uint64_t memory_bytes = 0;  // address space of each process
};

// background: nice 19 and the idle class of ioprio_set(2), for work that may wait; and since nothing else would end it,
// SIGINT to the program itself when the agent dies.
enum class Priority { normal, background };

struct Command {
  std::vector<std::string> argv{};                   // argv[0] is an absolute path or is looked up in the fixed PATH
  std::map<std::string, std::string> environment{};  // all of it: nothing is inherited
  std::string input{};                               // written to its standard input, then closed
  std::string directory = "/";
  base::Millis limit{30'000};            // SIGTERM to the group at this age …
  base::Millis grace{5'000};             // … SIGKILL to the whole tree this much later
  std::size_t output_limit = 64 * 1024;  // of each of stdout and stderr: head and tail are kept
  Leftovers leftovers = Leftovers::killed;
  Limits limits{};
  Priority priority = Priority::normal;
};

struct Finished {
  int exit_code = -1;        // -1 unless it exited by itself
  int signal = 0;            // the signal that ended it, or 0
  bool timed_out = false;    // the limit was reached
  int survivors_killed = 0;  // processes of its tree that had to be killed beside it
  std::string out;           // capped; "… N bytes left out …" stands where the middle was
  std::string err;
  base::Duration took{};
};

// Behind an interface, so that tests of probes and actions need no process.
class Spawner {
 public:
  virtual ~Spawner() = default;
  // `done` comes exactly once, in a later turn, also for an argv[0] that does not exist (the error). Dropping the
  // Handle kills the tree and keeps `done` from coming.
  virtual loop::Handle spawn(Command command, std::function<void(base::Result<Finished>)> done) = 0;
};

class Subprocesses final : public Spawner {
 public:
  explicit Subprocesses(loop::EventLoop& loop);
  ~Subprocesses() override;
  loop::Handle spawn(Command command, std::function<void(base::Result<Finished>)> done) override;

 private:
  friend class Program;
  struct Pool;
  std::shared_ptr<Pool> pool_;  // Handles look whether it is still there
};

}  // namespace os
