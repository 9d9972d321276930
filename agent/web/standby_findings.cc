#include "web/standby_findings.h"

#include <fmt/format.h>

#include <algorithm>

namespace web {
namespace {

constexpr const char* kFollows = "replica";  // a member's state: its link is up, and it has the data

std::ptrdiff_t replicas_of(const StandbyPage& standby) {
  return std::count_if(standby.members.begin(), standby.members.end(),
                       [](const StandbyPage::Member& each) { return each.state == kFollows; });
}

}  // namespace

const StandbyPage* standby_of(const Snapshot& snapshot, const std::string& service) {
  const auto found = std::find_if(snapshot.standbys.begin(), snapshot.standbys.end(),
                                  [&](const StandbyPage& each) { return each.service == service; });
  return found == snapshot.standbys.end() ? nullptr : &*found;
}

const StandbyPage::Gate* refusal_of(const StandbyPage& standby) {
  const auto found = std::find_if(standby.gates.begin(), standby.gates.end(), [](const StandbyPage::Gate& each) {
    return !each.open && each.name != "primary_lease_alive";
  });
  return found == standby.gates.end() ? nullptr : &*found;
}

std::vector<std::string> standby_findings(const StandbyPage& standby) {
  std::vector<std::string> out;
  if (standby.holder.empty()) out.emplace_back("no_primary");
  if (replicas_of(standby) == 0) out.emplace_back("no_standby");
  if (!standby.must_rejoin.empty()) out.emplace_back("must_rejoin");
  if (const auto* gate = refusal_of(standby)) out.push_back("refused: " + gate->name);
  return out;
}

std::string standby_summary(const StandbyPage& standby) {
  const auto replicas = replicas_of(standby);
  return fmt::format("{}, {} replica{}", standby.primary.empty() ? "no primary" : standby.primary, replicas,
                     replicas == 1 ? "" : "s");
}

}  // namespace web
