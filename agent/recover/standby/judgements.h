// The conditions of a standby's moves: each looks at the facts and says, by its name, whether it holds. Pure; used by
// promotion.cc only.
#pragma once

#include <string>
#include <vector>

#include "recover/standby/promotion.h"

namespace recover {

using Judgements = std::vector<StandbyJudgement>;

const ServerLook& look_at(const StandbyFacts& facts, const std::string& member);
const ServerLook& own(const StandbyFacts& facts);
// Of a member, as replicas name it; "" if it is none.
std::string address(const StandbyFacts& facts, const std::string& member);
bool takes_writes(const ServerLook& look);
// It is in the record, and has not rejoined.
bool must_rejoin(const StandbyRecord& record, const std::string& member);

void say(Judgements& all, StandbyGate gate, bool open, std::string text);

// What people work on is theirs: nothing begins. What only closes a server goes on, and so does a promotion whose fence
// is proven, without which there would be no primary.
void judge_people(Judgements& all, const StandbyFacts& facts);
// What else promotes is in charge; empty: there is nothing.
Judgements judge_manager(const StandbyFacts& facts);
// What the own server must be like before it may ever be a primary.
void judge_own(Judgements& all, const StandbyFacts& facts);
// By what the veto program has said.
void judge_veto(Judgements& all, const StandbyFacts& facts);
void judge_cooldown(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record);
// Whether the own server has what the primary had, and no other one has more.
void judge_data(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record);
// The old primary says itself that it takes no write, and no late command can change that. Its agent has said so.
bool closed_by_own_word(const StandbyFacts& facts, const StandbyRecord& record);
bool closed_by_its_agent(const StandbyFacts& facts, const StandbyRecord& record);
// Whether the server that was the primary can be proven to take no write.
void judge_primary(Judgements& all, const StandbyFacts& facts, const StandbyRecord& record);
// Whether the own server may be the primary of the record again.
Judgements judge_resume(const StandbyFacts& facts, const StandbyRecord& record);

}  // namespace recover
