#include "web/pages/service_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "web/explain.h"
#include "web/pages/frame.h"
#include "web/pages/graph_page.h"
#include "web/pages/history_graphics.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::size_t kIncidentsShown = 8;
constexpr std::string_view kRoot = "../";

std::string guards_table(const ServicePage& service) {
  if (service.recovery_guards.empty()) return "";
  std::string out =
      R"(<section class="panel" id="guards"><h2>Guards, in the order in which they are asked</h2><div class="wide">)"
      R"(<table class="rules"><thead><tr><th scope="col">Guard</th><th scope="col">Is</th><th scope="col">Because</th>)"
      R"(<th scope="col">Opens</th></tr></thead><tbody>)";
  for (const GuardPage& guard : service.recovery_guards)
    out += fmt::format(R"(<tr><th scope="row" class="mono">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>)",
                       escape(guard.name), guard.open ? state_badge("up", "open") : state_badge("warn", "closed"),
                       escape(guard.text), guard.opens ? escape(base::format_iso8601(*guard.opens)) : "");
  return out + "</tbody></table></div></section>\n";
}

std::string steps_list(const ServicePage& service) {
  if (service.recovery_steps.empty()) return "";
  std::string out = R"(<section class="panel" id="steps"><h2>Steps of its recovery</h2><ol class="plain list">)";
  for (const std::string& step : service.recovery_steps) out += "<li>" + escape(step) + "</li>";
  return out + "</ol></section>\n";
}

std::string section(std::string_view id, std::string_view title, const std::string& html) {
  return fmt::format("<section class=\"panel\" id=\"{}\"><h2>{}</h2>{}</section>\n", id, title, html);
}

std::string recent_part(const Measured& measured) {
  if (measured.ranges.empty()) return "";
  std::string out = R"(<nav class="ranges" aria-label="Span of time">)";
  for (const auto& [words, length] : measured.ranges)
    out += words == measured.range ? fmt::format(R"(<b aria-current="true">{}</b> )", words)
                                   : fmt::format(R"(<a href="?range={0}">{0}</a> )", words);
  out += "</nav>";
  if (!measured.trouble.empty())
    return out + R"(<p class="empty">The store gave no answer: )" + escape(measured.trouble) + "</p>";
  return out + step_bars(measured) + "<h3>How long its probes took</h3>" + duration_graphic(measured) +
         fmt::format(R"(<p class="more"><a href="{}">as a query</a></p>)",
                     escape(graph_href(measured.durations_query, measured.range, kRoot)));
}

std::string availability_part(const ServicePage& service, const Snapshot& snapshot) {
  const auto found = std::find_if(snapshot.availability.begin(), snapshot.availability.end(),
                                  [&](const auto& each) { return each.service == service.name; });
  if (found == snapshot.availability.end()) return R"(<p class="empty">Nothing is known yet.</p>)";
  const std::string hours = hour_bars(*found);
  return uptime_tiles(*found) + (hours.empty() ? "" : "<h3>24 hours</h3>" + hours) + "<h3>90 days</h3>" +
         day_bars(*found);
}

std::string incidents_of(const ServicePage& service, const Snapshot& snapshot) {
  std::vector<const model::Incident*> own;
  for (const auto& incident : snapshot.incidents)
    if (concerns(*incident, service.name)) own.push_back(incident.get());
  return newest_part({"Incidents", "Nothing has gone wrong with it.",
                      "../incidents?service=" + base::form_encode(service.name), kIncidentsShown},
                     own.size(), [&](std::size_t i) { return incident_item(*own[i], snapshot, kRoot); });
}

}  // namespace

std::string explain_sections(const ServicePage& service, const Snapshot& snapshot) {
  std::string out;
  for (const std::string& sentence : why(service, snapshot)) out += "<p>" + escape(sentence) + "</p>";
  if (!service.recovery_next.empty()) out += "<p><b>Next:</b> " + escape(service.recovery_next) + ".</p>";
  return section("why", "Why", out) + guards_table(service) + steps_list(service);
}

std::string config_of(const std::string& service, const std::string& redacted_text) {
  std::string out;
  bool services = false, own = false;
  std::string_view rest = redacted_text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == 0) services = line == "services:";
    if (indent == 0 || indent == 2) {
      std::string_view name = line.substr(indent, line.find(':') - indent);
      if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'')) name = name.substr(1, name.size() - 2);
      own = services && indent == 2 && name == service;
    }
    if (own && line.size() > 2) out.append(line.substr(2)) += '\n';
  }
  return out;
}

std::string service_page(const ServicePage& service, const Measured& measured, const Snapshot& snapshot) {
  const Frame frame{service.name, kRoot, true};
  std::string out = page_start(frame, snapshot) + R"(<section class="panel" id="service">)" +
                    service_part(service, snapshot, kRoot) + "</section>\n";
  out += section("availability", "Availability", availability_part(service, snapshot));
  if (!measured.ranges.empty()) out += section("recent", "The last " + measured.range, recent_part(measured));
  out += R"(<section class="panel" id="incidents">)" + incidents_of(service, snapshot) + "</section>\n";
  out += explain_sections(service, snapshot);
  if (service.recovery_mode) out += section("trust", "May its recovery act by itself?", trust_part(service, snapshot));
  if (const std::string text = config_of(service.name, snapshot.config.redacted_text); !text.empty())
    out += section("configuration", "Configuration",
                   R"(<pre class="list mono code" tabindex="0" aria-label="Its part of the configuration">)" +
                       escape(text) + "</pre>");
  const std::string name = base::percent_encode(service.name);
  return out + page_end(frame, fmt::format(R"(<a href="../api/v1/services/{0}">this as JSON</a> )"
                                           R"(<a href="../badge/{0}.svg">badge</a>)",
                                           name));
}

std::string service_badge(const ServicePage& service) {
  const bool down = service.health == model::Health::down, up = service.health == model::Health::up;
  const std::string_view word = service.maintenance ? "maintenance" : model::to_string(service.health);
  const std::string_view colour = service.maintenance ? "#1a63c4" : down ? "#b3202a" : up ? "#14713f" : "#5b6570";
  // As wide as the letters of a usual font are; textLength makes them fit where the font is another one.
  const auto width = [](std::string_view text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) *
           7;
  };
  const auto left = width(service.name) + 12, right = width(word) + 12;
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="20" viewBox="0 0 {0} 20" role="img" aria-label="{1}: {2}">)"
      R"(<title>{1}: {2}</title><rect width="{0}" height="20" rx="3" fill="#3b444d"/>)"
      R"(<path d="M{3} 0h{4}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{4}z" fill="{5}"/>)"
      R"(<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">)"
      R"(<text x="6" y="14" textLength="{6}" lengthAdjust="spacingAndGlyphs">{1}</text>)"
      R"(<text x="{7}" y="14" textLength="{8}" lengthAdjust="spacingAndGlyphs">{2}</text></g></svg>)",
      left + right, escape(service.name), word, left, right - 3, colour, left - 12, left + 6, right - 12);
}

}  // namespace web
