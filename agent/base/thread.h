// Threads, where the process may not have any number of them: a unit's TasksMax=, a container's pids limit and ulimit
// -u count them, and each takes address space. Any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"

namespace base {

// A thread in which no signal is handled: they are the loop's. Kind::limit when none is to be had; the sentence names
// `purpose` ("to answer requests") and what to raise.
Result<std::thread> start_thread(std::string_view purpose, std::function<void()> work);

// Before the first thread: each has a stack of 8 MiB from here on, whatever ulimit -s says, and the main thread's may
// grow as well where its soft limit is below 1 MiB. Why the process cannot work ("" if it can): the hard limit is below
// that.
std::string settle_stacks();

// How many threads more this process may have now, `most` at the most: so many are started, and end again. `raise`:
// what to raise, where there is no room for all of them. About 20 us for each.
struct ThreadRoom {
  std::size_t threads = 0;
  std::string raise;
};
ThreadRoom room_for_threads(std::size_t most);

}  // namespace base
