#include "app/probe_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "app/families.h"

namespace app {
namespace {

constexpr std::size_t kMostSpecs = 1000;

// What the probes look at; what only a list of targets names is kept apart.
template <typename Probes, typename SpecOf>
void allow_targets(AllowedTargets& targets, const Probes& probes, const SpecOf& spec_of) {
  std::set<std::string> configured, listed;
  for (const auto& each : probes) {
    const probe::Spec& spec = spec_of(each);
    (spec.discovered ? listed : configured).insert(spec.settings->target());
  }
  targets.replace_own(configured, listed);
}

web::ProbeAnswer answer_of(const model::Outcome& outcome, const std::string& module) {
  web::ProbeAnswer answer;
  Families families;
  add_outcome(families, outcome, {});
  answer.families = families.take();
  answer.up = outcome.up;
  answer.reason = model::to_string(outcome.reason);
  answer.text = outcome.text;
  answer.module = module;
  return answer;
}

}  // namespace

void ProbeEndpoint::replace(probe::BlackboxModules modules, const config::Blackbox& settings,
                            const std::vector<probe::Spec>& probes) {
  modules_ = std::move(modules);
  settings_ = settings;
  specs_.clear();
  targets_.replace_patterns(settings.targets);
  allow_targets(targets_, probes, [](const probe::Spec& spec) -> const probe::Spec& { return spec; });
}

void ProbeEndpoint::allow(const probe::Statuses& probes) {
  allow_targets(targets_, probes, [](const probe::Status& status) -> const probe::Spec& { return *status.spec; });
}

base::Result<std::shared_ptr<const probe::Spec>> ProbeEndpoint::spec_for(const web::ProbeQuestion& question,
                                                                         base::Millis limit) {
  SpecKey key{question.module, question.target, question.hostname, limit};
  if (const auto known = specs_.find(key); known != specs_.end()) return known->second;
  TRY(probe::Spec made, modules_.spec(question.module, question.target, question.hostname, limit));
  if (modules_.reads_files(question.module)) return std::make_shared<const probe::Spec>(std::move(made));
  if (specs_.size() >= kMostSpecs) specs_.clear();
  return specs_.emplace(std::move(key), std::make_shared<const probe::Spec>(std::move(made))).first->second;
}

void ProbeEndpoint::run(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done) {
  auto boundary = targets_.boundary(question.target, question.hostname, modules_.own_power(question.module));
  if (!boundary) return done(tl::unexpected<base::Error>(boundary.error()));
  if (runs_.size() >= kMostRuns)
    return done(base::fail(base::Kind::limit, fmt::format("{} probes are going on already; try again", kMostRuns)));
  if (modules_.names_another_host(question.module, question.hostname))
    return done(base::fail(
        base::Kind::invalid,
        fmt::format("module \"{}\" has a Host header of its own, which is not the hostname \"{}\" that was given",
                    question.module, question.hostname)));
  base::Millis limit = kLongest;
  if (question.timeout.count() > 0) {
    const base::Millis left = question.timeout - settings_.timeout_offset;
    limit = std::clamp<base::Millis>(left.count() > 0 ? left : question.timeout, base::Millis{1}, kLongest);
  }
  auto spec = spec_for(question, limit);
  if (!spec && !modules_.usable(question.module)) return done(tl::unexpected<base::Error>(spec.error()));
  if (!spec) {
    // A target that is none is down, as any other that does not answer: rules look at probe_success.
    model::Outcome outcome = model::Outcome::failure(model::Reason::protocol_error, spec.error().text);
    return done(answer_of(outcome, modules_.text(question.module)));
  }
  const auto run = runs_.insert(runs_.end(), std::make_unique<Run>(Run{*spec, nullptr, nullptr}));
  (*run)->bounded = std::make_unique<probe::Bounded>(context_, *std::move(boundary));
  (*run)->attempt = probe::run_once(
      (*run)->bounded->context(), **spec,
      [this, run, module = modules_.text(question.module), done = std::move(done)](const model::Outcome& outcome) {
        web::ProbeAnswer answer = answer_of(outcome, module);
        deferred_.add(std::move(*run));
        runs_.erase(run);
        done(std::move(answer));
      });
}

}  // namespace app
