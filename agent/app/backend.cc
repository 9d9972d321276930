#include "app/backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/probe_endpoint.h"
#include "base/time.h"

namespace app {
namespace {

constexpr std::chrono::seconds kPatience{5};

// Runs `ask` on the loop and waits for what it passes to its argument. The promise is shared, because a worker that has
// lost patience leaves while the loop still holds the other end.
template <typename T>
base::Result<T> ask_loop(loop::Scheduler& loop, std::function<void(std::function<void(base::Result<T>)>)> ask,
                         std::chrono::milliseconds patience = kPatience) {
  auto promise = std::make_shared<std::promise<base::Result<T>>>();
  auto answer = promise->get_future();
  loop.post([ask = std::move(ask), promise] {
    ask([promise](base::Result<T> result) { promise->set_value(std::move(result)); });
  });
  if (answer.wait_for(patience) != std::future_status::ready)
    return base::fail(base::Kind::unavailable,
                      fmt::format("the agent did not answer within {}: its loop is busy or stopping; try again",
                                  base::format_duration(patience)));
  return answer.get();
}

}  // namespace

base::Result<std::unique_ptr<promql::Queryable>> Backend::copy_samples(const std::vector<promql::Needs>& needs,
                                                                       std::int64_t start, std::int64_t end) {
  using Copy = std::unique_ptr<promql::Queryable>;
  return ask_loop<Copy>(
      loop_, [this, needs, start, end](const auto& done) { done(loop_side_.copy_samples(needs, start, end)); });
}

base::Result<std::vector<model::Labels>> Backend::select_series(const std::vector<model::Matcher>& matchers,
                                                                std::int64_t start, std::int64_t end) {
  return ask_loop<std::vector<model::Labels>>(
      loop_, [this, matchers, start, end](const auto& done) { done(loop_side_.select_series(matchers, start, end)); });
}

base::Result<> Backend::heartbeat(const std::string& service, bool failed, std::string text) {
  return ask_loop<void>(loop_, [=, this](const auto& done) { done(loop_side_.heartbeat(service, failed, text)); });
}

base::Result<web::ProbeAnswer> Backend::probe(const web::ProbeQuestion& question) {
  const base::Millis longest = ProbeEndpoint::kLongest;
  const base::Millis patience =
      kPatience + (question.timeout.count() > 0 ? std::min(question.timeout, longest) : longest);
  return ask_loop<web::ProbeAnswer>(
      loop_, [this, question](const auto& done) { loop_side_.probe(question, done); }, patience);
}

base::Result<> Backend::reload() {
  return ask_loop<void>(loop_, [this](const auto& done) { done(loop_side_.reload()); });
}

base::Result<> Backend::begin_maintenance(const std::string& service, base::Millis length, const std::string& comment) {
  return ask_loop<void>(loop_,
                        [=, this](const auto& done) { loop_side_.begin_maintenance(service, length, comment, done); });
}

base::Result<> Backend::end_maintenance(const std::string& service) {
  return ask_loop<void>(loop_, [=, this](const auto& done) { loop_side_.end_maintenance(service, done); });
}

base::Result<std::string> Backend::recover(const std::string& service, web::Rehearsal rehearsal,
                                           const std::string& comment) {
  return ask_loop<std::string>(loop_,
                               [=, this](const auto& done) { loop_side_.recover(service, rehearsal, comment, done); });
}

base::Result<std::string> Backend::add_silence(const model::SilenceRequest& request) {
  return ask_loop<std::string>(loop_, [=, this](const auto& done) { loop_side_.add_silence(request, done); });
}

base::Result<> Backend::expire_silence(const std::string& id) {
  return ask_loop<void>(loop_, [=, this](const auto& done) { loop_side_.expire_silence(id, done); });
}

base::Result<> Backend::ack(const std::string& service, const std::string& comment) {
  return ask_loop<void>(loop_, [=, this](const auto& done) { loop_side_.ack(service, comment, done); });
}

}  // namespace app
