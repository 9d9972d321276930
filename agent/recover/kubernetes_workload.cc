// Rollout_restart and scale.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/kubernetes_server.h"
#include "loop/scheduler.h"
#include "recover/kubernetes_change.h"
#include "recover/kubernetes_run.h"
#include "recover/scaled_down.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::number_of;
using encoding::text_of;
using namespace std::chrono_literals;

constexpr base::Duration kLook = 1s;

// What a controller has reached of what was asked of it.
struct Progress {
  bool seen = false;  // it knows of the change
  std::uint64_t wanted = 0, updated = 0, available = 0, all = 0;
  std::string trouble;  // it has given up

  bool done() const { return seen && updated == wanted && available == wanted && all == wanted; }
};

Progress progress_of(const json& object, const std::string& kind) {
  const json &status = member(object, "status"), &spec = member(object, "spec");
  const auto count = [&status](const char* name) { return number_of(member(status, name)).value_or(0); };
  Progress out;
  out.seen = count("observedGeneration") >= number_of(member(member(object, "metadata"), "generation")).value_or(0);
  if (kind == "daemonset") {
    out.wanted = count("desiredNumberScheduled");
    out.updated = count("updatedNumberScheduled");
    out.available = count("numberAvailable");
    out.all = out.wanted;
    return out;
  }
  out.wanted = number_of(member(spec, "replicas")).value_or(1);
  out.updated = count("updatedReplicas");
  // Old servers do not say of a StatefulSet which are available.
  out.available = count(kind == "statefulset" ? "readyReplicas" : "availableReplicas");
  out.all = count("replicas");
  for (const json& condition : member(status, "conditions"))
    if (text_of(member(condition, "reason")) == "ProgressDeadlineExceeded")
      out.trouble = base::foreign_text(text_of(member(condition, "message")), 200);
  return out;
}

// As objects write it.
const char* kind_of(const std::string& kind) {
  return kind == "deployment" ? "Deployment" : kind == "statefulset" ? "StatefulSet" : "DaemonSet";
}

std::string path_of(const KubernetesName& name) {
  return fmt::format("/apis/apps/v1/namespaces/{}/{}s/{}", name.space, name.kind, name.name);
}

// A Deployment's controller is in the middle of one, and has not given up. Of the others it cannot be told: by their
// own settings their pods may stay old for ever.
bool rolls_out(const json& object, const std::string& kind) {
  const Progress now = progress_of(object, kind);
  return kind == "deployment" && now.seen && now.trouble.empty() && (now.updated != now.wanted || now.all > now.wanted);
}

class WorkloadChange final : public KubernetesRun {
 public:
  WorkloadChange(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                 const Trigger& trigger, std::string what, base::Instant deadline,
                 std::function<void(ActionResult)> done)
      : KubernetesRun(context, api, trigger, std::move(what), deadline, std::move(done)),
        settings_(settings),
        path_(path_of(settings.name)) {
    settings_.verb == KubernetesVerb::scale ? scale() : restart();
  }

 private:
  void restart() {
    read(path_, [this](const json& object) {
      const json& paused = member(member(object, "spec"), "paused");
      if (paused.is_boolean() && paused.get<bool>())
        return end(ActionStatus::refused, "its rollout is paused; see: kubectl rollout resume");
      if (!sent_ && rolls_out(object, settings_.name.kind)) {
        if (!later(kLook, [this] { restart(); }))
          end(ActionStatus::refused, "a rollout of others is under way, and is left to them");
        return;
      }
      sent_ = true;
      const std::string now =
          base::format_iso8601(std::chrono::floor<std::chrono::seconds>(context_.scheduler.wall_now()));
      const json patch{
          {"metadata", {{"resourceVersion", text_of(member(member(object, "metadata"), "resourceVersion"))}}},
          {"spec", {{"template", {{"metadata", {{"annotations", {{"kubectl.kubernetes.io/restartedAt", now}}}}}}}}}};
      send({"PATCH", path_, patch.dump(-1, ' ', false, json::error_handler_t::replace), kMergePatch},
           [this] { restart(); });
    });
  }

  void scale() {
    send({"PATCH", path_ + "/scale", json{{"spec", {{"replicas", settings_.replicas}}}}.dump(), kMergePatch},
         [this] { scale(); });
  }

  void send(const Call& call, const std::function<void()>& retry) {
    ask(call, [this, call, retry](const http::HttpResponse& response) {
      if (http::is_good(response)) {
        changed_ = true;
        return look();
      }
      if (!again(response, retry)) broken(call, response);
    });
  }

  void look() {
    read(path_, [this](const json& object) {
      const Progress now = progress_of(object, settings_.name.kind);
      about_ = {{"apiVersion", "apps/v1"},
                {"kind", kind_of(settings_.name.kind)},
                {"namespace", settings_.name.space},
                {"name", settings_.name.name},
                {"uid", text_of(member(member(object, "metadata"), "uid"))}};
      const bool scales = settings_.verb == KubernetesVerb::scale;
      const std::string text = fmt::format("{} of {} pods are {}", std::min(now.updated, now.available), now.wanted,
                                           scales ? "available" : "new and available");
      if (scales && now.seen && now.wanted != settings_.replicas)
        return end(ActionStatus::failed, fmt::format("others have scaled it to {}", now.wanted));
      if (now.done()) return end(ActionStatus::ok, "done, " + text);
      if (now.seen && !now.trouble.empty()) return end(ActionStatus::failed, text + "; " + now.trouble);
      if (!later(kLook, [this] { look(); }))
        end(ActionStatus::timeout, text + (now.seen ? "; it goes on" : "; its controller has not seen the change"));
    });
  }

  const KubernetesSettings& settings_;
  std::string path_;
  bool sent_ = false;  // what rolls out since may be our own
};

}  // namespace

loop::Handle change_workload(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                             const Trigger& trigger, std::string what, base::Instant deadline,
                             std::function<void(ActionResult)> done) {
  return loop::Handle(
      std::make_unique<WorkloadChange>(context, api, settings, trigger, std::move(what), deadline, std::move(done)));
}

loop::Handle ask_workload_stopped(const Context& context, const http::JsonApi& api, const KubernetesName& name,
                                  base::Instant deadline, std::function<void(std::string)> done) {
  const auto none = [](const json& object) {
    const json& replicas = member(member(object, "spec"), "replicas");
    return replicas.is_number() && number_of(replicas) == 0;
  };
  return ask_scaled_down(context, api, path_of(name), none,
                         fmt::format("{0}/{1} of {2} was scaled to 0, not by fettle; to have it back: kubectl scale "
                                     "-n {2} {0}/{1} --replicas=N",
                                     name.kind, name.name, name.space),
                         deadline, std::move(done));
}

std::optional<KubernetesName> parse_pod_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  KubernetesName out{std::string(text.substr(0, slash)), "", std::string(text.substr(slash + 1))};
  if (!http::is_kubernetes_name(out.space) || !http::is_kubernetes_name(out.name)) return std::nullopt;
  return out;
}

std::optional<KubernetesName> parse_workload_name(std::string_view text) {
  const std::size_t first = text.find('/'), second = text.find('/', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  KubernetesName out{std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)),
                     std::string(text.substr(second + 1))};
  const bool known = out.kind == "deployment" || out.kind == "statefulset" || out.kind == "daemonset";
  if (!known || !http::is_kubernetes_name(out.space) || !http::is_kubernetes_name(out.name)) return std::nullopt;
  return out;
}

}  // namespace recover
