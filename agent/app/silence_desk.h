// What people ask of silences over the admin socket, and what pages show of them. Each request is written to the log
// with who and why. Loop thread.
#pragma once

#include <functional>

#include "app/backend.h"
#include "app/snapshot_builder.h"
#include "notify/silences.h"

namespace app {

// Fills in the calls about silences. `silences` outlives `side`; `shown` puts the change on the pages, before it is
// answered: who adds a silence and then lists them finds it.
void open_silence_desk(LoopSide& side, notify::Silences& silences, std::function<void()> shown);

// Puts the silences and, to each alert, the ids of those that hold it back into `facts`.
void add_silences(SnapshotFacts& facts, const notify::Silences& silences);

}  // namespace app
