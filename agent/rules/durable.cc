#include "rules/durable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "loop/scheduler.h"
#include "model/json.h"
#include "state/state.h"

namespace rules {
namespace {

const std::string kTimeKey = "alive";

std::string to_record(const model::Alert& alert) {
  return model::alert_record(alert).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<model::Alert> from_record(std::string_view text) {
  try {
    return model::read_alert_record(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string record_key(std::string_view prefix, const model::Labels& alert) {
  return std::string(prefix) + alert.to_string();
}

}  // namespace

std::string AlertRecords::prefix(const Group& group, const LiveRule& live) const {
  const CompiledGroup& compiled = group.compiled();
  const CompiledRule& rule = *live.rule;
  std::size_t twins = 0;
  for (const CompiledRule* before = compiled.rules.data(); before != live.rule; ++before)
    twins += before->alerting() && before->name() == rule.name() && before->fixed == rule.fixed;
  return fmt::format("{}\n{}\n{}\n{}\n", compiled.source.file, compiled.source.name, rule.name(), twins);
}

void AlertRecords::write(const Group& group, const LiveRule& live, const std::vector<model::Labels>& touched,
                         Changes& changes) const {
  const std::string own = prefix(group, live);
  for (const model::Labels& labels : touched) {
    std::string key = record_key(own, labels);
    const auto found = live.alerts.alerts().find(labels);
    if (found == live.alerts.alerts().end()) changes.push_back(state::Change::remove(state::Table::alerts, key));
    else changes.push_back(state::Change::put(state::Table::alerts, key, to_record(found->second)));
  }
}

void AlertRecords::remove_all(const Group& group, Changes& changes) const {
  for (const LiveRule& live : group.rules())
    for (const auto& [labels, alert] : live.alerts.alerts())
      changes.push_back(state::Change::remove(state::Table::alerts, record_key(prefix(group, live), labels)));
}

void AlertRecords::commit(Changes changes) {
  if (changes.empty()) return;
  changes.push_back(time());
  state_.commit(std::move(changes), [](const base::Result<>& done) {
    // The state module says what is wrong with the disk; the alert itself goes on.
    if (!done) base::log::error("alerts could not be made durable", {{"error", done.error().text}});
  });
}

base::Millis AlertRecords::away() const {
  const auto& records = state_.read(state::Table::alerts);
  const auto found = records.find(kTimeKey);
  if (found == records.end()) return base::Millis{0};
  const base::WallTime last = base::wall_from_ms(std::strtoll(found->second.c_str(), nullptr, 10));
  return std::max(scheduler_.wall_now() - last, base::Millis{0});
}

void AlertRecords::each(const std::function<void(const std::string& key, std::optional<model::Alert>)>& visit) const {
  for (const auto& [key, text] : state_.read(state::Table::alerts))
    if (key != kTimeKey) visit(key, from_record(text));
}

state::Change AlertRecords::time() const {
  return state::Change::put(state::Table::alerts, kTimeKey, fmt::format("{}", base::to_ms(scheduler_.wall_now())));
}

}  // namespace rules
