#include "app/standby_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace app {
namespace {

bool is_primary(const recover::StandbyStatus& standby) {
  const recover::ElectionView& seen = standby.facts.seen;
  return seen.right && seen.right->mine && seen.record && seen.record->primary == standby.facts.node &&
         seen.record->state == recover::StandbyState::held;
}

bool must_rejoin(const recover::StandbyStatus& standby) {
  const auto& record = standby.facts.seen.record;
  return record && std::find(record->must_rejoin.begin(), record->must_rejoin.end(), standby.facts.node) !=
                       record->must_rejoin.end();
}

// Servers that a promotion could choose now: replicas that follow and are not far behind.
int ready_replicas(const recover::StandbyStatus& standby) {
  int ready = 0;
  for (const auto& [member, look] : standby.facts.looks)
    if (look.answers && !look.primary && look.link_up && !look.syncing) ++ready;
  return ready;
}

std::string state_of(const recover::ServerLook& look) {
  if (!look.answers) return "no answer";
  if (look.primary) return look.closed ? "primary, closed" : "primary";
  return look.syncing ? "replica, syncing" : look.link_up ? "replica" : "replica, link down";
}

// What not all kinds tell, for a person.
std::string detail_of(const recover::ServerLook& look) {
  if (!look.answers) return look.trouble;
  if (look.timeline == 0) return look.detail;
  std::string out = fmt::format("timeline {}", look.timeline);
  if (look.primary && look.synchronous)
    out += look.sync.empty() ? ", waits for a synchronous standby that is not there"
                             : fmt::format(", synchronous with {}", fmt::join(look.sync, ", "));
  if (!look.primary && look.offset > look.replayed)
    out += fmt::format(", {} bytes to replay", look.offset - look.replayed);
  return out;
}

// How far the replicas are behind the primary, as it was seen in the same look.
void add_lag(Families& families, const recover::StandbyStatus& standby, const model::Labels& labels) {
  const auto& looks = standby.facts.looks;
  const bool transactions = standby.spec->kind == recover::StandbyKind::mariadb;
  const auto primary = std::find_if(looks.begin(), looks.end(),
                                    [](const auto& look) { return look.second.answers && look.second.primary; });
  for (const auto& [member, look] : looks) {
    if (!look.answers || look.primary) continue;
    const model::Labels of = labels.with("member", member);
    const auto behind = primary == looks.end()
                            ? 0.0
                            : static_cast<double>(std::max<std::int64_t>(primary->second.offset - look.offset, 0));
    if (primary != looks.end() && transactions)
      families.add("fettle_standby_lag_transactions",
                   "Transactions that a MariaDB replica has not received of what its primary had.", of, behind);
    else if (primary != looks.end())
      families.add("fettle_standby_lag_bytes",
                   "Bytes of the replication stream that a replica has not received of what its primary had.", of,
                   behind);
    if (look.timeline != 0 || look.behind)
      families.add("fettle_standby_lag_seconds",
                   "How long a PostgreSQL or MariaDB replica is behind with replaying; 0 if it lacks nothing.", of,
                   look.behind.value_or(0));
  }
}

}  // namespace

std::vector<web::StandbyPage> standby_pages(const std::vector<recover::StandbyStatus>& standbys) {
  std::vector<web::StandbyPage> out;
  for (const recover::StandbyStatus& standby : standbys) {
    web::StandbyPage& page = out.emplace_back();
    page.service = standby.spec->service;
    page.mode = to_string(standby.spec->mode);
    page.is = standby.decision.text;
    page.move = to_string(standby.decision.move);
    const recover::ElectionView& seen = standby.facts.seen;
    if (seen.known && seen.right) page.holder = seen.right->node, page.fence = seen.right->fence;
    if (seen.record) page.primary = seen.record->primary, page.must_rejoin = seen.record->must_rejoin;
    if (seen.record && seen.record->promoted != base::WallTime{}) page.promoted = seen.record->promoted;
    for (const auto& [member, server] : standby.spec->members) {
      web::StandbyPage::Member& row = page.members.emplace_back();
      row.node = member;
      row.address = server.text();
      const auto look = standby.facts.looks.find(member);
      if (look == standby.facts.looks.end()) continue;
      row.state = state_of(look->second);
      row.offset = look->second.offset;
      row.text = detail_of(look->second);
    }
    for (const recover::StandbyJudgement& each : standby.decision.judgements)
      page.gates.push_back({std::string(to_string(each.gate)), each.open, each.text});
  }
  return out;
}

void add_standbys(Families& families, const std::vector<recover::StandbyStatus>& standbys) {
  for (const recover::StandbyStatus& standby : standbys) {
    const model::Labels labels{{"service", standby.spec->service}};
    families.add("fettle_standby_primary", "1 if the server of this node is the primary of its standby.", labels,
                 is_primary(standby) ? 1 : 0);
    families.add("fettle_standby_servers_taking_writes",
                 "Servers of the standby that this agent sees to take writes; more than 1 is a split brain.", labels,
                 static_cast<double>(standby.taking_writes));
    families.add("fettle_standby_ready_replicas",
                 "Replicas of the standby that this agent sees with their link up and no full copy under way.", labels,
                 ready_replicas(standby));
    families.add("fettle_standby_must_rejoin",
                 "1 if the server of this node was the primary and has not rejoined as a replica since.", labels,
                 must_rejoin(standby) ? 1 : 0);
    families.add("fettle_standby_managed",
                 "1 if something else promotes the servers (Sentinel, Patroni, repmgr), so that fettle does not.",
                 labels,
                 std::any_of(standby.facts.looks.begin(), standby.facts.looks.end(),
                             [](const auto& look) { return !look.second.managed.empty(); })
                     ? 1
                     : 0);
    families.add("fettle_standby_promotions", "Promotions that this agent has completed.", labels,
                 static_cast<double>(standby.promotions), model::MetricType::counter, "_total");
    add_lag(families, standby, labels);
    for (const recover::StandbyJudgement& each : standby.decision.judgements)
      if (!each.open && each.gate != recover::StandbyGate::primary_lease_alive)  // another one is the primary
        families.add("fettle_standby_refused",
                     "1 for each condition that keeps this node's server from what it would do in its standby.",
                     labels.with("reason", to_string(each.gate)), 1);
  }
}

}  // namespace app
