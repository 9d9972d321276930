#include "recover/plan/unwritten_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "loop/scheduler.h"

namespace recover {
namespace {

tl::unexpected<base::Error> refused(std::string why) { return base::fail(base::Kind::limit, std::move(why)); }

}  // namespace

base::Result<> UnwrittenRuns::let(const UnwrittenRun& run) {
  const base::Instant now = scheduler_.now();
  if (std::any_of(let_.begin(), let_.end(), [&](const Let& one) { return one.recovery == run.recovery; })) return {};
  if (run.by_person) return refused("a person started it and is told so");
  if (run.reboots) return refused("it may reboot the node, and the agent would not know of it then");
  if (now < agent_started_ + kAgentUptime)
    return refused(fmt::format("without its disk the agent recovers nothing in its first {}",
                               base::format_duration(base::Millis(kAgentUptime))));
  while (!let_.empty() && let_.front().at + kWindow <= now) let_.pop_front();
  if (std::any_of(let_.begin(), let_.end(), [&](const Let& one) { return one.service == run.service; }))
    return refused("without its disk the agent recovers a service once an hour");
  if (let_.size() >= kNode)
    return refused(fmt::format("without its disk the agent makes {} recoveries an hour on a node", kNode));
  let_.push_back({run.service, run.recovery, now});
  return {};
}

}  // namespace recover
