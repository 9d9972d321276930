#include <fmt/format.h>

#include "base/percent.h"
#include "web/pages/html.h"
#include "web/pages/overview.h"
#include "web/pages/parts.h"

namespace web {
namespace {

std::string line_of(const ServicePage& service, const Snapshot& snapshot) {
  const std::string_view kind = service.maintenance ? "calm" : kind_of(service.health);
  return fmt::format(R"(<li>{} {} {}</li>)",
                     state_badge(kind, service.maintenance ? "Maintenance" : word_of(service.health)),
                     service_link(service.name, ""), for_time(service.since, snapshot));
}

std::string choice(const View& view, const std::string& by, const std::string& words, bool chosen) {
  View other = view;
  other.by = by;
  return chosen ? fmt::format(R"(<b aria-current="true">{}</b> )", escape(words))
                : fmt::format(R"(<a href="./{}">{}</a> )", escape(other.query()), escape(words));
}

}  // namespace

std::string group_part(const OverviewGroup& group, const View& view, const Snapshot& snapshot) {
  std::string out =
      fmt::format(R"(<summary><b>{}</b> <span class="mut">{} of {} up</span></summary><ul class="lines">)",
                  group.name.empty() ? "Services" : escape(group.name), group.up, group.services);
  for (const ServicePage* service : group.shown) out += line_of(*service, snapshot);
  out += "</ul>";
  if (group.shown.size() < group.services) {
    View whole = view;
    whole.all = true;
    out += fmt::format(R"(<p class="more"><a href="./{}">{} more</a></p>)", escape(whole.query()),
                       group.services - group.shown.size());
  }
  return out;
}

std::string search_part(const Overview& overview, const View& view) {
  std::string out = fmt::format(
      R"(<form class="search" role="search" method="get" action="./"><input type="search" name="q" value="{}" )"
      R"(aria-label="Words to look for in names, labels, units, targets and states" placeholder="name, label=value, down …">)",
      escape(view.search));
  if (view.by) out += fmt::format(R"(<input type="hidden" name="by" value="{}">)", escape(*view.by));
  out += "<button>Search</button>";
  if (!view.search.empty() || view.all) {
    View plain;
    plain.by = view.by;
    out += fmt::format(R"( <a href="./{}">all services</a>)", escape(plain.query()));
  }
  out += "</form>";
  if (overview.labels.empty()) return out;
  out += R"(<nav class="ranges" aria-label="Group by a label"><span class="mut">by</span> )";
  for (const std::string& label : overview.labels) out += choice(view, label, label, overview.by == label);
  return out + choice(view, "", "none", overview.by.empty()) + "</nav>";
}

}  // namespace web
