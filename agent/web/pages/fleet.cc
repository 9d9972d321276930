#include <fmt/format.h>

#include <algorithm>

#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

// Who acts, and who waits for it, since when.
std::string work_of(const FleetMemberPage& member, const Snapshot& snapshot) {
  if (member.acts_since) return state_badge("busy", "acts") + " " + for_time(*member.acts_since, snapshot);
  if (member.waits_since) return state_badge("calm", "waits") + " " + for_time(*member.waits_since, snapshot);
  return "";
}

std::string rows_of(const FleetGroupPage& group, const Snapshot& snapshot) {
  std::string rows;
  for (const FleetMemberPage& member : group.members)
    rows += fmt::format(
        R"(<tr><th scope="row">{}<span class="mut mono">{}</span></th><td>{}</td><td>{} {}</td><td>{}</td></tr>)",
        escape(member.node), escape(group.name), escape(member.service),
        state_badge(kind_of(member.health), word_of(member.health)), for_time(member.since, snapshot),
        work_of(member, snapshot));
  return rows;
}

std::string panic_of(const FleetGroupPage& group) {
  if (group.panic.empty()) return "";
  return fmt::format(R"(<p class="why"><b class="reason">{}</b> {}{}</p>)", escape(group.name), escape(group.panic),
                     group.pager.empty() ? "" : "; people are told by " + escape(group.pager));
}

std::string rollout_of(const FleetGroupPage& group) {
  if (!group.rollout || group.rollout->state == "done") return "";
  const RolloutPage& rollout = *group.rollout;
  const auto done = std::count_if(rollout.parts.begin(), rollout.parts.end(),
                                  [](const RolloutPartPage& part) { return part.state == "done"; });
  return fmt::format(R"(<p class="why"><b class="reason">{}</b> rollout {} is {}: {} of {} members are done{}</p>)",
                     escape(group.name), escape(rollout.id), escape(rollout.state), done, rollout.parts.size(),
                     rollout.why.empty() ? "" : "; " + escape(rollout.why));
}

}  // namespace

std::string fleet_part(const Snapshot& snapshot) {
  const FleetPage& fleet = snapshot.fleet;
  std::size_t members = 0;
  std::string rows, notes;
  for (const FleetGroupPage& group : fleet.groups) {
    members += group.members.size();
    rows += rows_of(group, snapshot);
    notes += panic_of(group) + rollout_of(group);
  }
  std::string out = heading("Fleet", members);
  out += fmt::format(R"(<p>{} <span class="mono">{}</span> <span class="mut">{}</span></p>)",
                     fleet.joined ? state_badge("up", "Joined") : state_badge("down", "Not joined"),
                     escape(fleet.store), for_time(fleet.since, snapshot));
  if (!fleet.trouble.empty()) out += R"(<p class="why">It does not answer: )" + escape(fleet.trouble) + "</p>";
  if (rows.empty()) return out + notes + R"(<p class="empty">No member is known.</p>)";
  return out + notes +
         R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Node</th><th scope="col">Service</th>)"
         R"(<th scope="col">Health</th><th scope="col">Recovery</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

}  // namespace web
