#include "web/pages/explain_page.h"

#include <fmt/format.h>

#include "web/explain.h"
#include "web/pages/assets.h"
#include "web/pages/html.h"

namespace web {
namespace {

std::string gates_table(const ServicePage& service) {
  if (service.recovery_guards.empty()) return "";
  std::string out = R"(<section class="panel"><h2>Guards, in the order in which they are asked</h2><table>)"
                    R"(<thead><tr><th>Guard</th><th>Is</th><th>Because</th><th>Opens</th></tr></thead><tbody>)";
  for (const GuardPage& guard : service.recovery_guards)
    out += fmt::format(R"(<tr><td class="mono">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>)", escape(guard.name),
                       guard.open ? "open" : "<b>closed</b>", escape(guard.text),
                       guard.opens ? escape(base::format_iso8601(*guard.opens)) : "");
  return out + "</tbody></table></section>\n";
}

std::string steps_list(const ServicePage& service) {
  if (service.recovery_steps.empty()) return "";
  std::string out = R"(<section class="panel"><h2>Steps</h2><ol>)";
  for (const std::string& step : service.recovery_steps) out += "<li>" + escape(step) + "</li>";
  return out + "</ol></section>\n";
}

}  // namespace

std::string explain_page(const ServicePage& service, const Snapshot& snapshot) {
  const std::string name = escape(service.name);
  std::string out = fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="5"><title>{0} · {1} · fettle</title>
<link rel="icon" href="../assets/icon.svg?{2}"><link rel="stylesheet" href="../assets/style.css?{3}"></head>
<body>
<header class="top"><h1><span>{0}</span></h1><p class="live">as of {4}</p></header>
<main>
<section class="panel"><h2>Why</h2>)",
      name, escape(snapshot.node), find_asset("icon.svg")->tag, find_asset("style.css")->tag,
      base::format_iso8601(snapshot.at));
  for (const std::string& sentence : why(service, snapshot)) out += "<p>" + escape(sentence) + "</p>";
  if (!service.recovery_next.empty()) out += "<p><b>Next:</b> " + escape(service.recovery_next) + ".</p>";
  out += "</section>\n" + gates_table(service) + steps_list(service);
  out += fmt::format(
      R"(</main>
<footer class="bottom"><nav aria-label="Machine-readable"><a href="..">all services</a> )"
      R"(<a href="../api/v1/explain/{}">this as JSON</a></nav></footer>
</body></html>
)",
      name);
  return out;
}

}  // namespace web
