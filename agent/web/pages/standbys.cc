#include <fmt/format.h>

#include <algorithm>

#include "web/pages/html.h"
#include "web/pages/parts.h"
#include "web/standby_findings.h"

namespace web {
namespace {

std::string member_of(const StandbyPage::Member& member, const StandbyPage& standby) {
  const bool bad = member.state == "no answer" || member.state == "replica, link down";
  const bool must_rejoin =
      std::find(standby.must_rejoin.begin(), standby.must_rejoin.end(), member.node) != standby.must_rejoin.end();
  return fmt::format(R"(<div>{} {} <span class="mut">{}{}</span></div>)",
                     state_badge(bad || must_rejoin ? "down" : "up", member.node), escape(member.state),
                     must_rejoin ? "must rejoin; " : "", escape(member.text));
}

std::string row_of(const StandbyPage& standby, const Snapshot& snapshot) {
  std::string members;
  for (const StandbyPage::Member& each : standby.members) members += member_of(each, standby);
  const auto* refusal = refusal_of(standby);
  const std::string why = refusal == nullptr ? ""
                                             : fmt::format(R"({} <span class="mut">{}</span>)",
                                                           state_badge("warn", refusal->name), escape(refusal->text));
  return fmt::format(
      R"(<tr><th scope="row">{}<span class="mut mono">{}</span></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>)",
      escape(standby.service), escape(standby.mode),
      standby.holder.empty() ? state_badge("down", "none") : escape(standby.holder), escape(standby.is), members,
      standby.promoted ? ago(*standby.promoted, snapshot) : "never", why);
}

}  // namespace

std::string standbys_part(const Snapshot& snapshot) {
  std::string rows;
  for (const StandbyPage& standby : snapshot.standbys) rows += row_of(standby, snapshot);
  return heading("Hot standbys", snapshot.standbys.size()) +
         R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Service</th><th scope="col">Primary</th>)"
         R"(<th scope="col">Server here</th><th scope="col">Servers</th><th scope="col">Last promotion</th>)"
         R"(<th scope="col">Refused</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

}  // namespace web
