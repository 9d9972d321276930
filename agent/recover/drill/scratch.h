// The folder into which a drill restores: empty or ours before, bounded, and empty again after, whatever happened.
// The functions are blocking system calls; they own what they need and run on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace recover {

struct Scratch {
  std::string folder;  // absolute
  std::uint64_t max_bytes = 0;

  std::string data() const { return folder + "/data"; }  // what was restored
  std::string run() const { return folder + "/run"; }    // what the tools need besides: sockets, caches
};

// Makes the folder, if its parent is there, and in it the mark and both folders. What an earlier drill left is removed
// before. invalid, and what to do: it has files that no drill left, or others may write to it. limit: the disk has no
// room for a drill.
base::Result<> prepare(const Scratch& scratch);

// All that is in it, and the folder itself if prepare() made it; nothing if the mark is not there. True: something was.
base::Result<bool> remove(const Scratch& scratch);

// Of the disk a twentieth stays free.
struct ScratchUse {
  std::uint64_t bytes = 0;  // of files in the folder
  bool disk_full = false;
};
base::Result<ScratchUse> measure(const Scratch& scratch);
// Why the drill has to stop, or "".
std::string too_large(const Scratch& scratch, const ScratchUse& use);

// What is below data().
struct Restored {
  std::uint64_t files = 0;  // regular ones
  std::uint64_t bytes = 0;
  base::WallTime newest{};  // of their times of change
};
base::Result<Restored> look_at(const Scratch& scratch);

// The lines of a manifest as sha256sum(1) writes it are about files beside it: no absolute path, no "..", at least one.
// Any other would have something checked that was not restored.
base::Result<> check_manifest(const Scratch& scratch, const std::string& manifest);

// Makes a data directory ready for a throw-away server: no pid, no signal to follow a primary, and no link that leads
// out of the scratch folder, behind which data of the live server may be.
base::Result<> prepare_cluster(const Scratch& scratch, const std::string& cluster);
// Where the programs of the version lie that made the data directory; "": of the newest there is.
base::Result<std::string> postgres_programs(const std::string& cluster);

}  // namespace recover
