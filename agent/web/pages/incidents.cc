#include <fmt/format.h>

#include "web/pages/html.h"
#include "web/pages/parts.h"

namespace web {
namespace {

constexpr std::size_t kShown = 8;

}  // namespace

std::string incident_badge(const model::Incident& incident) {
  switch (incident.end) {
    case model::IncidentEnd::open:
      if (incident.calm_since) return state_badge("busy", "Settling");
      return incident.told ? state_badge("down", "Open") : state_badge("warn", "Held");
    case model::IncidentEnd::healed: return state_badge("up", "Healed");
    case model::IncidentEnd::itself: return state_badge("calm", "Over by itself");
    case model::IncidentEnd::person: return state_badge("calm", "Mended by a person");
    case model::IncidentEnd::gone: break;
  }
  return state_badge("unknown", "Gone");
}

std::string incident_item(const model::Incident& incident, const Snapshot& snapshot, std::string_view root) {
  std::string out =
      fmt::format(R"(<li><p>{} <b>{}</b> <span class="mut">{}</span> <a class="mono" href="{}incidents/{}">{}</a></p>)",
                  incident_badge(incident), service_link(incident.service, root), ago(incident.started, snapshot), root,
                  escape(incident.id), escape(incident.id));
  out += R"(<p class="say">)" + escape(model::headline(incident)) + "</p>";
  if (const std::string tried = model::tried(incident); !tried.empty())
    out += R"(<p class="mut">Tried: )" + escape(tried) + "</p>";
  return out + R"(<p class="mut">)" + escape(model::standing(incident)) + "</p></li>";
}

std::string incidents_part(const Snapshot& snapshot) {
  return newest_part({"Incidents", "Nothing has gone wrong yet.", "incidents", kShown}, snapshot.incidents.size(),
                     [&](std::size_t i) { return incident_item(*snapshot.incidents[i], snapshot, ""); });
}

}  // namespace web
