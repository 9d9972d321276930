#include "app/replay/plan_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "app/replay/recorded_node.h"
#include "app/service_health_table.h"
#include "base/enum_names.h"
#include "loop/virtual_loop.h"
#include "promql/queryable.h"
#include "recover/dispatcher.h"
#include "rules/manager.h"
#include "rules/tools/replay.h"
#include "state/state.h"

namespace app {
namespace {

constexpr std::array kWords{
    std::pair{Decided::down, "down"},         std::pair{Decided::up, "up"},       std::pair{Decided::fires, "fires"},
    std::pair{Decided::resolved, "resolved"}, std::pair{Decided::held, "held"},   std::pair{Decided::begins, "begins"},
    std::pair{Decided::action, "action"},     std::pair{Decided::waits, "waits"}, std::pair{Decided::ends, "ends"},
    std::pair{Decided::page, "page"},
};

// Who depends on what stands behind it.
std::vector<std::string> dependencies_first(const ServiceHealthTable::Services& services) {
  std::vector<std::string> out;
  const std::function<void(const std::string&)> add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) != out.end()) return;
    for (const auto& [other, service] : services)
      if (other == name)
        for (const std::string& dependency : service.depends_on) add(dependency);
    out.push_back(name);
  };
  for (const auto& [name, service] : services) add(name);
  return out;
}

class Replay {
 public:
  Replay(LoadedConfig loaded, std::vector<promql::MemoryQueryable::Entry> samples, ReplayMode mode)
      : loaded_(std::move(loaded)),
        recording_(without_written(std::move(samples)), dependencies_first(loaded_.config.services)),
        loop_(start()) {
    node_.emplace(loaded_.probes, table_, loop_);
    table_.keep_only(loaded_.config.services, loop_.wall_now());
    make_dispatcher(mode);
  }

  PlanReplay run() {
    const auto& events = recording_.events();
    if (events.empty()) return std::move(out_);
    out_.from = base::wall_from_ms(events.front().at);
    out_.to = base::wall_from_ms(events.back().at);
    go_to(events.front().at);
    make_rules();
    for (const RecordedEvent& event : events) {
      go_to(event.at);
      std::visit([&](const auto& what) { on(what); }, event.what);
      loop_.run_due();
    }
    for (const auto& [probe, runs] : unknown_)
      out_.notes.push_back(
          fmt::format("{} runs of {} were left out: the configuration has no such probe", runs, probe));
    return std::move(out_);
  }

 private:
  std::vector<promql::MemoryQueryable::Entry> without_written(std::vector<promql::MemoryQueryable::Entry> samples) {
    if (const std::size_t n = rules::leave_out_written(loaded_.groups, samples); n > 0)
      out_.notes.push_back(fmt::format("{} series are what the rules write themselves; they were made anew", n));
    return samples;
  }

  // When the agent started, or long before the first sample.
  base::WallTime start() const {
    if (recording_.events().empty()) return {};
    const std::int64_t first = recording_.events().front().at;
    const auto known = recording_.agent_started();
    return base::wall_from_ms(known && *known < first ? *known : first - 3'600'000);
  }

  void go_to(std::int64_t ms) {
    const base::Millis ahead = base::wall_from_ms(ms) - loop_.wall_now();
    if (ahead > base::Millis{0}) loop_.advance(ahead);
  }

  void make_dispatcher(ReplayMode mode) {
    recover::Callbacks callbacks;
    callbacks.on_report = [this](const model::RecoveryReport& report) { on_report(report); };
    callbacks.on_blocked = [this](const std::string& service, recover::GuardName guard) { on_blocked(service, guard); };
    const auto page = [this](const std::string& service, const std::string& text) {
      say(service, Decided::page, "", text);
    };
    const auto& limits = loaded_.config.global.recovery;
    recover::Options options{loaded_.config.global.node, 1, {limits.plans_at_once, limits.actions_per_hour, ""}};
    dispatcher_.emplace(std::move(options), recover::Context{loop_, node_->systemd(), node_->spawner(), page}, *state_,
                        *node_, std::move(callbacks));
    for (auto& plan : loaded_.plans) {
      if (!plan) continue;
      if (mode == ReplayMode::enforce) plan->mode = model::RecoveryMode::enforce;
      make_recorded(*plan);
    }
    dispatcher_->replace(std::move(loaded_.plans));
  }

  void make_rules() {
    const config::AgentConfig& config = loaded_.config;
    rules::Options options;
    options.engine = engine_options(AgentOptions{}, config);
    options.evaluation_interval = config.global.evaluation_interval;
    options.external_labels = config.global.external_labels;
    options.node = config.global.node;
    rules::Callbacks callbacks;
    callbacks.append = [this](const model::Labels& labels, model::Sample sample) {
      data_.append(labels, sample);
      return true;
    };
    callbacks.on_transitions = [this](const std::vector<model::AlertTransition>& transitions) {
      for (const model::AlertTransition& transition : transitions) on_transition(transition);
    };
    callbacks.on_evaluated = [](const std::string&, const std::string&, base::Duration, bool) {};
    rules_.emplace(std::move(options), loop_, *state_, data_, std::move(callbacks));
    rules_->replace(std::move(loaded_.groups));
  }

