#include "web/pages/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/ascii.h"
#include "base/percent.h"

namespace web {
namespace {

using model::Health;
using model::PlanState;

constexpr std::size_t kLabelsOffered = 6;

// Down first; then what recovery is busy with or needs a person for, what has no verdict, what is in maintenance or
// paused; up.
int rank(const ServicePage& service) {
  if (service.health == Health::down) return 0;
  const PlanState plan = service.recovery_state.value_or(PlanState::idle);
  if (plan == PlanState::acting || plan == PlanState::verifying || plan == PlanState::asking ||
      plan == PlanState::exhausted)
    return 1;
  if (service.health == Health::unknown) return 2;
  return service.maintenance || !service.paused.empty() ? 3 : 4;
}

// All that a person may look for, in small letters.
std::string searched_text(const ServicePage& service) {
  std::string out = fmt::format("{} {} {}", service.name, service.unit, model::to_string(service.health));
  for (const model::Label label : service.labels) out += fmt::format(" {}={}", label.name, label.value);
  for (const ProbePage& probe : service.probes) out += fmt::format(" {} {}", probe.type, probe.target);
  if (service.maintenance) out += " maintenance";
  if (!service.paused.empty()) out += " paused";
  return base::lower_case(out);
}

bool matches(const ServicePage& service, const std::string& search) {
  const std::string text = searched_text(service);
  std::string words = base::lower_case(search);
  std::replace(words.begin(), words.end(), '\t', ' ');
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    if (text.find(words.substr(at, end - at)) == std::string::npos) return false;
    at = end + 1;
  }
  return true;
}

// Labels whose values make groups: more than one, and not one for each service.
void find_labels(const Snapshot& snapshot, const View& view, Overview& out) {
  struct Use {
    std::size_t services = 0;
    std::set<std::string, std::less<>> values;
  };
  std::map<std::string, Use, std::less<>> uses;
  for (const ServicePage& service : snapshot.services)
    for (const model::Label label : service.labels) {
      Use& use = uses[std::string(label.name)];
      ++use.services;
      if (use.values.size() <= Overview::kGroups) use.values.emplace(label.value);
    }
  std::string usual;
  for (const auto& [name, use] : uses) {
    if (use.values.size() < 2 || use.values.size() > Overview::kGroups || use.values.size() * 2 > use.services)
      continue;
    if (out.labels.size() < kLabelsOffered) out.labels.push_back(name);
    if (usual.empty() && use.services == snapshot.services.size()) usual = name;
  }
  out.by = view.by.value_or(usual);
}

}  // namespace

std::string View::query() const {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "?" : "&") + part; };
  if (!search.empty()) add("q=" + base::form_encode(search));
  if (by) add("by=" + base::form_encode(*by));
  if (all) add("all=1");
  return out;
}

View view_of(const Request& request) {
  View view;
  view.search = request.param("q");
  if (request.has_param("by")) view.by = request.param("by");
  view.all = request.param("all") == "1";
  return view;
}

Overview overview(const Snapshot& snapshot, const View& view) {
  Overview out;
  find_labels(snapshot, view, out);
  std::vector<const ServicePage*> found;
  for (const ServicePage& service : snapshot.services)
    if (view.search.empty() || matches(service, view.search)) found.push_back(&service);
  std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return rank(*a) < rank(*b); });
  const bool few = found.size() <= Overview::kCards;
  std::map<std::string, OverviewGroup, std::less<>> groups;
  std::vector<const ServicePage*> lines;
  for (const ServicePage* service : found)
    if (out.cards.size() < Overview::kCards && (few || rank(*service) < 4)) out.cards.push_back(service);
    else lines.push_back(service);
  const auto name_of = [&](const ServicePage& service) {
    const auto value = service.labels.get(out.by);
    return out.by.empty() ? "" : value.empty() ? "without " + out.by : fmt::format("{}={}", out.by, value);
  };
  std::set<std::string, std::less<>> names;
  for (const ServicePage* service : lines) names.insert(name_of(*service));
  const std::size_t most =
      std::max(Overview::kLeastLines, Overview::kLines / std::clamp<std::size_t>(names.size(), 1, Overview::kGroups));
  for (const ServicePage* service : lines) {
    std::string name = name_of(*service);
    if (!groups.contains(name) && groups.size() >= Overview::kGroups) name = "others";
    OverviewGroup& group = groups[name];
    group.name = name;
    ++group.services;
    if (service->health == Health::up) ++group.up;
    if (view.all || group.shown.size() < most) group.shown.push_back(service);
  }
  for (auto& [name, group] : groups) out.groups.push_back(std::move(group));
  return out;
}

}  // namespace web
