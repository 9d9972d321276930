// What the node knew of a fault before anything was done about it: lines for people, and the signs by which its kind is
// named. Plain values; name_fault() is pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/outcome.h"

namespace model {

// hang: it does not answer, and where it waits is not to be seen. unknown: no sign is clear.
enum class FaultKind { unknown, dependency, crash, leak, lock, io, queue, hang };
std::string_view to_string(FaultKind kind);  // "dead dependency", "hang in a lock" …
std::optional<FaultKind> parse_fault_kind(std::string_view name);

// What a thread does that has not run for a while. lock: it waits for another thread. io: it reads or writes a file or
// a pipe. disk: the same, and no signal ends it (state D). peer: it waits for the other end of a connection. work: it
// waits for something to do. hidden: it sleeps, and the kernel does not show this user where.
enum class Wait { runs, lock, io, disk, stopped, peer, work, sleep, hidden };
inline constexpr std::size_t kWaits = 9;
std::string_view to_string(Wait wait);

// Something that a process may have so much of and no more.
struct Level {
  std::string name;  // memory, tasks, open files, address space
  std::uint64_t used = 0, limit = 0;
};

struct FaultSigns {
  Reason reason = Reason::none;               // of the first probe that is down
  std::string dependency;                     // the first one whose last run failed, and what it said; "": none
  std::string death;                          // what an event source saw: how the process ended
  std::string unit_result;                    // of systemd: success, exit-code, oom-kill …; "": not known
  bool looked = false;                        // for processes of the service
  bool process = false;                       // its main process is there
  std::optional<Wait> main;                   // what the main thread of it does
  std::array<std::size_t, kWaits> threads{};  // of all its processes, by Wait
  std::vector<Level> levels;
  std::uint64_t oom_kills = 0;     // in its control group
  std::uint64_t accept_queue = 0;  // connections that wait for accept() where the probe connects
};

struct FaultName {
  FaultKind kind = FaultKind::unknown;
  std::string why;  // the signs, for a person
};

// The first row of this table whose signs are there:
//   dead dependency  what it depends on does not answer
//   leak             the kernel killed for memory, or the service has used up what it may have of something
//   crash            its process ended
//   hang in I/O      it does not answer, and threads are stopped, or read or write what does not come
//   hang in a lock   it does not answer, and threads wait for another thread
//   full queue       connections wait to be accepted by a process that goes on
//   hang             it does not answer, and its threads sleep, compute or wait for a peer
FaultName name_fault(const FaultSigns& signs);

struct EvidenceSection {
  std::string name;                // probes, dependencies, unit, processes, threads, limits, cgroup, sockets, journal
  std::vector<std::string> lines;  // without secrets
  std::string missing;             // why there are no lines, or no more of them; ""
};

struct Evidence {
  std::string incident, service;
  std::string recovery;  // the run that was about to begin; "": none was
  base::WallTime at{};
  base::Duration took{};  // until all was gathered, or the budget was over
  FaultName fault;
  std::vector<EvidenceSection> sections;

  std::size_t bytes() const;     // of its texts
  void cut(std::size_t limit);   // so that bytes() is no more: the longest sections lose their last lines
  std::string headline() const;  // "hang in a lock: 3 of 4 threads wait for another thread"
};

}  // namespace model
