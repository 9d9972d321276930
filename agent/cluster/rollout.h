// A rollout: an action on all members of a group, one batch after the other, whose record lies in the store under no
// lease, so that it outlives the agent that began it. Each agent does the part of its own node. Pure: the record, who
// asks and what is known there give what that agent does now, or what it writes.
//
//   running ─all done→ done
//   running ─a member failed, or has not begun in time→ stopped ─resume→ running
//   running ─abort→ aborted ─resume→ running
//
// Rules that hold throughout:
// - A member begins only after the record says so, and the record says so only while it is running and all batches
//   before are done: never more than a batch acts at once, and after a failure no member begins.
// - The record is written over the revision that was read. Of two agents that write at once one reads again.
// - Time is counted from when an agent saw the revision first: the clocks of nodes are not compared.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cluster/group.h"
#include "cluster/rollout_record.h"

namespace cluster {

// As people ask for it.
struct RolloutWish {
  std::string action;
  std::string batch = "1";  // a number of members, or a part of them in percent, rounded up
  base::Millis deadline{300'000};
  std::string by;
};
base::Result<Rollout> begin_rollout(const std::string& group, const Group& now, const RolloutWish& wish, std::string id,
                                    base::WallTime at);
// What failed is tried again. Refused while a member is at work whose agent is there: it would be asked twice.
base::Result<Rollout> resume_rollout(const std::string& group, const Group& now, base::WallTime at);
base::Result<Rollout> abort_rollout(const std::string& group, const Group& now, const std::string& by,
                                    base::WallTime at);

// Those whose turn it is: the first batch that is not done.
std::vector<const RolloutPart*> turn_of(const Rollout& rollout);

// The run of one member's plan for this round, as its own agent knows it.
struct PartRun {
  enum class State { none, under_way, recovered, failed } state = State::none;
  std::string text{};  // of failed: why
};
// Whether its plan may begin now. later: what holds it back passes. never: only people open it.
struct PartGate {
  enum class State { open, later, never } state = State::open;
  std::string text{};
};
struct PartView {
  Identity self{};
  PartRun run{};
  PartGate gate{};
  bool joined = false;         // the agent has its lease
  base::Duration unchanged{};  // since this agent saw the revision first
};

// For the log, the audit trail and the counter.
enum class RolloutEvent { started, part_began, part_done, part_failed, stopped, resumed, aborted, done };
std::string_view to_string(RolloutEvent event);
inline constexpr std::array kRolloutEvents{RolloutEvent::started,     RolloutEvent::part_began, RolloutEvent::part_done,
                                           RolloutEvent::part_failed, RolloutEvent::stopped,    RolloutEvent::resumed,
                                           RolloutEvent::aborted,     RolloutEvent::done};
struct RolloutNews {
  RolloutEvent event = RolloutEvent::started;
  std::string service{};  // of this agent, if it is about one
  std::string text{};
};

struct RolloutTodo {
  enum class Kind { nothing, write, begin, abort } kind = Kind::nothing;  // begin, abort: the run of this member
  Rollout next{};                                                         // to be written
  std::vector<RolloutNews> news{};                                        // once it is
};

// Others wait a little longer than the member itself, which knows why it did not begin.
constexpr base::Millis kDeadlineOfOthers{10'000};
RolloutTodo decide(const Group& now, const PartView& view, base::WallTime at);

}  // namespace cluster
