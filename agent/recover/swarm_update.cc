#include "recover/swarm_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/percent.h"
#include "base/text.h"
#include "encoding/json_value.h"
#include "loop/scheduler.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr base::Duration kLook = 500ms;
constexpr int kMostTries = 5;  // against others who change the service

class Change final : public loop::Registration {
 public:
  Change(const Context& context, const http::JsonApi& engine, const SwarmSettings& settings, const Trigger& trigger,
         std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : context_(context),
        engine_(engine),
        settings_(settings),
        what_(std::move(what)),
        stopped_(trigger.stopped),
        deadline_(deadline),
        waits_until_(context.scheduler.now() + (deadline - context.scheduler.now()) / 2),
        proven_by_(context.scheduler.now() + (deadline - context.scheduler.now()) * 3 / 4),
        done_(std::move(done)) {
    read([this](const SwarmService& service) { send(service); });
  }

 private:
  void ask(const char* method, const std::string& path, std::string body,
           std::function<void(const http::HttpResponse&)> then) {
    pending_ =
        engine_.ask(*context_.http, context_.scheduler,
                    {.method = method, .path = path, .body = std::move(body), .deadline = deadline_}, std::move(then));
  }

  void read(std::function<void(const SwarmService&)> then) {
    const std::string path = "/services/" + settings_.service;
    ask("GET", path, "", [this, path, then = std::move(then)](const http::HttpResponse& response) {
      if (!http::is_good(response)) return broken("GET", path, response);
      const auto service = read_service(response.body);
      if (!service) return fail("the answer is no description of a Swarm service");
      then(*service);
    });
  }

  void send(const SwarmService& service) {
    const bool back = settings_.change == SwarmChange::rollback;
    // A rollback is there to end one.
    const bool busy = service.update_state == "updating" || service.update_state == "rollback_started";
    if (busy && settings_.change == SwarmChange::update) {
      if (context_.scheduler.now() + kLook >= waits_until_)
        return end(ActionStatus::refused, "an update of others is under way, and is left to them");
      pending_ = context_.scheduler.after(kLook, [this] { read([this](const auto& again) { send(again); }); });
      return;
    }
    if (const auto why = stopped_()) return end(ActionStatus::refused, *why + "; nothing was changed");
    if (back && !service.has_previous) return fail("it has no version before this one");
    const std::string spec = changed_spec(service, settings_);
    if (spec.empty()) return fail("it has a task on each node, and no number of them");
    began_before_ = service.update_began;
    wanted_ = settings_.change == SwarmChange::scale ? settings_.replicas : service.replicas;
    post(service, spec, back, [this] { look_later(); });
  }

  void post(const SwarmService& service, const std::string& spec, bool back, const std::function<void()>& then) {
    const std::string path =
        fmt::format("/services/{}/update?version={}{}", service.id, service.version, back ? "&rollback=previous" : "");
    ask("POST", path, spec, [this, path, then](const http::HttpResponse& response) {
      if (http::is_good(response)) {
        changed_ = true;
        sent_back_ = rolling_back_;
        return then();
      }
      // Another client has changed it since it was read: 500 with these words.
      const bool late = response.status == 500 && response.body.find("out of sequence") != std::string::npos;
      if (!late || ++tries_ >= kMostTries) return broken("POST", path, response);
      pending_ = context_.scheduler.after(tries_ * 100ms, [this] {
        if (rolling_back_) return take_back();
        read([this](const SwarmService& again) { send(again); });
      });
    });
  }

  void look_later() {
    pending_ = context_.scheduler.after(kLook, [this] { look(); });
  }

  void look() {
    const base::Instant now = context_.scheduler.now();
    if (!rolling_back_ && now >= proven_by_) return begin_rollback("its tasks did not come up in time");
    if (now + kLook >= deadline_) return end(ActionStatus::timeout, fmt::format("{}; the rollback is not over", why_));
    if (rolling_back_ && !sent_back_) return take_back();
    read([this](const SwarmService& service) { judge(service); });
  }

  // Until Swarm begins with it, it shows the update before.
  void judge(const SwarmService& service) {
    const bool begun = !service.update_began.empty() && service.update_began != began_before_;
    const std::string& state = service.update_state;
    if (rolling_back_) {
      if (begun && state == "rollback_completed") return end(ActionStatus::failed, why_ + "; rolled back");
      if (begun && state == "rollback_paused")
        return end(ActionStatus::failed, why_ + "; the rollback is paused: " + service.update_message);
      return look_later();
    }
    if (begun && state == "paused") return begin_rollback("Swarm paused the update: " + service.update_message);
    if (begun && state.starts_with("rollback_") && settings_.change == SwarmChange::update) {
      // The service has failure_action: rollback of its own.
      rolling_back_ = sent_back_ = true;
      why_ = "Swarm itself rolls the update back: " + service.update_message;
      return look_later();
    }
    if (begun && state == "rollback_paused") return fail("the rollback is paused: " + service.update_message);
    const bool complete = settings_.change == SwarmChange::scale || (begun && state == "completed") ||
                          (begun && state == "rollback_completed");
    if (!complete) return look_later();
    prove([this] {
      end(ActionStatus::ok,
          wanted_ ? fmt::format("done, {} of {} tasks run", *wanted_, *wanted_) : "done, all tasks run");
    });
  }

  void prove(const std::function<void()>& proven) {
    const json filters{{"service", {settings_.service}}, {"desired-state", {"running"}}};
    const std::string path = "/tasks?filters=" + base::percent_encode(filters.dump());
    ask("GET", path, "", [this, path, proven](const http::HttpResponse& response) {
      if (!http::is_good(response)) return broken("GET", path, response);
      if (all_run(response.body, wanted_)) return proven();
      look_later();
    });
  }

  void begin_rollback(std::string why) {
    why_ = std::move(why);
    if (settings_.change == SwarmChange::rollback) return end(ActionStatus::failed, why_);
    rolling_back_ = true;
    tries_ = 0;
    take_back();
  }
  void take_back() {
    read([this](const SwarmService& service) {
      if (!service.has_previous) return end(ActionStatus::failed, why_ + "; there is no version to go back to");
      began_before_ = service.update_began;
      post(service, service.spec, true, [this] { look_later(); });
    });
  }

  void broken(const char* method, const std::string& path, const http::HttpResponse& response) {
    const std::string said = engine_.complaint(response);
    const std::string before = why_.empty() ? "" : why_ + "; ";
    const std::string where = fmt::format("{}{} {}: {}", before, method, path, said);
    // A look that failed is made again; the deadline ends that.
    if (changed_ && std::string_view(method) == "GET" && context_.scheduler.now() + kLook < deadline_)
      return look_later();
    if (response.reason == model::Reason::agent_overloaded && !changed_) return end(ActionStatus::failed, where, true);
    if (response.reason == model::Reason::read_timeout) return end(ActionStatus::timeout, where);
    if (response.reason != model::Reason::none) return end(ActionStatus::failed, where);
    switch (response.status) {
      case 401:
      case 403: return end(ActionStatus::refused, where + "; the proxy must let this path through");
      case 404: return end(ActionStatus::failed, where + "; see: docker service ls");
      case 503: return end(ActionStatus::failed, where + "; name the socket of a manager");
      default: return end(ActionStatus::failed, where);
    }
  }

  void fail(const std::string& why) { end(ActionStatus::failed, why); }
  // Destroys this object, as a rule.
  void end(ActionStatus status, const std::string& text, bool own_want = false) {
    const auto done = std::exchange(done_, nullptr);
    if (done) done({status, what_ + ": " + text, own_want});
  }

  const Context& context_;
  const http::JsonApi& engine_;
  const SwarmSettings& settings_;
  std::string what_;
  std::function<std::optional<std::string>()> stopped_;
  base::Instant deadline_, waits_until_, proven_by_;
  std::function<void(ActionResult)> done_;
  std::string began_before_;  // of the update before ours
  std::optional<std::uint64_t> wanted_;
  int tries_ = 0;
  bool changed_ = false, rolling_back_ = false, sent_back_ = false;
  std::string why_;  // it is rolled back
  loop::Handle pending_;
};

}  // namespace

