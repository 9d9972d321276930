#include "web/pages/incident_pages.h"

#include <fmt/format.h>

#include "base/percent.h"
#include "model/counterfactual.h"
#include "web/explain.h"
#include "web/pages/frame.h"
#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::size_t kShown = 100;

std::string fact(std::string_view name, const std::string& html) {
  return html.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>", name, html);
}

std::string time_of(base::WallTime at) {
  const std::string text = base::format_iso8601(at);
  return fmt::format(R"(<time datetime="{0}">{0}</time>)", text);
}

std::string service_links(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + service_link(name, "../");
  return out;
}

// What alerts of the same name have in common stands there once.
std::string alerts_of(const model::Incident& incident) {
  std::string out;
  for (const model::Alert& alert : incident.alerts)
    if (const std::string links = annotation_links(alert.annotations); !links.empty())
      if (const std::string line = fmt::format("<p>{}: {}</p>", escape(alert.name()), links);
          out.find(line) == std::string::npos)
        out += line;
  return out;
}

std::string facts_of(const model::Incident& incident, const Snapshot& snapshot) {
  const model::IncidentCause& cause = incident.cause;
  std::string out = R"(<dl class="facts">)" + fact("Service", service_link(incident.service, "../"));
  out += fact("Started", time_of(incident.started) + " " + ago(incident.started, snapshot));
  if (incident.ended) out += fact("Ended", time_of(*incident.ended));
  out += fact("Probe", escape(cause.probe));
  out += fact("Address", escape(cause.address));
  out += fact("Reason", escape(cause.reason));
  out += fact("It said", escape(cause.text));
  out += fact("Seen by the event source", escape(cause.death));
  out += fact("Before it", escape(incident.changed));
  out += fact("Also affected", service_links(incident.dependents));
  out += fact("Tried", escape(model::tried(incident)));
  out += fact("Dry run", escape(model::dry_run_text(incident)));
  // Without a receiver no message was sent.
  if (incident.told && !incident.messages.empty()) out += fact("People were told", time_of(*incident.told));
  std::string demands;
  for (const std::string& demand : incident.demands) demands += "<p>" + escape(demand) + "</p>";
  return out + fact("A person is asked", demands) + fact("Links of its alerts", alerts_of(incident)) + "</dl>";
}

std::string timeline_of(const model::Incident& incident) {
  std::string out;
  for (const model::IncidentLine& line : model::timeline(incident))
    out += fmt::format(R"(<li>{}<span class="say">{}</span></li>)", time_of(line.at), escape(line.text));
  return R"(<ol class="steps story">)" + out + "</ol>";
}

// The newest is open; one before it was the first.
std::string evidence_of(const model::Incident& incident, const Snapshot& snapshot) {
  std::string out;
  for (const auto& each : snapshot.evidence) {
    if (each->incident != incident.id) continue;
    std::string sections;
    for (const model::EvidenceSection& section : each->sections) {
      std::string lines;
      for (const std::string& line : section.lines) lines += escape(line) + "\n";
      sections += fmt::format("<h3>{}</h3>", escape(section.name));
      if (!lines.empty()) sections += "<pre>" + lines + "</pre>";
      if (!section.missing.empty()) sections += R"(<p class="mut">)" + escape(section.missing) + "</p>";
    }
    out += fmt::format(R"(<details><summary><b>{}</b> {} at {}</summary>{}</details>)", escape(each->headline()),
                       escape(each->service), time_of(each->at), sections);
  }
  return out.empty() ? R"(<p class="empty">Nothing was gathered.</p>)" : out;
}

std::string messages_of(const model::Incident& incident) {
  if (incident.messages.empty()) return R"(<p class="empty">No receiver was told.</p>)";
  std::string rows;
  for (const model::IncidentMessage& message : incident.messages)
    rows += fmt::format(R"(<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>)",
                        escape(message.receiver), escape(message.kind), escape(message.fate), time_of(message.at));
  return R"(<div class="wide"><table class="rules"><thead><tr><th scope="col">Receiver</th><th scope="col">Kind</th>)"
         R"(<th scope="col">Is</th><th scope="col">At</th></tr></thead><tbody>)" +
         rows + "</tbody></table></div>";
}

}  // namespace

std::string incidents_page(const std::string& service, const Snapshot& snapshot) {
  const Frame frame{service.empty() ? "Incidents" : "Incidents of " + service, "./", true};
  std::vector<const model::Incident*> shown;
  for (const auto& incident : snapshot.incidents)
    if (service.empty() || concerns(*incident, service)) shown.push_back(incident.get());
  const std::string query = service.empty() ? "" : "?service=" + base::form_encode(service);
  std::string out = page_start(frame, snapshot) + R"(<section class="panel" id="incidents">)";
  out += newest_part({frame.title, service.empty() ? "Nothing has gone wrong yet." : "Nothing has gone wrong with it.",
                      "api/v1/incidents" + query, kShown},
                     shown.size(), [&](std::size_t i) { return incident_item(*shown[i], snapshot, "./"); });
  out += "</section>\n";
  return out +
         page_end(frame, fmt::format(R"({}<a href="api/v1/incidents{}">this as JSON</a>)",
                                     service.empty() ? "" : R"(<a href="incidents">of all services</a> )", query));
}

std::string incident_page(const model::Incident& incident, const Snapshot& snapshot) {
  const Frame frame{"Incident " + incident.id, "../", true};
  std::string out = page_start(frame, snapshot);
  out += fmt::format(
      R"(<section class="panel" id="incident"><h2>{} Incident <span class="mono">{}</span></h2><p class="lead">{}</p><p>{}</p>{}</section>
<section class="panel" id="timeline"><h2>Timeline</h2>{}</section>
<section class="panel" id="evidence"><h2>Evidence</h2>{}</section>
<section class="panel" id="messages"><h2>Messages</h2>{}</section>
)",
      incident_badge(incident), escape(incident.id), escape(model::headline(incident)),
      escape(model::standing(incident)), facts_of(incident, snapshot), timeline_of(incident),
      evidence_of(incident, snapshot), messages_of(incident));
  return out +
         page_end(frame, fmt::format(R"(<a href="../api/v1/incidents/{}">this as JSON</a>)", escape(incident.id)));
}

}  // namespace web
