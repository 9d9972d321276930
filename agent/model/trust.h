// Whether a plan may act by itself: one verdict, and the reasons for it. From the ledger of the plan and from what is
// known of its probes, its steps and the receivers. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/action_report.h"
#include "model/ledger.h"

namespace model {

enum class TrustVerdict { switch_on, wait, do_not };
std::string_view to_string(TrustVerdict verdict);

// What a reason does to the verdict. good and note: nothing. wait: at best wait. against: do_not.
enum class TrustWeight { good, note, wait, against };
std::string_view to_string(TrustWeight weight);

enum class TrustTopic { plan, probe, dry_run, cure, relapse, guard, missing };
std::string_view to_string(TrustTopic topic);

struct TrustReason {
  TrustTopic topic = TrustTopic::plan;
  TrustWeight weight = TrustWeight::note;
  std::string text;  // a sentence without its full stop
};

struct TrustFacts {
  std::string service;
  std::optional<RecoveryMode> mode;  // nullopt: it has no plan
  std::string cure;                  // the first step that may heal; "": the plan has none
  bool verifies = false;             // each step that may heal has a verification of its own
  bool drains = false, undrains = false;
  bool has_traffic = false;            // that could be moved
  std::size_t probes = 0;              // of the service
  std::size_t undecided = 0;           // probes without a verdict
  base::Millis observed{};             // time with a verdict
  std::vector<std::string> latched{};  // closed guards that only people open, in words
  std::vector<std::string> traffic_troubles{};
  std::size_t receivers = 0;
  bool any_taken = false;              // a receiver has taken a message
  std::vector<std::string> failing{};  // receivers that do not take what waits for them
};

struct Trust {
  static constexpr std::chrono::hours kObserved{7 * 24};
  static constexpr std::size_t kFaults = 3;

  TrustVerdict verdict = TrustVerdict::wait;
  std::string sentence;
  std::vector<TrustReason> reasons;  // by topic
};

Trust judge(const TrustFacts& facts, const Ledger& ledger);

}  // namespace model
