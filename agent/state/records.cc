#include "state/records.h"

namespace state {

void Records::load(Table table, std::string key, std::string value) {
  shown_[index(table)].insert_or_assign(std::move(key), std::move(value));
}

void Records::show(Table table, const std::string& key, const Value& value) {
  Map& map = shown_[index(table)];
  if (value) map.insert_or_assign(key, *value);
  else map.erase(key);
}

void Records::begin(std::uint64_t call, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    const auto [entry, fresh] = pending_[index(change.table)].try_emplace(change.key);
    if (fresh) {
      const Map& map = shown_[index(change.table)];
      if (const auto found = map.find(change.key); found != map.end()) entry->second.durable = found->second;
    }
    Value value;
    if (!change.erase) value = change.value;
    show(change.table, change.key, value);
    entry->second.later.emplace_back(call, std::move(value));
  }
}

void Records::keep(std::uint64_t call, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    auto& keys = pending_[index(change.table)];
    const auto entry = keys.find(change.key);
    if (entry == keys.end()) continue;  // named twice in this call, and settled by the first
    auto& later = entry->second.later;
    for (; !later.empty() && later.front().first == call; later.pop_front())
      entry->second.durable = std::move(later.front().second);
    if (later.empty()) keys.erase(entry);
  }
}

void Records::take_back(std::uint64_t call, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    auto& keys = pending_[index(change.table)];
    const auto entry = keys.find(change.key);
    if (entry == keys.end()) continue;
    auto& [durable, later] = entry->second;
    while (!later.empty() && later.front().first == call) later.pop_front();
    show(change.table, change.key, later.empty() ? durable : later.back().second);
    if (later.empty()) keys.erase(entry);
  }
}

}  // namespace state
