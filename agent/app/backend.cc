#include "app/backend.h"

#include <algorithm>

#include "app/probe_endpoint.h"
#include "base/time.h"

namespace app {

base::Result<std::unique_ptr<promql::Queryable>> Backend::copy_samples(const std::vector<promql::Needs>& needs,
                                                                       std::int64_t start, std::int64_t end) {
  using Copy = std::unique_ptr<promql::Queryable>;
  return questions_.ask<Copy>(
      [this, needs, start, end](const auto& done) { done(loop_side_.copy_samples(needs, start, end)); });
}

base::Result<std::vector<model::Labels>> Backend::select_series(const std::vector<model::Matcher>& matchers,
                                                                std::int64_t start, std::int64_t end) {
  return questions_.ask<std::vector<model::Labels>>(
      [this, matchers, start, end](const auto& done) { done(loop_side_.select_series(matchers, start, end)); });
}

base::Result<> Backend::heartbeat(const std::string& service, bool failed, std::string text) {
  return questions_.ask<void>([=, this](const auto& done) { done(loop_side_.heartbeat(service, failed, text)); });
}

base::Result<web::ProbeAnswer> Backend::probe(const web::ProbeQuestion& question) {
  const base::Millis longest = ProbeEndpoint::kLongest;
  const base::Millis patience =
      Questions::kPatience + (question.timeout.count() > 0 ? std::min(question.timeout, longest) : longest);
  return questions_.ask<web::ProbeAnswer>([this, question](const auto& done) { loop_side_.probe(question, done); },
                                          patience);
}

base::Result<> Backend::reload() {
  return questions_.ask<void>([this](const auto& done) { done(loop_side_.reload()); });
}

base::Result<std::string> Backend::begin_maintenance(const std::string& service, base::Millis length,
                                                     const std::string& comment) {
  return questions_.ask<std::string>(
      [=, this](const auto& done) { loop_side_.begin_maintenance(service, length, comment, done); });
}

base::Result<> Backend::end_maintenance(const std::string& service) {
  return questions_.ask<void>([=, this](const auto& done) { loop_side_.end_maintenance(service, done); });
}

base::Result<std::string> Backend::recover(const std::string& service, web::Rehearsal rehearsal,
                                           const std::string& comment) {
  return questions_.ask<std::string>(
      [=, this](const auto& done) { loop_side_.recover(service, rehearsal, comment, done); });
}

base::Result<std::string> Backend::abort(const std::string& service, const std::string& comment) {
  return questions_.ask<std::string>([=, this](const auto& done) { loop_side_.abort(service, comment, done); });
}

base::Result<std::string> Backend::add_silence(const model::SilenceRequest& request) {
  return questions_.ask<std::string>([=, this](const auto& done) { loop_side_.add_silence(request, done); });
}

base::Result<> Backend::expire_silence(const std::string& id) {
  return questions_.ask<void>([=, this](const auto& done) { loop_side_.expire_silence(id, done); });
}

base::Result<> Backend::ack(const std::string& service, const std::string& comment) {
  return questions_.ask<void>([=, this](const auto& done) { loop_side_.ack(service, comment, done); });
}

}  // namespace app
