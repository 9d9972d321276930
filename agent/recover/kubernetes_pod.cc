// Evict and delete_pod.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

constexpr base::Duration kLook = 1s;
constexpr base::Duration kFirstWait = 5s, kLongestWait = 30s;

class PodRemoval final : public KubernetesRun {
 public:
  PodRemoval(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
             const Trigger& trigger, std::string what, base::Instant deadline, std::function<void(ActionResult)> done)
      : KubernetesRun(context, api, trigger, std::move(what), deadline, std::move(done)),
        evicts_(settings.verb == KubernetesVerb::evict),
        path_(pod_path(settings.name.space + "/" + settings.name.name)) {
    look([this] { begin(); });
  }

 private:
  // `there`: it is the pod that was seen first.
  void look(std::function<void()> there) {
    read(
        path_,
        [this, there = std::move(there)](const json& object) {
          const auto pod = read_pod(object);
          if (!pod) return end(ActionStatus::failed, "the answer is no description of a pod");
          if (!pod_.uid.empty() && pod->uid != pod_.uid) return end(ActionStatus::ok, "gone, and there is a new one");
          pod_ = *pod;
          there();
        },
        [this] { end(ActionStatus::ok, pod_.uid.empty() ? "it was gone already" : "gone"); });
  }

  void begin() {
    if (!pod_.is_owned && !pod_.ends) return end(ActionStatus::refused, "no controller would start it again");
    if (pod_.ends) return wait();
    if (!evicts_) return remove();
    read("/api/v1", [this](const json& resources) {
      version_ = eviction_version(resources);
      evict();
    });
  }

  void evict() {
    const Call call{"POST", path_ + "/eviction", eviction_of(pod_, version_)};
    ask(call, [this, call](const http::HttpResponse& response) {
      if (!http::has_status(response, 429)) return sent(call, response);
      why_ = budget_of(response);
      if (why_.empty()) why_ = api_.complaint(response);
      const base::Duration wait = asked_to_wait(response, wait_);
      wait_ = std::min(2 * wait_, kLongestWait);
      if (later(wait, [this] { look([this] { pod_.ends ? this->wait() : evict(); }); })) return;
      end(ActionStatus::timeout, "it may not go: " + why_);
    });
  }

  void remove() {
    json options{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
    if (!pod_.uid.empty()) options["preconditions"]["uid"] = pod_.uid;
    const Call call{"DELETE", path_, options.dump(-1, ' ', false, json::error_handler_t::replace)};
    ask(call, [this, call](const http::HttpResponse& response) { sent(call, response); });
  }

  void sent(const Call& call, const http::HttpResponse& response) {
    if (http::is_good(response) || http::has_status(response, 404)) {
      changed_ = true;
      return wait();
    }
    if (!again(response, [this] { look([this] { begin(); }); })) broken(call, response);
  }

  void wait() {
    if (later(kLook, [this] { look([this] { wait(); }); })) return;
    end(ActionStatus::timeout, "it was told to end, and has not yet");
  }

  bool evicts_;
  std::string path_, version_, why_;
  KubernetesPod pod_;
  base::Duration wait_ = kFirstWait;
};

}  // namespace

loop::Handle remove_pod(const Context& context, const http::JsonApi& api, const KubernetesSettings& settings,
                        const Trigger& trigger, std::string what, base::Instant deadline,
                        std::function<void(ActionResult)> done) {
  return loop::Handle(
      std::make_unique<PodRemoval>(context, api, settings, trigger, std::move(what), deadline, std::move(done)));
}

}  // namespace recover
