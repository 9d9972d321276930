#include "incident/evidence_store.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "state/state.h"

namespace incident {

using nlohmann::json;
using state::Change;
using state::Table;

namespace {

// The table has what was changed on the node as well.
constexpr std::string_view kPrefix = "fault/";

std::string key_of(const model::Evidence& evidence) {
  return fmt::format("{}{:013}/{}", kPrefix, base::to_ms(evidence.at), evidence.service);
}

}  // namespace

EvidenceStore::EvidenceStore(state::State& state) : state_(state) {
  for (const auto& [key, text] : state_.read(Table::evidence)) {
    if (!key.starts_with(kPrefix)) continue;
    auto evidence = parse_evidence(text);
    if (evidence) kept_.emplace(key, std::make_shared<const model::Evidence>(*std::move(evidence)));
    else
      base::log::error("evidence is lost: its record is unreadable",
                       {{"evidence", key}, {"error", evidence.error().text}});
  }
}

void EvidenceStore::add(model::Evidence evidence) {
  // The first stays, and the one before this goes.
  bool first = true;
  for (auto each = kept_.begin(); each != kept_.end();) {
    const bool same = each->second->incident == evidence.incident && each->second->service == evidence.service;
    if (same && !std::exchange(first, false)) each = remove(each);
    else ++each;
  }
  const std::string key = key_of(evidence);
  write(key, evidence);
  kept_.insert_or_assign(key, std::make_shared<const model::Evidence>(std::move(evidence)));
  std::size_t bytes = 0;
  for (const auto& [each, kept] : kept_) bytes += kept->bytes();
  while (bytes > kBytes && kept_.size() > 1) {
    bytes -= kept_.begin()->second->bytes();
    remove(kept_.begin());
  }
}

void EvidenceStore::follow(const std::function<bool(const std::string&)>& is_kept,
                           const std::function<std::string(const std::string&)>& incident_of) {
  for (auto each = kept_.begin(); each != kept_.end();) {
    if (is_kept(each->second->incident)) {
      ++each;
      continue;
    }
    model::Evidence moved = *each->second;
    moved.incident = incident_of(moved.service);
    if (moved.incident.empty()) {
      each = remove(each);
      continue;
    }
    write(each->first, moved);
    each->second = std::make_shared<const model::Evidence>(std::move(moved));
    ++each;
  }
}

std::vector<EvidenceStore::Kept> EvidenceStore::all() const {
  std::vector<Kept> out;
  out.reserve(kept_.size());
  for (const auto& [key, evidence] : kept_) out.push_back(evidence);
  return out;
}

EvidenceStore::Map::iterator EvidenceStore::remove(Map::iterator at) {
  state_.commit({Change::remove(Table::evidence, at->first)}, [](const base::Result<>&) {});
  return kept_.erase(at);
}

// The state says what is wrong with the disk; until it is mended the evidence is in memory.
void EvidenceStore::write(const std::string& key, const model::Evidence& evidence) {
  state_.commit({Change::put(Table::evidence, key, to_json(evidence))}, [](const base::Result<>&) {});
}

std::string to_json(const model::Evidence& evidence) {
  json sections = json::array();
  for (const model::EvidenceSection& section : evidence.sections)
    sections.push_back({{"name", section.name}, {"lines", section.lines}, {"missing", section.missing}});
  const json out{{"incident", evidence.incident},
                 {"service", evidence.service},
                 {"recovery", evidence.recovery},
                 {"at_ms", base::to_ms(evidence.at)},
                 {"took_us", std::chrono::duration_cast<std::chrono::microseconds>(evidence.took).count()},
                 {"kind", model::to_string(evidence.fault.kind)},
                 {"why", evidence.fault.why},
                 {"sections", std::move(sections)}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

base::Result<model::Evidence> parse_evidence(const std::string& text) {
  try {
    const json in = json::parse(text);
    model::Evidence out;
    out.incident = in.at("incident");
    out.service = in.at("service");
    out.recovery = in.at("recovery");
    out.at = base::wall_from_ms(in.at("at_ms").get<std::int64_t>());
    out.took = std::chrono::microseconds(in.at("took_us").get<std::int64_t>());
    // A newer fettle may know more kinds.
    out.fault.kind =
        model::parse_fault_kind(in.at("kind").get_ref<const std::string&>()).value_or(model::FaultKind::unknown);
    out.fault.why = in.at("why");
    for (const json& each : in.at("sections"))
      out.sections.push_back({each.at("name"), each.at("lines").get<std::vector<std::string>>(), each.at("missing")});
    return out;
  } catch (const json::exception& e) {
    return base::fail(base::Kind::invalid, fmt::format("evidence cannot be read: {}", e.what()));
  }
}

}  // namespace incident
