// Says in the log and on the page who has no room in the store, and who took it. Loop thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "probe/spec.h"
#include "store/store.h"

namespace app {

class StoreWatch {
 public:
  explicit StoreWatch(store::Store& store) : store_(store) {}

  // Now and then. One line in the log when the store becomes full, one when rules are refused, and one for each probe
  // that has its most series; again after they had room for ten minutes. One for each look that finds living series
  // lost.
  void look(base::Instant now);
  // What is so at present, a sentence each, for the page.
  std::vector<std::string> troubles() const;

 private:
  static constexpr std::chrono::minutes kForgotten{10};

  store::Store& store_;
  struct Short {
    std::string text;
    base::Instant last{};
  };
  void say_full(base::Instant now);
  void say_rules(const store::WriterStats& rule, base::Instant now);
  void say_lost(const store::WriterStats& from, std::uint64_t lost, base::Instant now);

  // `last` is 0 while it is not so.
  Short full_, rules_, lost_;
  std::uint64_t lost_series_ = 0;       // while lost_ is so
  std::map<store::Writer, Short> own_;  // probes whose series come and go
};

// "" or that these probes, and the agent of itself, measure more series than the store may hold, for the check of a
// configuration and the start.
// What a run measures at least is known, what an application says of itself is not.
std::string too_many_series(const std::vector<const probe::Spec*>& probes, std::size_t max_series);

}  // namespace app
