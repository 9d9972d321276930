// The records as State::read() shows them: durable ones, and over them what is on its way to the disk. What turns out
// not to be durable is taken back, without touching what later calls said about the same key. Loop thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "state/state.h"

namespace state {

class Records {
 public:
  using Map = std::map<std::string, std::string>;

  const Map& table(Table table) const { return shown_[index(table)]; }
  void load(Table table, std::string key, std::string value);

  // Shows the changes of call number `call` from now on; numbers rise.
  void begin(std::uint64_t call, const std::vector<Change>& changes);
  // The oldest call that has begun is durable now, or will never be.
  void keep(std::uint64_t call, const std::vector<Change>& changes);
  void take_back(std::uint64_t call, const std::vector<Change>& changes);

 private:
  using Value = std::optional<std::string>;  // empty: no such record
  struct Pending {
    Value durable;
    std::deque<std::pair<std::uint64_t, Value>> later;  // by call, oldest first
  };

  static constexpr std::size_t index(Table table) { return static_cast<std::size_t>(table); }
  void show(Table table, const std::string& key, const Value& value);

  static constexpr std::size_t kTables = static_cast<std::size_t>(Table::evidence) + 1;
  std::array<Map, kTables> shown_;
  std::array<std::map<std::string, Pending>, kTables> pending_;  // only keys with calls on their way
};

}  // namespace state
