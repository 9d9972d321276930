// The audit trail in Table::audit: what people changed, what recoveries did, which notifications were decided, in one
// chain of hashes. Entries become durable in their order, many in one call, and wait in memory while the disk does not
// take them. Bounded: kKeep entries, kOldest, and kWaiting that wait; of those the oldest go, and an entry says how
// many went. Loop thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "model/audit.h"
#include "state/state.h"

namespace state {

class AuditTrail {
 public:
  static constexpr std::size_t kKeep = 5'000, kWaiting = 1'000, kBatch = 200, kLongestText = 1'000;
  static constexpr std::chrono::hours kOldest{90 * 24};
  static constexpr std::chrono::seconds kAgain{5};

  // Goes on with the chain that `state` has. Both outlive the trail.
  AuditTrail(State& state, loop::Scheduler& scheduler);

  // What is wrong with the chain as it was found at the start, for a person; "": nothing. It goes on all the same.
  const std::string& mistake() const { return mistake_; }

  void add(model::AuditKind kind, std::string by, std::string service, std::string text);

  // Up to `limit` entries with a number below `before` (nullopt: the newest), oldest first; only those of `service`, if
  // that is not "".
  std::vector<model::AuditEntry> entries(std::size_t limit, std::optional<std::uint64_t> before,
                                         const std::string& service) const;

 private:
  struct Waiting {
    base::WallTime at{};
    model::AuditKind kind{};
    std::string by, service, text;
  };
  struct Link {  // of the chain
    std::uint64_t number = 0;
    std::string hash;
  };

  void load();
  void write();
  void written(const base::Result<>& result, const Link& head);
  void drop_old(std::size_t coming, base::WallTime now, std::vector<Change>& changes) const;

  State& state_;
  loop::Scheduler& scheduler_;
  std::string mistake_;
  Link head_;  // the last entry that is durable
  std::deque<Waiting> waiting_;
  std::size_t writing_ = 0;  // of the first that wait
  std::size_t dropped_ = 0;  // and not told of yet
  std::size_t telling_ = 0;  // of them, in the call under way
  loop::Handle again_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace state