std::optional<SwarmService> read_service(std::string_view body) {
  const json document = encoding::read_json(body);
  const json& spec = member(document, "Spec");
  const auto version = number_of(member(member(document, "Version"), "Index"));
  SwarmService out{text_of(member(document, "ID")), version.value_or(0), "", std::nullopt, false, "", "", ""};
  if (!http::is_plain_name(out.id) || !version || !spec.is_object()) return std::nullopt;
  out.spec = spec.dump(-1, ' ', false, json::error_handler_t::replace);
  out.replicas = number_of(member(member(member(spec, "Mode"), "Replicated"), "Replicas"));
  out.has_previous = member(document, "PreviousSpec").is_object();
  const json& update = member(document, "UpdateStatus");
  out.update_state = text_of(member(update, "State"));
  out.update_began = text_of(member(update, "StartedAt"));
  out.update_message = base::first_line(text_of(member(update, "Message")), 200);
  return out;
}

std::string changed_spec(const SwarmService& service, const SwarmSettings& settings) {
  json spec = encoding::read_json(service.spec);
  if (settings.change == SwarmChange::update) {
    const auto forced = number_of(member(member(spec, "TaskTemplate"), "ForceUpdate"));
    spec["TaskTemplate"]["ForceUpdate"] = forced.value_or(0) + 1;
  }
  if (settings.change == SwarmChange::scale) {
    if (!service.replicas) return "";
    spec["Mode"]["Replicated"]["Replicas"] = settings.replicas;
  }
  return spec.dump();
}

bool all_run(std::string_view tasks, std::optional<std::uint64_t> wanted) {
  const json list = encoding::read_json(tasks);
  if (!list.is_array()) return false;
  const bool run = std::all_of(list.begin(), list.end(), [](const json& task) {
    return text_of(member(member(task, "Status"), "State")) == "running";
  });
  return run && (wanted ? list.size() == *wanted : !list.empty());
}

loop::Handle change_swarm(const Context& context, const http::JsonApi& engine, const SwarmSettings& settings,
                          const Trigger& trigger, std::string what, base::Instant deadline,
                          std::function<void(ActionResult)> done) {
  return loop::Handle(
      std::make_unique<Change>(context, engine, settings, trigger, std::move(what), deadline, std::move(done)));
}

}  // namespace recover
