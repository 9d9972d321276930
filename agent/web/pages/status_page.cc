#include "web/pages/status_page.h"

#include <fmt/format.h>

#include "web/pages/assets.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

// Drawn once, used by every badge. Each shape differs from the others without its colour.
constexpr std::string_view kGlyphs =
    R"(<svg width="0" height="0" class="vh" aria-hidden="true">)"
    R"(<symbol id="g-up" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M4.3 8.4l2.6 2.5 4.8-5.3"/></symbol>)"
    R"(<symbol id="g-down" viewBox="0 0 16 16"><path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path class="cut" d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6"/></symbol>)"
    R"(<symbol id="g-warn" viewBox="0 0 16 16"><path d="M8 .6L16 15H0z"/><path class="cut" d="M8 5.4v4.4M8 12v.9"/></symbol>)"
    R"(<symbol id="g-unknown" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M5.6 6.2c0-3.2 4.9-3 4.9-.2 0 1.9-2.4 1.7-2.4 3.6M8.1 11.6v.9"/></symbol>)"
    R"(<symbol id="g-busy" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M8 3.6V8l3 2.2"/></symbol>)"
    R"(<symbol id="g-calm" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M6 5v6M10 5v6"/></symbol></svg>)";

// What stands in the corner until the script says "Live".
std::string as_of(base::WallTime at) {
  if (at == base::WallTime{}) return "no snapshot yet";
  return fmt::format("as of {} UTC", base::format_iso8601(std::chrono::floor<std::chrono::seconds>(at)).substr(11, 8));
}

std::string slot(const Fragment& fragment, std::string_view tag, std::string_view attributes = "") {
  return fmt::format("<{0} id=\"{1}\"{2}>{3}</{0}>\n", tag, escape(fragment.id), attributes, fragment.html);
}

}  // namespace

std::vector<Fragment> page_fragments(const Snapshot& snapshot) {
  std::vector<Fragment> out;
  out.push_back({"notices", notices_part(snapshot)});
  out.push_back({"summary", summary_part(snapshot)});
  for (const ServicePage& service : snapshot.services)
    out.push_back({"s-" + service.name, service_part(service, snapshot)});
  out.push_back({"incidents", incidents_part(snapshot)});
  out.push_back({"alerts", alerts_part(snapshot)});
  out.push_back({"recoveries", recoveries_part(snapshot)});
  if (!snapshot.drills.empty()) out.push_back({"drills", drills_part(snapshot)});
  if (!snapshot.fleet.store.empty()) out.push_back({"fleet", fleet_part(snapshot)});
  out.push_back({"rules", rules_part(snapshot)});
  out.push_back({"agent", config_part(snapshot)});
  return out;
}

std::string_view page_content_security_policy() {
  return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
         "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
}

std::string status_page(const Snapshot& snapshot) {
  const Asset* style = find_asset("style.css");
  const Asset* script = find_asset("app.js");
  const Asset* icon = find_asset("icon.svg");
  std::string out = fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{}</title>
<link rel="icon" href="assets/icon.svg?{}"><link rel="stylesheet" href="assets/style.css?{}">
<noscript><meta http-equiv="refresh" content="10"></noscript><script src="assets/app.js?{}" defer></script></head>
<body data-at="{}" data-events="api/v1/events">
{}
<header class="top"><a class="skip" href="#services">Skip to the services</a><h1><svg viewBox="0 0 24 24" aria-hidden="true">)"
      R"(<path d="M2 13h5l2.2-6.5 4 12L16.4 11l1.3 2H22"/></svg><span>{}</span></h1>)"
      R"(<p id="live" class="live" role="status">{}</p></header>
<main>
)",
      escape(page_title(snapshot)), icon->tag, style->tag, script->tag, base::format_iso8601(snapshot.at), kGlyphs,
      escape(snapshot.node.empty() ? "fettle" : snapshot.node), as_of(snapshot.at));
  bool services_open = false;
  for (const Fragment& fragment : page_fragments(snapshot)) {
    const bool is_service = fragment.id.starts_with("s-");
    if (fragment.id == "summary") {
      out += slot(fragment, "section", R"( aria-live="polite" aria-label="Summary")");
      out += "<section id=\"services\" aria-label=\"Services\" class=\"cards\">\n";
      services_open = true;
      continue;
    }
    if (services_open && !is_service) {
      out += "</section>\n";
      services_open = false;
    }
    out += is_service ? slot(fragment, "div") : slot(fragment, "section", R"( class="panel")");
  }
  out +=
      R"(</main>
<footer class="bottom"><nav aria-label="Machine-readable"><a href="metrics">metrics</a> <a href="api/v1/services">services</a> )"
      R"(<a href="api/v1/alerts">alerts</a> <a href="api/v1/rules">rules</a> <a href="api/v1/recoveries">recoveries</a> <a href="api/v1/incidents">incidents</a> )"
      R"(<a href="api/v1/status/config">configuration</a> <a href="-/healthy">healthy</a> <a href="-/ready">ready</a></nav></footer>
</body></html>
)";
  return out;
}

}  // namespace web
