// SIGTERM, SIGINT and SIGHUP as loop events (signalfd).
#pragma once

#include <functional>

#include "base/result.h"
#include "loop/handle.h"

namespace loop {

class EventLoop;

// Blocks the three signals for this thread and all that it starts: call before the first thread.
void block_signals();
base::Result<Handle> watch_signals(EventLoop& loop, std::function<void(int signal)> on_signal);

}  // namespace loop
