// Cordon, uncordon, drain.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/percent.h"
#include "base/text.h"
#include "loop/scheduler.h"
#include "recover/kubernetes_change.h"
#include "recover/kubernetes_evictions.h"
#include "recover/kubernetes_run.h"

namespace recover {
namespace {

using encoding::json;
using encoding::member;
using encoding::text_of;
using namespace std::chrono_literals;

// Looks at the pods become rarer: in a large cluster each one costs the store a lot.
constexpr base::Duration kFirstLook = 1s, kRarestLook = 5s;
// After a refusal that names no time.
constexpr base::Duration kFirstWait = 5s, kLongestWait = 30s;
constexpr std::size_t kMostNamed = 5;

bool is_cordoned(const json& node) {
  const json& value = member(member(node, "spec"), "unschedulable");
  return value.is_boolean() && value.get<bool>();
}

std::string cordoned_by(const json& node) {
  return text_of(member(member(member(node, "metadata"), "annotations"), kCordonedBy));
}

class NodeChange final : public KubernetesRun {
 public:
  NodeChange(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
             const Trigger& trigger, std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : KubernetesRun(context, api, trigger, std::move(what), deadline, std::move(done)),
        settings_(settings),
        path_("/api/v1/nodes/" + settings.node),
        began_(context.scheduler.now()) {
    // As the kubelet writes its own, which is what kubectl looks for.
    about_ = {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", settings.node}, {"uid", settings.node}};
    if (settings_.verb == KubernetesVerb::uncordon) uncordon();
    else if (settings_.verb == KubernetesVerb::drain) look([this] { begin_drain(); });
    else cordon([this](const std::string& text) { end(ActionStatus::ok, text); });
  }

 private:
  // A pod that is to go.
  struct Guest {
    KubernetesPod pod;
    std::string why;  // it is still there
    base::Instant not_before{};
    base::Duration wait = kFirstWait;
  };

  // `retry` reads the node again.
  void set(const json& node, const json& unschedulable, const json& mark, std::function<void()> then,
           std::function<void()> retry) {
    const json patch{{"metadata",
                      {{"resourceVersion", text_of(member(member(node, "metadata"), "resourceVersion"))},
                       {"annotations", {{kCordonedBy, mark}}}}},
                     {"spec", {{"unschedulable", unschedulable}}}};
    const Call call{"PATCH", path_, patch.dump(-1, ' ', false, json::error_handler_t::replace), kMergePatch};
    ask(call, [this, call, then = std::move(then), retry = std::move(retry)](const http::HttpResponse& response) {
      if (http::is_good(response)) return then();
      if (!again(response, retry)) broken(call, response);
    });
  }

  void cordon(std::function<void(const std::string&)> then) {
    read(path_, [this, then](const json& node) {
      const std::string by = cordoned_by(node);
      if (is_cordoned(node)) return then(by.empty() ? "others had cordoned it" : "it was cordoned already");
      set(
          node, true, service_,
          [this, then] {
            changed_ = true;
            then("cordoned");
          },
          [this, then] { cordon(then); });
    });
  }

  void uncordon() {
    read(path_, [this](const json& node) {
      const std::string by = cordoned_by(node);
      if (!is_cordoned(node) && by.empty()) return end(ActionStatus::ok, "it is not cordoned");
      if (by.empty())
        return end(ActionStatus::refused, "others have cordoned it, and it stays so; see: kubectl describe node");
      if (by != service_)
        return end(ActionStatus::refused,
                   fmt::format("the plan of {} has cordoned it, and it stays so", base::foreign_text(by, 100)));
      set(
          node, json(), json(),
          [this] {
            changed_ = true;
            end(ActionStatus::ok, "uncordoned");
          },
          [this] { uncordon(); });
    });
  }

  // Reads which pods are to go; those that went are forgotten.
  void look(std::function<void()> then) {
    const std::string query = base::percent_encode("spec.nodeName=" + settings_.node);
    read("/api/v1/pods?fieldSelector=" + query, [this, then = std::move(then)](const json& list) {
      std::map<std::string, Guest> now;
      for (const json& item : member(list, "items")) {
        const auto pod = read_pod(item);
        if (!pod || pod->over || pod->of_node) continue;
        const auto known = guests_.find(pod->key);
        Guest guest = known != guests_.end() && known->second.pod.uid == pod->uid ? known->second : Guest{};
        guest.pod = *pod;
        if (pod->ends) guest.why = "it was told to end";
        now.emplace(pod->key, std::move(guest));
      }
      for (const auto& [key, guest] : guests_) gone_ += now.contains(key) ? 0 : 1;
      guests_ = std::move(now);
      then();
    });
  }

  void begin_drain() {
    if (!all_owned()) return;
    read("/api/v1", [this](const json& resources) {
      version_ = eviction_version(resources);
      cordon([this](const std::string& text) {
        cordoned_ = text;
        look([this] { pass(); });
      });
    });
  }

  // A pod that nothing starts again is not for a plan to end; kubectl drain wants --force for it.
  bool all_owned() {
    std::string loose;
    for (auto& [key, guest] : guests_)
      if (!guest.pod.is_owned && !guest.pod.ends) loose += (loose.empty() ? "" : ", ") + key;
    if (loose.empty()) return true;
    end(ActionStatus::refused,
        fmt::format("no controller would start {} again; nothing was changed", base::shortened(loose, 300)));
    return false;
  }

  // Asks all that may be asked now to go, one after another.
  void pass() {
    if (!guests_.empty() && is_stopped("; " + rest())) return;
    const base::Instant now = context_.scheduler.now();
    for (auto& [key, guest] : guests_)
      if (!guest.pod.ends && guest.pod.is_owned && guest.not_before <= now) return evict(guest);
    if (guests_.empty()) return end(ActionStatus::ok, fmt::format("drained, {} pods went; {}", gone_, cordoned_));
    const bool only_loose = std::all_of(guests_.begin(), guests_.end(), [](const auto& each) {
      return !each.second.pod.is_owned && !each.second.pod.ends;
    });
    const base::Duration wait = std::clamp((now - began_) / 10, kFirstLook, kRarestLook);
    if (only_loose || !later(wait, [this] { look([this] { pass(); }); }))
      end(only_loose ? ActionStatus::failed : ActionStatus::timeout, rest());
  }

  void evict(Guest& guest) {
    guest.not_before = base::Instant::max();
    const std::string key = guest.pod.key;
    const Call call{"POST", pod_path(key) + "/eviction", eviction_of(guest.pod, version_)};
    ask(call, [this, call, key](const http::HttpResponse& response) {
      const auto at = guests_.find(key);
      if (at == guests_.end()) return pass();
      Guest& asked = at->second;
      // 409: another pod has the name now.
      const bool gone = http::has_status(response, 404) || http::has_status(response, 409);
      if (http::is_good(response) || gone) {
        changed_ = true;
        asked.pod.ends = true;
        asked.why = "it was told to end";
        return pass();
      }
      if (http::has_status(response, 401) || http::has_status(response, 403)) {
        before_failure_ = rest() + "; ";
        return broken(call, response);
      }
      const std::string budget = budget_of(response);
      asked.why = budget.empty() ? api_.complaint(response) : budget;
      asked.not_before = context_.scheduler.now() + asked_to_wait(response, asked.wait);
      asked.wait = std::min(2 * asked.wait, kLongestWait);
      pass();
    });
  }

  // What a drain that is not over leaves.
  std::string rest() const {
    std::string names;
    std::size_t count = 0;
    for (const auto& [key, guest] : guests_) {
      if (++count > kMostNamed) continue;
      const std::string why = guest.pod.is_owned ? guest.why : "no controller would start it again";
      names += fmt::format("{}{}{}", names.empty() ? "" : ", ", key, why.empty() ? "" : " (" + why + ")");
    }
    if (count > kMostNamed) names += ", …";
    return fmt::format("the node stays cordoned; {} pods went, {} {} left: {}", gone_, count, count == 1 ? "is" : "are",
                       names);
  }

  const KubernetesSettings& settings_;
  std::string path_, version_, cordoned_;
  base::Instant began_;
  std::map<std::string, Guest> guests_;
  std::size_t gone_ = 0;
};

}  // namespace

loop::Handle change_node(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                         const Trigger& trigger, std::string what, base::Instant deadline,
                         std::function<void(ActionResult)> done) {
  return loop::Handle(
      std::make_unique<NodeChange>(context, api, settings, trigger, std::move(what), deadline, std::move(done)));
}

}  // namespace recover
