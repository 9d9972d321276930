// A service that breaks on demand: a process with an HTTP listener, told what to do over a socket pair. SIGCHLD must be
// ignored: a victim is reaped when it dies, as a supervisor would do it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

[[noreturn]] void die(const std::string& what);

enum class Fault {
  kill,             // SIGKILL
  stop,             // SIGSTOP
  exit,             // ends by itself, with code 3
  oom,              // the kernel kills it at the limit of its memory cgroup
  closed_listener,  // lives on, but listens no more
  full_queue,       // lives on and accepts nobody more, while clients go on coming
  status_500,       // answers, but with an error
  slow,             // answers, but later than any timeout of this bench
};

class Victim {
 public:
  // Listens on 127.0.0.1:`port`, in the memory cgroup `cgroup` unless that is "".
  Victim(int port, const std::string& cgroup);
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim();

  pid_t pid() const { return pid_; }
  void suffer(Fault fault);
  // The last instant at which all was well, in nanoseconds of the monotonic clock; for Fault::oom once it is dead.
  long long last_well() const { return *last_well_; }

 private:
  pid_t pid_;
  int pidfd_ = -1;
  int port_;
  int orders_ = -1;                 // our end of the socket pair
  long long* last_well_ = nullptr;  // in memory that both share
  std::vector<int> clients_;        // that wait for an answer
};

long long now_ns();
// Connects and waits for nothing; the descriptor, or -1.
int connect_to(int port);

}  // namespace bench
