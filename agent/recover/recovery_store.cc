#include "recover/recovery_store.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "recover/plan/forgotten.h"

namespace recover {
namespace {

using state::Change;
using state::Table;

constexpr std::string_view kReportPrefix = "report/";
constexpr std::string_view kWaitingPrefix = "waiting/";
constexpr std::string_view kDryRunPrefix = "dry_run:";

// Sorts by time; the id makes it unique.
std::string report_key(const model::RecoveryReport& report) {
  return fmt::format("{}{:015}/{}", kReportPrefix, base::to_ms(report.started), report.id);
}

void append(std::vector<Change>& to, std::vector<Change> more) {
  for (Change& change : more) to.push_back(std::move(change));
}

}  // namespace

std::string RecoveryStore::key_of(const PlanSpec& spec) {
  return spec.mode == RecoveryMode::dry_run ? std::string(kDryRunPrefix) + spec.service : spec.service;
}

bool RecoveryStore::is_dry_run(std::string_view key) { return key.starts_with(kDryRunPrefix); }

BudgetUsage RecoveryStore::usage(const PlanSpec& spec) const {
  const auto& table = state_.read(Table::budgets);
  const auto found = table.find(key_of(spec));
  if (found == table.end()) {
    const auto forgotten = forgotten_at(state_, scheduler_);
    if (!forgotten || spec.mode == RecoveryMode::dry_run) return {};
    return all_but_one_used(spec.budget, *forgotten);
  }
  const bool rehearses = spec.mode == RecoveryMode::dry_run;
  auto usage = parse_usage(found->second, scheduler_.now(), scheduler_.wall_now());
  if (usage && rehearses) *usage = acknowledged(*std::move(usage));  // older versions counted
  if (usage) return *usage;
  if (rehearses) return {};
  base::log::error("budget record unreadable; its service counts as exhausted until it was healthy for reset_after",
                   {{"service", spec.service}, {"error", usage.error().text}});
  return all_used(spec.budget, scheduler_.now());
}

std::deque<model::RecoveryReport> RecoveryStore::reports() const {
  std::deque<model::RecoveryReport> out;
  for (const auto& [key, text] : state_.read(Table::recoveries)) {
    if (!key.starts_with(kReportPrefix)) continue;
    if (auto report = parse_report(text)) out.push_front(std::move(*report));
  }
  if (out.size() > kReports) out.resize(kReports);
  return out;
}

std::map<std::string, Run> RecoveryStore::waiting() const {
  std::map<std::string, Run> out;
  for (const auto& [key, text] : state_.read(Table::recoveries)) {
    if (!key.starts_with(kWaitingPrefix)) continue;
    if (auto wanted = parse_run(text)) out.emplace(key.substr(kWaitingPrefix.size()), std::move(*wanted));
  }
  return out;
}

std::vector<Change> RecoveryStore::budget(const Plan& plan) const {
  const PlanSpec& spec = plan.spec();
  std::vector<Change> changes{Change::put(Table::budgets, key_of(spec),
                                          to_json(plan.usage_to_commit(), scheduler_.now(), scheduler_.wall_now()))};
  const std::string key = std::string(kWaitingPrefix) + spec.service;
  Run wanted;
  wanted.alert = plan.alert();
  wanted.was_down = plan.was_down();
  changes.push_back(plan.alert_firing() ? Change::put(Table::recoveries, key, to_json(wanted))
                                        : Change::remove(Table::recoveries, key));
  return changes;
}

std::vector<Change> RecoveryStore::progress(const Plan& plan) const {
  return {Change::put(Table::intents, key_of(plan.spec()), to_json(plan.run()))};
}

std::vector<Change> RecoveryStore::intent(const Plan& plan) const {
  std::vector<Change> changes = progress(plan);
  append(changes, budget(plan));
  return changes;
}

std::vector<Change> RecoveryStore::close(const Plan& plan) const {
  std::vector<Change> changes{Change::remove(Table::intents, key_of(plan.spec()))};
  append(changes, budget(plan));
  keep_report(plan.run().report, changes);
  return changes;
}

std::vector<Change> RecoveryStore::orphan(const std::string& key,
                                          const std::optional<model::RecoveryReport>& report) const {
  std::vector<Change> changes{Change::remove(Table::intents, key)};
  if (report) keep_report(*report, changes);
  return changes;
}

void RecoveryStore::keep_report(const model::RecoveryReport& report, std::vector<Change>& changes) const {
  changes.push_back(Change::put(Table::recoveries, report_key(report), to_json(report)));
  const auto& table = state_.read(Table::recoveries);
  std::vector<std::string> kept;
  for (auto it = table.lower_bound(std::string(kReportPrefix));
       it != table.end() && it->first.starts_with(kReportPrefix); ++it)
    kept.push_back(it->first);
  for (std::size_t i = 0; i + kReports < kept.size() + 1; ++i)
    changes.push_back(Change::remove(Table::recoveries, kept[i]));
}

void RecoveryStore::write(std::vector<Change> changes, std::string_view what) {
  state_.commit(std::move(changes), [what = std::string(what)](base::Result<> result) {
    if (!result) base::log::error("could not write " + what, {{"error", result.error().text}});
  });
}

}  // namespace recover
