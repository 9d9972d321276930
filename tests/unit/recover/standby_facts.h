// What an agent sees of a standby in the tables of its decisions, and a decision in words.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "recover/standby/promotion.h"

namespace standby_facts {

using recover::ServerLook;
using recover::StandbyFacts;

// A refused connection to the primary of the tables.
inline ServerLook gone(const std::string& address) {
  ServerLook look;
  look.refused = true;
  look.trouble = "connect to " + address + ": Connection refused";
  return look;
}

// The node `a` has the right and the record; nothing is remembered yet.
inline StandbyFacts with_right_of_a(const recover::StandbySpec& spec, const std::string& node,
                                    recover::StandbyRecord record, std::map<std::string, ServerLook> looks) {
  StandbyFacts facts{spec, node};
  facts.lease = true;
  facts.seen.known = true;
  facts.seen.right = recover::StandbyRight{"a", node == "a", 7, 0};
  facts.seen.record = std::move(record);
  facts.seen.revision = 3;
  facts.looks = std::move(looks);
  facts.health = model::Health::up;
  facts.now = base::Instant{} + std::chrono::hours{1};
  facts.wall_now = base::wall_from_ms(1'700'000'000'000);
  return facts;
}

// The primary's agent has given up.
inline StandbyFacts released(StandbyFacts facts, ServerLook primary) {
  facts.seen.right.reset();
  facts.seen.record->state = recover::StandbyState::released;
  facts.seen.record->offset = 1000;
  facts.looks["a"] = std::move(primary);
  return facts;
}

// "take" or "none: another_is_ahead"
inline std::string shown(const StandbyFacts& facts) {
  const recover::StandbyDecision decision = decide(facts);
  std::string out(to_string(decision.move));
  for (const recover::StandbyJudgement& each : decision.judgements)
    if (!each.open) out += (out.find(':') == std::string::npos ? ": " : " ") + std::string(to_string(each.gate));
  return out;
}

inline std::string shown(StandbyFacts facts, const std::function<void(StandbyFacts&)>& change) {
  change(facts);
  return shown(facts);
}

}  // namespace standby_facts
