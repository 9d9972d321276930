#include "notify/incident/news.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace notify {

std::string_view to_string(Tell tell) {
  return tell == Tell::unhealed ? "unhealed" : tell == Tell::healed ? "healed" : "all";
}

std::string_view to_string(News news) {
  switch (news) {
    case News::page: return "page";
    case News::update: return "update";
    case News::resolved: return "resolved";
    case News::note: return "note";
    case News::nothing: break;
  }
  return "nothing";
}

News news_of(const model::Incident& incident, const Heard& heard, Tell tell, Resolved resolved) {
  if (tell == Tell::all || heard.over) return News::nothing;
  if (tell == Tell::healed)
    return incident.is_open() || incident.told || incident.end == model::IncidentEnd::gone ? News::nothing : News::note;
  if (!incident.told) return News::nothing;
  if (heard.page.empty()) return incident.is_open() ? News::page : News::nothing;
  if (!incident.is_open()) return resolved == Resolved::wanted ? News::resolved : News::nothing;
  if (incident.calm_since) return News::nothing;  // its end says the same
  const bool is_new = incident.finished_runs() > heard.runs || incident.all_demands() > heard.demands ||
                      incident.relapses > heard.relapses;
  return is_new ? News::update : News::nothing;
}

Heard after(News news, const model::Incident& incident, Heard heard, const std::string& message) {
  if (news == News::page) heard.page = message;
  if (news == News::resolved || news == News::note) heard.over = true;
  heard.runs = incident.finished_runs();
  heard.demands = incident.all_demands();
  heard.relapses = incident.relapses;
  return heard;
}

std::string to_json(const Heard& heard) {
  return nlohmann::json{{"page", heard.page},
                        {"over", heard.over},
                        {"runs", heard.runs},
                        {"demands", heard.demands},
                        {"relapses", heard.relapses}}
      .dump();
}

base::Result<Heard> parse_heard(const std::string& text) {
  try {
    const auto in = nlohmann::json::parse(text);
    return Heard{in.at("page"), in.at("over"), in.at("runs"), in.at("demands"), in.value("relapses", std::size_t{0})};
  } catch (const nlohmann::json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("what a receiver heard cannot be read: {}", e.what()));
  }
}

std::string incident_text(const model::Incident& incident) {
  std::string out = model::headline(incident);
  if (!incident.changed.empty()) out += "\nBefore it: " + incident.changed;
  const std::string tried = model::tried(incident);
  out += "\nTried: " + (tried.empty() ? "nothing" : tried);
  out += fmt::format("\n{}: {}", incident.is_open() ? "Now" : "Outcome", model::standing(incident));
  if (!incident.dependents.empty())
    out += fmt::format("\nDown because of it: {}", fmt::join(incident.dependents, ", "));
  return out;
}

}  // namespace notify
