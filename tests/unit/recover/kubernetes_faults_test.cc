// A drain and the uncordon after it, through an API server that answers with 401, 409, 429, 500, not at all, or after
// the change was made; while others change the node and the pods. Whatever comes: the disruption budget is kept, each
// action ends, and an uncordon that says so has left the node free.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/random.h"
#include "encoding/json_value.h"
#include "fakes/action_trial.h"

namespace {

using namespace std::chrono_literals;

using encoding::json;
using encoding::member;
using fakes::answered;

// The server with one node, and what it stores.
class Cluster {
 public:
  explicit Cluster(std::uint64_t seed) : random_(seed) {
    const std::uint64_t pods = random_.below(6);
    for (std::uint64_t i = 0; i < pods; ++i) pods_["order-" + std::to_string(i)] = false;
    allowed_ = random_.below(3);
  }

  // What happens beside the plan in half a second.
  void live() {
    for (auto pod = pods_.begin(); pod != pods_.end();) {
      const bool goes = pod->second && chance(0.5);
      if (goes && chance(0.7)) ++allowed_;  // another one is ready elsewhere
      pod = goes ? pods_.erase(pod) : std::next(pod);
    }
    if (chance(0.1)) ++version_;
  }

  http::HttpResponse answer(const http::HttpRequest& request) {
    if (chance(faults)) {
      switch (random_.below(6)) {
        case 0: return answered(401, R"({"message":"Unauthorized"})");
        case 1: return answered(429, R"({"message":"too many requests"})", {{"Retry-After", "1"}});
        case 2: return answered(500, R"({"message":"etcdserver: request timed out"})");
        case 3: return fakes::broken(model::Reason::refused, "connection refused");
        case 4: ++version_; break;
        default: (void)serve(request); return fakes::broken(model::Reason::read_timeout, "no answer");
      }
    }
    return serve(request);
  }

  bool is_free() const { return !cordoned_ && !marked_; }
  bool is_cordoned() const { return cordoned_; }
  std::size_t left() const { return pods_.size(); }
  // The budget would have been overdrawn, or gone around.
  bool is_violated() const { return violated_; }
  double faults = 0.3;

 private:
  bool chance(double p) { return random_.unit() < p; }

  http::HttpResponse serve(const http::HttpRequest& request) {
    const std::string path = request.url.substr(std::string("https://k.test").size());
    if (request.method == "DELETE") violated_ = true;
    if (path == "/api/v1")
      return answered(200, R"({"resources":[{"name":"pods/eviction","group":"policy","version":"v1"}]})");
    if (path == "/api/v1/namespaces/default/events") return answered(201, "{}");
    if (path.starts_with("/api/v1/pods?")) return list();
    if (path == "/api/v1/nodes/n1") return request.method == "GET" ? node() : patch(request.body);
    const std::string name = path.substr(std::string("/api/v1/namespaces/shop/pods/").size());
    return evict(name.substr(0, name.find('/')));
  }

  http::HttpResponse node() const {
    json out{{"metadata", {{"resourceVersion", std::to_string(version_)}, {"annotations", json::object()}}},
             {"spec", json::object()}};
    if (cordoned_) out["spec"]["unschedulable"] = true;
    if (marked_) out["metadata"]["annotations"]["fettle/cordoned-by"] = "order";
    return answered(200, out.dump());
  }

  http::HttpResponse patch(const std::string& body) {
    const json sent = encoding::read_json(body);
    if (encoding::text_of(member(member(sent, "metadata"), "resourceVersion")) != std::to_string(version_))
      return answered(409, R"({"reason":"Conflict","message":"the object has been modified"})");
    ++version_;
    cordoned_ = member(member(sent, "spec"), "unschedulable").is_boolean();
    marked_ = member(member(member(sent, "metadata"), "annotations"), "fettle/cordoned-by").is_string();
    return answered(200, "{}");
  }

  http::HttpResponse list() const {
    json items = json::array();
    for (const auto& [name, ends] : pods_) {
      json pod{{"metadata",
                {{"namespace", "shop"},
                 {"name", name},
                 {"uid", name},
                 {"ownerReferences", {{{"kind", "ReplicaSet"}, {"controller", true}}}}}},
               {"status", {{"phase", "Running"}}}};
      if (ends) pod["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z";
      items.push_back(std::move(pod));
    }
    return answered(200, json{{"items", std::move(items)}}.dump());
  }

  http::HttpResponse evict(const std::string& name) {
    const auto pod = pods_.find(name);
    if (pod == pods_.end()) return answered(404, "{}");
    if (pod->second) return answered(201, "{}");
    if (!cordoned_) violated_ = true;  // it could come back to this node
    if (allowed_ == 0)
      return answered(429,
                      R"({"message":"no","details":{"causes":[{"reason":"DisruptionBudget","message":"budget"}]}})");
    --allowed_;
    pod->second = true;
    return answered(201, "{}");
  }

  base::Random random_;
  int version_ = 1;
  bool cordoned_ = false, marked_ = false, violated_ = false;
  std::map<std::string, bool> pods_;  // true: told to end
  std::uint64_t allowed_ = 0;
};

recover::ActionResult run(Cluster& cluster, const std::string& verb) {
  fakes::ActionTrial t;
  const auto action = t.parse("kubernetes", "{api_server: 'https://k.test', " + verb + ": n1}");
  t.run(*action);
  const base::Instant latest = t.loop.now() + 11s;
  std::size_t answered_so_far = 0;  // one request at a time
  while (t.results.empty() && t.loop.now() < latest) {
    const std::size_t asked = t.http.desk.asked().size();
    if (t.http.desk.waiting() > 0 && answered_so_far != asked) {
      answered_so_far = asked;
      t.http.desk.answer(cluster.answer(t.http.desk.last()));
      continue;
    }
    t.loop.advance(100ms);
    cluster.live();
  }
  REQUIRE(t.results.size() == 1);
  return t.results[0];
}

}  // namespace

TEST_CASE("200 drains through a server that fails in each way") {
  int drained = 0, freed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Cluster cluster(seed);
    const recover::ActionResult drain = run(cluster, "drain");
    CAPTURE(drain.text);
    CHECK_FALSE(cluster.is_violated());
    if (drain.result == model::ActionStatus::ok) {
      CHECK(cluster.left() == 0);
      CHECK(cluster.is_cordoned());
      ++drained;
    }
    const recover::ActionResult uncordon = run(cluster, "uncordon");
    CAPTURE(uncordon.text);
    if (uncordon.result == model::ActionStatus::ok) {
      CHECK(cluster.is_free());
      ++freed;
    }
    cluster.faults = 0;
    CHECK(run(cluster, "uncordon").result == model::ActionStatus::ok);
    CHECK(cluster.is_free());
  }
  CHECK(drained > 50);
  CHECK(freed > 150);
  MESSAGE(drained << " drained in their time, " << freed << " nodes freed through the faults");
}
