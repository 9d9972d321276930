#include "web/pages/status_page.h"

#include <fmt/format.h>

#include "web/pages/assets.h"
#include "web/pages/frame.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::string_view kCards = "cards", kGroups = "groups";

// All but what the last runs measured.
std::string state_of(const ServicePage& service) {
  std::string out =
      fmt::format("{} {} {} {} {} {}", model::to_string(service.health), model::to_string(service.reason),
                  service.maintenance.value_or(""), service.paused, service.attempts_left, service.recovery_reason);
  if (service.recovery_state) out += to_string(*service.recovery_state);
  for (const ProbePage& probe : service.probes)
    out += fmt::format(" {} {}", probe.name, model::to_string(probe.health));
  return out;
}

std::string state_of_rules(const Snapshot& snapshot) {
  std::string out = ".";
  for (const RuleGroupPage& group : snapshot.rule_groups)
    for (const RulePage& rule : group.rules) {
      out += rule.last_error;
      for (const model::Alert& alert : rule.alerts) out += alert.state == model::AlertState::firing ? "f" : "p";
      out += rule.unmatched_since ? '-' : '.';
    }
  return out;
}

std::string slot(const Fragment& fragment, std::string_view tag, std::string_view attributes = "") {
  return fmt::format("<{0} id=\"{1}\"{2}>{3}</{0}>\n", tag, escape(fragment.id), attributes, fragment.html);
}

std::vector<Fragment> fragments_of(const Overview& services, const Snapshot& snapshot, const View& view) {
  std::vector<Fragment> out;
  out.push_back({"notices", notices_part(snapshot)});
  out.push_back({"summary", summary_part(snapshot)});
  for (const ServicePage* service : services.cards)
    out.push_back({"s-" + service->name, service_part(*service, snapshot), kCards, state_of(*service)});
  for (const OverviewGroup& group : services.groups)
    out.push_back({"list-" + group.name, group_part(group, view, snapshot), kGroups});
  out.push_back({"incidents", incidents_part(snapshot)});
  out.push_back({"alerts", alerts_part(snapshot)});
  out.push_back({"recoveries", recoveries_part(snapshot)});
  if (!snapshot.standbys.empty()) out.push_back({"standbys", standbys_part(snapshot)});
  if (!snapshot.drills.empty()) out.push_back({"drills", drills_part(snapshot)});
  if (!snapshot.fault_drills.empty()) out.push_back({"fault-drills", fault_drills_part(snapshot)});
  if (!snapshot.fleet.store.empty()) out.push_back({"fleet", fleet_part(snapshot)});
  out.push_back({"rules", rules_part(snapshot), "", state_of_rules(snapshot)});
  out.push_back({"agent", config_part(snapshot)});
  return out;
}

}  // namespace

std::vector<Fragment> page_fragments(const Snapshot& snapshot, const View& view) {
  return fragments_of(overview(snapshot, view), snapshot, view);
}

std::string_view page_content_security_policy() {
  return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
         "base-uri 'none'; form-action 'self'; frame-ancestors 'self'";
}

std::string status_page(const Snapshot& snapshot, const View& view) {
  const Asset* style = find_asset("style.css");
  const Asset* script = find_asset("app.js");
  const Asset* icon = find_asset("icon.svg");
  std::string out = fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{}</title>
<link rel="icon" href="assets/icon.svg?{}"><link rel="stylesheet" href="assets/style.css?{}">
<noscript><meta http-equiv="refresh" content="10"></noscript><script src="assets/app.js?{}" defer></script></head>
<body data-at="{}" data-root="./" data-events="api/v1/events{}" data-worker="assets/stream.js?{}">
{}
<header class="top"><a class="skip" href="#services">Skip to the services</a><h1><svg viewBox="0 0 24 24" aria-hidden="true">)"
      R"(<path d="M2 13h5l2.2-6.5 4 12L16.4 11l1.3 2H22"/></svg><span>{}</span></h1>)"
      R"(<p id="live" class="live" role="status">{}</p></header>
<main>
)",
      escape(page_title(snapshot)), icon->tag, style->tag, script->tag, base::format_iso8601(snapshot.at),
      escape(view.query()), find_asset("stream.js")->tag, state_glyphs(),
      escape(snapshot.node.empty() ? "fettle" : snapshot.node), as_of(snapshot.at));
  const Overview services = overview(snapshot, view);
  std::string cards, groups, rest;
  for (const Fragment& fragment : fragments_of(services, snapshot, view)) {
    if (fragment.list == kCards) cards += slot(fragment, "div");
    else if (fragment.list == kGroups) groups += slot(fragment, "details", " open");
    else if (fragment.id == "summary") out += slot(fragment, "section", R"( aria-live="polite" aria-label="Summary")");
    else (fragment.id == "notices" ? out : rest) += slot(fragment, "section", R"( class="panel")");
  }
  out += fmt::format(
      "<section id=\"services\" aria-label=\"Services\"><div class=\"tools\">{}</div>\n<div id=\"cards\" "
      "class=\"cards\">\n{}</div>\n"
      "<div id=\"groups\">\n{}</div>\n{}</section>\n",
      search_part(services, view), cards, groups,
      cards.empty() && groups.empty() && !view.search.empty() ? R"(<p class="empty">No service has these words.</p>)"
                                                              : "");
  out += rest;
  out +=
      R"(</main>
<footer class="bottom"><nav aria-label="Machine-readable"><a href="metrics">metrics</a> <a href="api/v1/services">services</a> )"
      R"(<a href="api/v1/alerts">alerts</a> <a href="api/v1/rules">rules</a> <a href="api/v1/recoveries">recoveries</a> <a href="incidents">all incidents</a> <a href="api/v1/incidents">incidents</a> )"
      R"(<a href="api/v1/status/config">configuration</a> <a href="-/healthy">healthy</a> <a href="-/ready">ready</a></nav></footer>
</body></html>
)";
  return out;
}

}  // namespace web
