#include "recover/unfinished_runs.h"

#include <utility>

#include "base/log.h"

namespace recover {

void UnfinishedRuns::read(FiringAlerts& alerts, Reports& reports) {
  runs_ = store_.intents();
  reports.restore(store_.reports());
  for (const auto& [service, wanted] : store_.waiting()) {
    waiting_.emplace(service, wanted.was_down);
    alerts.remember(wanted.alert);
  }
}

std::optional<Run> UnfinishedRuns::run_of(const PlanSpec& spec) {
  const auto left = runs_.extract(RecoveryStore::key_of(spec));
  if (left.empty()) return std::nullopt;
  auto run = parse_run(left.mapped());
  if (run) {
    base::log::warn("an unfinished recovery goes on: probing first",
                    {{"service", spec.service}, {"recovery", run->report.id}});
    return *std::move(run);
  }
  base::log::error("an unfinished recovery is dropped: its record is unreadable; its attempt stays counted",
                   {{"service", spec.service}, {"error", run.error().text}});
  store_.write(store_.orphan(RecoveryStore::key_of(spec), std::nullopt), "the end of a recovery");
  return std::nullopt;
}

std::optional<bool> UnfinishedRuns::waited(const std::string& service) {
  const auto left = waiting_.extract(service);
  if (left.empty()) return std::nullopt;
  return left.mapped();
}

std::vector<std::pair<std::string, std::string>> UnfinishedRuns::acting() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [key, text] : runs_) {
    if (RecoveryStore::is_dry_run(key)) continue;
    const auto run = parse_run(text);
    out.emplace_back(key, run ? run->report.id : "");
  }
  return out;
}

void UnfinishedRuns::close(base::WallTime now, Reports& reports) {
  const auto runs = std::exchange(runs_, {});
  for (const auto& [key, text] : runs) {
    std::optional<model::RecoveryReport> report;
    if (auto run = parse_run(text)) {
      run->report.state = RecoveryState::aborted;
      run->report.ended = now;
      reports.say(run->report);
      report = std::move(run->report);
    }
    base::log::warn("an unfinished recovery is closed: its plan is not configured any more", {{"service", key}});
    store_.write(store_.orphan(key, report), "the end of a recovery");
  }
}

}  // namespace recover
