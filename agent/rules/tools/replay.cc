#include "rules/tools/replay.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "promql/engine.h"
#include "rules/group.h"

namespace rules {
namespace {

// Samples that the same rules wrote when the file was made: they are written anew.
class Written {
 public:
  explicit Written(const std::vector<CompiledGroupPtr>& groups) {
    for (const CompiledGroupPtr& group : groups)
      for (const CompiledRule& rule : group->rules) (rule.alerting() ? alerts_ : records_).insert(rule.name());
  }
  bool by_rules(const model::Labels& series) const {
    const std::string name(series.metric_name());
    if (name == "ALERTS" || name == "ALERTS_FOR_STATE") return alerts_.contains(std::string(series.get("alertname")));
    return records_.contains(name);
  }

 private:
  std::set<std::string> alerts_, records_;
};

class Replay {
 public:
  Replay(std::vector<CompiledGroupPtr> groups, std::vector<promql::MemoryQueryable::Entry> samples,
         const ReplayOptions& options)
      : options_(options), data_(std::move(samples)), engine_(options.rules.engine) {
    append_ = [this](const model::Labels& labels, model::Sample sample) {
      written_.insert(labels);
      data_.append(labels, sample);
      return true;
    };
    for (CompiledGroupPtr& group : groups)
      groups_.push_back(
          std::make_unique<Group>(std::move(group), EvaluationContext{options_.rules, engine_, data_, append_}));
  }

  Replayed run() {
    std::vector<std::int64_t> due(groups_.size(), options_.start_ms);
    out_.groups = groups_.size();
    while (!due.empty()) {
      const std::int64_t t = *std::min_element(due.begin(), due.end());
      if (t > options_.end_ms) break;
      for (std::size_t i = 0; i < groups_.size(); ++i) {
        if (due[i] != t) continue;
        evaluate(i, base::wall_from_ms(t));
        due[i] += groups_[i]->interval().count();
      }
    }
    std::stable_sort(out_.episodes.begin(), out_.episodes.end(), [](const Episode& a, const Episode& b) {
      return std::pair(a.pending_from, a.labels) < std::pair(b.pending_from, b.labels);
    });
    for (const auto& entry : data_.entries())
      if (written_.contains(entry.labels)) out_.written.push_back(entry);
    return std::move(out_);
  }

 private:
  void evaluate(std::size_t i, base::WallTime at) {
    ++out_.evaluations;
    const std::string& group = groups_[i]->source().name;
    const Evaluation evaluation = groups_[i]->evaluate(
        at, [] { return base::Instant{}; },
        [&](const LiveRule& live, base::Duration) {
          if (!live.error.empty()) count_error(group, live, at);
        });
    for (const model::AlertTransition& one : evaluation.changes.transitions) follow(i, one);
  }

  void follow(std::size_t i, const model::AlertTransition& one) {
    const auto key = std::pair(i, one.alert.labels);
    if (one.from == model::AlertState::inactive) {
      open_[key] = out_.episodes.size();
      out_.episodes.push_back({groups_[i]->source().name, one.alert.labels, {}, 0, one.alert.active_at, {}, {}});
    }
    const auto at = open_.find(key);
    if (at == open_.end()) return;
    Episode& episode = out_.episodes[at->second];
    if (one.alert.state == model::AlertState::inactive) {
      episode.ended_at = one.at;
      open_.erase(at);
      return;
    }
    episode.annotations = one.alert.annotations;
    episode.value = one.alert.value;
    if (one.alert.state == model::AlertState::firing) episode.firing_from = one.alert.fired_at;
  }

  void count_error(const std::string& group, const LiveRule& live, base::WallTime at) {
    const auto known = std::find_if(out_.errors.begin(), out_.errors.end(), [&](const ReplayError& one) {
      return one.group == group && one.rule == live.rule->name() && one.text == live.error;
    });
    ReplayError& error = known != out_.errors.end()
                             ? *known
                             : out_.errors.emplace_back(ReplayError{group, live.rule->name(), live.error, 0, at, at});
    ++error.times;
    error.last = at;
  }

  const ReplayOptions& options_;
  promql::MemoryQueryable data_;
  promql::Engine engine_;
  std::function<bool(const model::Labels&, model::Sample)> append_;
  std::unordered_set<model::Labels, model::LabelsHash> written_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::map<std::pair<std::size_t, model::Labels>, std::size_t> open_;  // episodes that have not ended
  Replayed out_;
};

}  // namespace

std::size_t leave_out_written(const std::vector<CompiledGroupPtr>& groups,
                              std::vector<promql::MemoryQueryable::Entry>& samples) {
  const Written written(groups);
  return std::erase_if(samples, [&](const auto& entry) { return written.by_rules(entry.labels); });
}

Replayed replay(std::vector<CompiledGroupPtr> groups, std::vector<promql::MemoryQueryable::Entry> samples,
                const ReplayOptions& options) {
  const std::size_t replaced = leave_out_written(groups, samples);
  Replayed out = Replay(std::move(groups), std::move(samples), options).run();
  out.replaced = replaced;
  return out;
}

}  // namespace rules
