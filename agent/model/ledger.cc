#include "model/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace model {
namespace {

constexpr std::chrono::hours kHour{1}, kDay{24}, kMonth{30 * 24};

// The runs of a service, oldest first, each once.
std::vector<const RecoveryReport*> runs_of(const std::string& service, const IncidentList& incidents,
                                           const std::vector<RecoveryReport>& others) {
  std::map<std::string, const RecoveryReport*> by_id;
  const auto add = [&](const RecoveryReport& run) {
    const bool of_rollout = !run.trigger.starts_with("alert ") && !run.trigger.starts_with("operator");
    if (run.service == service && !of_rollout) by_id.insert_or_assign(run.id, &run);
  };
  for (const auto& incident : incidents)
    for (const RecoveryReport& run : incident->recoveries) add(run);
  for (const RecoveryReport& run : others) add(run);
  std::vector<const RecoveryReport*> out;
  for (const auto& [id, run] : by_id) out.push_back(run);
  std::stable_sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->started < b->started; });
  return out;
}

// Those of rehearsed faults.
std::set<std::string> rehearsed_runs(const IncidentList& incidents) {
  std::set<std::string> out;
  for (const auto& incident : incidents)
    if (!incident->drill.empty())
      for (const RecoveryReport& run : incident->recoveries) out.insert(run.id);
  return out;
}

std::optional<base::Millis> median_of(std::vector<base::Millis> all) {
  if (all.empty()) return std::nullopt;
  std::sort(all.begin(), all.end());
  return all[(all.size() - 1) / 2];
}

bool was_refused(const RecoveryReport& run) {
  return std::any_of(run.actions.begin(), run.actions.end(), [](const ActionReport& action) {
    return action.may_heal && action.result == ActionStatus::refused;
  });
}

void add_since(base::WallTime at, Ledger& out) {
  if (out.since == base::WallTime{} || at < out.since) out.since = at;
}

void add_counterfactual(const Incident& incident, const Counterfactual& c, Ledger& out,
                        std::vector<base::Millis>& saved) {
  switch (c.would) {
    case WouldHave::none: return;
    case WouldHave::itself: ++out.itself; break;
    case WouldHave::person: ++out.person; break;
    case WouldHave::dependency: ++out.dependency; break;
    case WouldHave::held:
      ++out.held;
      ++out.held_by[c.what];
      break;
    case WouldHave::acted:
      ++out.would_act;
      out.would_act_times += c.times;
      if (c.blamed) ++out.blamed;
      else if (c.needless == c.times) ++out.needless;
      else saved.push_back(c.up_after);
      break;
  }
  if (out.counterfactuals.size() < Ledger::kShown)
    out.counterfactuals.push_back(
        fmt::format("{} ({}): {}", base::format_iso8601(incident.started), incident.id, text_of(c)));
}

CureUse& cure_of(const std::string& action, Ledger& out) {
  for (CureUse& cure : out.cures)
    if (cure.action == action) return cure;
  return out.cures.emplace_back(CureUse{action});
}

// `rehearsed`: in a drill, which proves the cure and is no bad luck.
void add_run(const RecoveryReport& run, bool rehearsed, base::WallTime now, Ledger& out,
             std::vector<base::Millis>& took) {
  if (run.mode == RecoveryMode::dry_run || !run.ended) return;
  const ActionReport* healing = healing_action(run);
  const bool refused = healing == nullptr && was_refused(run);
  out.refused += refused ? 1 : 0;
  if (healing != nullptr || refused) out.refusal.clear();
  if (refused)
    for (const ActionReport& action : run.actions)
      if (action.may_heal) out.refusal = fmt::format("{}: {}", action.action, action.text);
  if (healing == nullptr) return;
  const bool worked = run.state == RecoveryState::recovered;
  ++out.attempts;
  CureUse& cure = cure_of(healing->action, out);
  ++cure.used;
  cure.last = std::max(cure.last, run.started);
  if (!worked) return;
  ++out.successes;
  ++cure.worked;
  if (!rehearsed && now - run.started <= kMonth) ++cure.this_month;
  took.push_back(*run.ended - run.started);
}

// When the service had a fault of its own: what follows a success soon is a relapse.
std::vector<base::WallTime> onsets_of(const std::string& service, const IncidentList& incidents,
                                      const std::vector<const RecoveryReport*>& runs,
                                      const std::set<std::string>& rehearsed) {
  std::vector<base::WallTime> out;
  for (const auto& incident : incidents)
    if (incident->service == service && incident->drill.empty())
      for (const DownSpan& span : down_spans(*incident, service)) out.push_back(span.from);
  for (const RecoveryReport* run : runs)
    if (run->trigger.starts_with("alert ") && healing_action(*run) != nullptr && !rehearsed.contains(run->id))
      out.push_back(run->started);
  std::sort(out.begin(), out.end());
  return out;
}

void add_relapses(const std::vector<const RecoveryReport*>& runs, const std::vector<base::WallTime>& onsets,
                  Ledger& out) {
  for (const RecoveryReport* run : runs) {
    if (run->mode == RecoveryMode::dry_run || !run->ended || run->state != RecoveryState::recovered) continue;
    if (healing_action(*run) == nullptr) continue;
    const auto next = std::upper_bound(onsets.begin(), onsets.end(), *run->ended);
    if (next == onsets.end()) continue;
    if (*next - *run->ended <= kHour) ++out.relapses_hour;
    if (*next - *run->ended <= kDay) ++out.relapses_day;
  }
}

}  // namespace

Ledger ledger_of(const std::string& service, const IncidentList& incidents, const std::vector<RecoveryReport>& others,
                 base::WallTime now) {
  Ledger out;
  std::vector<base::Millis> saved, took;
  IncidentList sorted = incidents;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a->started > b->started; });
  for (const auto& incident : sorted) {
    const std::vector<DownSpan> spans = down_spans(*incident, service);
    if (spans.empty() || incident->end == IncidentEnd::gone || !incident->drill.empty()) continue;
    add_since(incident->started, out);
    ++(is_over(*incident) ? out.faults : out.open);
    out.flaps += spans.size() - 1;
    add_counterfactual(*incident, counterfactual(*incident, service), out, saved);
  }
  out.saved_median = median_of(std::move(saved));
  const std::vector<const RecoveryReport*> runs = runs_of(service, sorted, others);
  const std::set<std::string> rehearsed = rehearsed_runs(sorted);
  for (const RecoveryReport* run : runs) {
    add_since(run->started, out);
    add_run(*run, rehearsed.contains(run->id), now, out, took);
  }
  if (!took.empty()) out.worst = *std::max_element(took.begin(), took.end());
  out.median = median_of(std::move(took));
  add_relapses(runs, onsets_of(service, sorted, runs, rehearsed), out);
  std::stable_sort(out.cures.begin(), out.cures.end(), [](const auto& a, const auto& b) { return a.used > b.used; });
  return out;
}

}  // namespace model
