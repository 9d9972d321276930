#include "app/probe_endpoint.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "app/families.h"

namespace app {
namespace {

constexpr std::size_t kMostSpecs = 1000;

// "host:port" of "http://host:port/path"; other targets as they are.
std::string_view without_scheme_and_path(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return target;
  target.remove_prefix(scheme + 3);
  return target.substr(0, target.find_first_of("/?#"));
}

}  // namespace

void ProbeEndpoint::replace(probe::BlackboxModules modules, const config::Blackbox& settings,
                            const std::vector<probe::Spec>& probes) {
  modules_ = std::move(modules);
  settings_ = settings;
  specs_.clear();
  own_targets_.clear();
  for (const probe::Spec& spec : probes) allow(spec);
}

void ProbeEndpoint::allow(const probe::Statuses& probes) {
  own_targets_.clear();
  for (const probe::Status& status : probes) allow(*status.spec);
}

void ProbeEndpoint::allow(const probe::Spec& spec) {
  const std::string target = spec.settings->target();
  own_targets_.emplace(without_scheme_and_path(target));
  own_targets_.insert(target);
}

// A target of the configuration may be asked for by its whole name, or by its host and port.
bool ProbeEndpoint::allowed(const std::string& target) const {
  return own_targets_.contains(target) ||
         std::any_of(settings_.targets.begin(), settings_.targets.end(),
                     [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), target.c_str(), 0) == 0; });
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
  if (!allowed(question.target))
    return done(base::fail(base::Kind::permission,
                           fmt::format("target \"{}\" is not allowed: no probe of the configuration looks at it, and "
                                       "blackbox.targets has no pattern for it",
                                       question.target)));
  if (runs_.size() >= kMostRuns)
    return done(base::fail(base::Kind::limit, fmt::format("{} probes are going on already; try again", kMostRuns)));
  base::Millis limit = kLongest;
  if (question.timeout.count() > 0) {
    const base::Millis left = question.timeout - settings_.timeout_offset;
    limit = std::clamp<base::Millis>(left.count() > 0 ? left : question.timeout, base::Millis{1}, kLongest);
  }
  auto spec = spec_for(question, limit);
  if (!spec) return done(tl::unexpected<base::Error>(spec.error()));
  const auto run = runs_.insert(runs_.end(), std::make_unique<Run>(Run{*spec, nullptr}));
  (*run)->attempt = probe::run_once(
      context_, **spec,
      [this, run, module = modules_.text(question.module), done = std::move(done)](const model::Outcome& outcome) {
        web::ProbeAnswer answer;
        Families families;
        add_outcome(families, outcome, {});
        answer.families = families.take();
        answer.up = outcome.up;
        answer.reason = model::to_string(outcome.reason);
        answer.text = outcome.text;
        answer.module = module;
        deferred_.add(std::move(*run));
        runs_.erase(run);
        done(std::move(answer));
      });
}

}  // namespace app