  // ---- what was recorded

  void on(const RecordedSample& sample) { data_.append(*sample.series, sample.sample); }

  void on(const RecordedResult& result) { node_->note(result); }

  void on(const RecordedRun& run) {
    ++out_.runs;
    const RecordedNode::Judged judged = node_->judge(run);
    if (!judged.known) {
      ++unknown_[run.service + "/" + run.probe];
      return;
    }
    std::optional<model::HealthChange> change;
    if (!recording_.has_health(run.service))
      change = table_.update(judged.run, judged.service, loop_.now(), loop_.wall_now());
    if (change) on_change(*change);
    dispatcher_->on_run(run.service, run.probe, run.outcome.up);
    if (change || judged.changed) rules_->touched(recording_.of_service(run.service));
  }

  void on(const RecordedHealth& health) {
    const auto change = node_->note_health(health.service, health.up ? model::Health::up : model::Health::down);
    if (change) on_change(*change);
    if (health.alone) dispatcher_->on_run(health.service, "", health.up);
    if (change) rules_->touched(recording_.of_service(health.service));
  }

  void on(const model::AlertTransition& transition) { on_transition(transition); }

  void on_change(const model::HealthChange& change) {
    say(change.service, change.to == model::Health::down ? Decided::down : Decided::up, "", "");
    dispatcher_->on_health(change);
  }

  void on_transition(const model::AlertTransition& transition) {
    const model::Alert& alert = transition.alert;
    if (alert.state == model::AlertState::firing)
      say(std::string(alert.service()), Decided::fires, std::string(alert.name()), "");
    else if (transition.from == model::AlertState::firing)
      say(std::string(alert.service()), Decided::resolved, std::string(alert.name()), "");
    dispatcher_->on_alert(transition);
  }

  // ---- what was decided

  void say(const std::string& service, Decided what, std::string name, std::string text, std::size_t run = 0,
           int attempt = 0) {
    out_.decisions.push_back({loop_.wall_now(), service, what, std::move(name), std::move(text), run, attempt});
  }

  void on_blocked(const std::string& service, recover::GuardName guard) {
    std::string text;
    if (const auto status = dispatcher_->status(service))
      for (const recover::Guard& each : status->guards)
        if (each.name == guard && !each.open) text = each.text;
    say(service, Decided::held, std::string(to_string(guard)), text);
  }

  void on_report(const model::RecoveryReport& report) {
    if (report.state == model::RecoveryState::blocked) return;
    const auto [known, is_new] = seen_.try_emplace(report.id);
    Seen& seen = known->second;
    if (is_new) seen.number = ++numbers_[report.service];
    if (is_new && !report.ended)  // else it ends without having begun
      say(report.service, Decided::begins, report.trigger, std::string(to_string(report.mode)), seen.number,
          report.attempt);
    for (; seen.actions < report.actions.size(); ++seen.actions) {
      const model::ActionReport& action = report.actions[seen.actions];
      say(report.service, Decided::action, action.action,
          action.result == model::ActionStatus::refused || action.result == model::ActionStatus::failed ? action.text
                                                                                                        : "",
          seen.number, report.attempt);
    }
    if (report.state == model::RecoveryState::holding && report.reason != seen.held)
      say(report.service, Decided::waits, "", report.reason, seen.number, report.attempt);
    seen.held = report.state == model::RecoveryState::holding ? report.reason : "";
    if (report.ended)
      say(report.service, Decided::ends, std::string(to_string(report.state)), report.reason, seen.number,
          report.attempt);
  }

  struct Seen {
    std::size_t number = 0, actions = 0;
    std::string held;
  };

  PlanReplay out_;
  LoadedConfig loaded_;
  Recording recording_;
  loop::VirtualLoop loop_;
  std::unique_ptr<state::State> state_ = state::in_memory(loop_);
  promql::MemoryQueryable data_;
  ServiceHealthTable table_;
  std::optional<RecordedNode> node_;
  std::optional<recover::Dispatcher> dispatcher_;
  std::optional<rules::Manager> rules_;
  std::map<std::string, Seen> seen_;            // runs by id
  std::map<std::string, std::size_t> numbers_;  // of runs, by service
  std::map<std::string, std::size_t> unknown_;  // runs of probes that are not configured
};

}  // namespace

std::string_view to_string(Decided what) { return base::name_in(kWords, what); }

PlanReplay replay_plans(LoadedConfig loaded, std::vector<promql::MemoryQueryable::Entry> samples, ReplayMode mode) {
  return Replay(std::move(loaded), std::move(samples), mode).run();
}

}  // namespace app
