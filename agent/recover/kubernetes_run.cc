#include "recover/kubernetes_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/time.h"
#include "loop/scheduler.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;
using namespace std::chrono_literals;

// Of one request: behind one address there may be several servers, and one of them hangs.
constexpr base::Duration kPatience = 10s;
constexpr base::Duration kLook = 1s;
constexpr base::Duration kEventPatience = 2s;
constexpr int kMostTries = 5;  // against others who change the same
constexpr int kMostRefusedTokens = 3;

// Whether the server did it is not known, or it will do it later.
bool is_unknown(const http::HttpResponse& response) {
  return response.reason != model::Reason::none || response.status == 429 || response.status >= 500;
}

}  // namespace

KubernetesRun::KubernetesRun(const Context& context, const http::JsonApi& api, const Trigger& trigger, std::string what,
                             base::Instant deadline, std::function<void(ActionResult)> done)
    : context_(context),
      api_(api),
      service_(trigger.service),
      recovery_(trigger.recovery_id),
      node_(trigger.node),
      what_(std::move(what)),
      stopped_(trigger.stopped),
      deadline_(deadline),
      done_(std::move(done)) {}

bool KubernetesRun::is_stopped(const std::string& left) {
  const auto why = stopped_();
  if (!why) return false;
  const std::string text = fmt::format("{}; nothing {}was changed{}", *why, changed_ ? "more " : "", left);
  const ActionStatus status = changed_ ? ActionStatus::failed : ActionStatus::refused;
  pending_ = context_.scheduler.after({}, [this, status, text] { end(status, text); });
  return true;
}

bool KubernetesRun::later(base::Duration wait, std::function<void()> then) {
  if (wait >= deadline_ - context_.scheduler.now()) return false;
  pending_ = context_.scheduler.after(wait, std::move(then));
  return true;
}

void KubernetesRun::ask(Call call, Answered then) {
  if (std::string_view(call.method) != "GET" && is_stopped("")) return;
  http::JsonApi::Request request{.method = call.method,
                                 .path = call.path,
                                 .body = call.body,
                                 .content_type = call.content_type,
                                 .deadline = std::min(deadline_, context_.scheduler.now() + kPatience)};
  pending_ = api_.ask(*context_.http, context_.scheduler, std::move(request),
                      [this, call = std::move(call), then = std::move(then)](const http::HttpResponse& response) {
                        answered(call, then, response);
                      });
}

void KubernetesRun::answered(const Call& call, const Answered& then, const http::HttpResponse& response) {
  const bool own = response.reason == model::Reason::agent_overloaded;
  const bool reads = std::string_view(call.method) == "GET";
  const bool token = http::has_status(response, 401) && ++refused_tokens_ <= kMostRefusedTokens;
  if (token || (reads && is_unknown(response) && !(own && !changed_)))
    if (later(asked_to_wait(response, kLook), [this, call, then] { ask(call, then); })) return;
  then(response);
}

void KubernetesRun::read(const std::string& path, std::function<void(const json&)> then, std::function<void()> gone) {
  const Call call{.path = path};
  ask(call, [this, call, then = std::move(then), gone = std::move(gone)](const http::HttpResponse& response) {
    if (gone && http::has_status(response, 404)) return gone();
    if (!http::is_good(response)) return broken(call, response);
    const json object = encoding::read_json(response.body);
    if (!object.is_object())
      return end(ActionStatus::failed, fmt::format("GET {}: the answer is no object", call.path));
    then(object);
  });
}

bool KubernetesRun::again(const http::HttpResponse& response, const std::function<void()>& then) {
  const bool own = response.reason == model::Reason::agent_overloaded;
  if (own || !(is_unknown(response) || http::has_status(response, 409)) || ++tries_ >= kMostTries) return false;
  return later(asked_to_wait(response, tries_ * 200ms), then);
}

void KubernetesRun::broken(const Call& call, const http::HttpResponse& response) {
  const std::string text = fmt::format("{} {}: {}", call.method, call.path, api_.complaint(response));
  if (response.reason == model::Reason::agent_overloaded) return end(ActionStatus::failed, text, !changed_);
  if (response.reason == model::Reason::read_timeout) return end(ActionStatus::timeout, text);
  if (http::has_status(response, 401))
    return end(ActionStatus::refused, text + "; the token is not valid, or not any more");
  if (http::has_status(response, 403)) return end(ActionStatus::refused, text + "; a role must allow it to the agent");
  end(ActionStatus::failed, text);
}

void KubernetesRun::end(ActionStatus status, const std::string& text, bool own_want) {
  const std::string before = status == ActionStatus::ok ? "" : before_failure_;
  // Names and texts are the server's: the secrets of a kubeconfig file are known to the API alone.
  ActionResult result{status, what_ + ": " + api_.fit(before + text), own_want};
  if (changed_ && about_.is_object() && context_.scheduler.now() < deadline_) return write_event(std::move(result));
  if (const auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

// For those who look by kubectl describe. It decides nothing: one that the server does not take is not written.
void KubernetesRun::write_event(ActionResult result) {
  const std::string space = text_of(member(about_, "namespace")).empty() ? "default" : text_of(about_["namespace"]);
  const bool good = result.result == ActionStatus::ok;
  const std::string now = base::format_iso8601(std::chrono::floor<std::chrono::seconds>(context_.scheduler.wall_now()));
  const json event{
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata", {{"generateName", "fettle-"}, {"namespace", space}}},
      {"involvedObject", about_},
      {"type", good ? "Normal" : "Warning"},
      {"reason", good ? "RecoveryAction" : "RecoveryActionFailed"},
      {"message", base::shortened(fmt::format("{} (service {}, recovery {})", result.text, service_, recovery_), 1000)},
      {"source", {{"component", "fettle"}, {"host", node_}}},
      {"firstTimestamp", now},
      {"lastTimestamp", now},
      {"count", 1}};
  pending_ = api_.ask(*context_.http, context_.scheduler,
                      {.method = "POST",
                       .path = fmt::format("/api/v1/namespaces/{}/events", space),
                       .body = event.dump(-1, ' ', false, json::error_handler_t::replace),
                       .deadline = std::min(deadline_, context_.scheduler.now() + kEventPatience)},
                      [this, result = std::move(result)](const http::HttpResponse&) {
                        if (const auto done = std::exchange(done_, nullptr)) done(result);
                      });
}

base::Duration asked_to_wait(const http::HttpResponse& response, base::Duration otherwise) {
  if (response.reason != model::Reason::none || response.status < 400) return otherwise;
  const std::string* header = http::find_header(response.headers, "Retry-After");
  auto seconds = header == nullptr ? std::nullopt : number_of(json(*header));
  if (!seconds) seconds = number_of(member(member(encoding::read_json(response.body), "details"), "retryAfterSeconds"));
  if (!seconds || *seconds == 0) return otherwise;
  return std::chrono::seconds(std::min<std::uint64_t>(*seconds, 30));
}

}  // namespace recover
