// What every handler may use. Made once by the server; handlers run on many threads at a time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/time.h"
#include "web/backend.h"
#include "web/server/answer_memory.h"
#include "web/server/query_gate.h"
#include "web/server/refusals.h"
#include "web/server/server.h"
#include "web/snapshot.h"

namespace web {

struct Context {
  const SnapshotSlot& slot;
  Backend& backend;
  const ServerOptions& options;
  std::function<base::WallTime()> now;          // the default time of queries
  const std::atomic<bool>* stopping = nullptr;  // ends running queries
  std::function<std::size_t()> event_streams;   // how many are open
  QueryGate& gate;
  AnswerMemory& memory;
  std::shared_ptr<Refusals> refusals{};        // null in tests of handlers alone
  std::function<std::size_t()> connections{};  // of clients, how many are open
};

}  // namespace web
