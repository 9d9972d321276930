// kubernetes: nodes, pods and workloads, in answers as servers of 1.20 give them, and of newer ones what 1.20 has not:
// policy/v1, Retry-After.
#include <doctest/doctest.h>

#include "encoding/json_value.h"
#include "fakes/action_trial.h"
#include "fakes/temporary_folder.h"

namespace {

using namespace std::chrono_literals;

using encoding::member;
using encoding::text_of;
using fakes::answered;

struct Cluster {
  explicit Cluster(const std::string& keys) {
    action = t.parse("kubernetes", "{api_server: 'https://k.test:6443', " + keys + "}");
    t.run(*action);
  }
  // "METHOD PATH" of the request that waits, after the wait that is before it.
  std::string next(base::Duration after = 0s) {
    t.loop.advance(after);
    REQUIRE(t.http.desk.waiting() == 1);
    const http::HttpRequest& last = t.http.desk.last();
    return last.method + " " + last.url.substr(std::string("https://k.test:6443").size());
  }
  void answer(const std::string& request, int status, const std::string& body, base::Duration after = 0s,
              http::Headers headers = {}) {
    CHECK(next(after) == request);
    t.http.desk.answer(answered(status, body, std::move(headers)));
  }
  std::string body() const { return t.http.desk.last().body; }
  void node(const std::string& spec, const std::string& annotations = "{}", base::Duration after = 0s) {
    answer(
        "GET /api/v1/nodes/n1", 200,
        R"({"metadata":{"name":"n1","resourceVersion":"7","annotations":)" + annotations + R"(},"spec":)" + spec + "}",
        after);
  }
  void pods(const std::string& items, base::Duration after = 0s) {
    answer("GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1", 200, R"({"items":[)" + items + "]}", after);
  }
  void resources(const char* version = "v1beta1") {
    answer("GET /api/v1", 200,
           R"({"resources":[{"name":"pods"},{"name":"pods/eviction","group":"policy","version":")" +
               std::string(version) + R"("}]})");
  }

  bool writes_event() const { return t.http.desk.waiting() == 1 && t.http.desk.last().url.ends_with("/events"); }
  bool is_over() const { return !t.results.empty() || writes_event(); }
  // How it ends, once the event of a change is written.
  std::string end() {
    t.loop.run_due();
    if (writes_event()) {
      event_path = next();
      event = encoding::read_json(body());
      t.http.desk.answer(answered(201, "{}"));
    }
    return t.end();
  }

  fakes::ActionTrial t;
  std::unique_ptr<const recover::Action> action;
  std::string event_path;
  encoding::json event;
};

std::string pod(const std::string& name, const std::string& kind = "ReplicaSet", const std::string& more = "") {
  const std::string owners = kind.empty() ? "" : R"({"kind":")" + kind + R"(","controller":true})";
  return R"({"metadata":{"namespace":"shop","name":")" + name + R"(","uid":"uid-)" + name + R"(","ownerReferences":[)" +
         owners + "]" + more + R"(},"status":{"phase":"Running"}})";
}

const char* const kBudget =
    R"({"kind":"Status","message":"Cannot evict pod as it would violate the pod's disruption budget.",)"
    R"("reason":"TooManyRequests","code":429,"details":{"causes":[{"reason":"DisruptionBudget",)"
    R"("message":"The disruption budget order needs 2 healthy pods and has 2 currently"}]}})";
const char* const kConflict =
    R"({"kind":"Status","message":"the object has been modified","reason":"Conflict","code":409})";

}  // namespace

TEST_CASE("a node is cordoned, marked and by no version that others have changed") {
  Cluster cluster("cordon: n1");
  CHECK(cluster.action->text() == "kubernetes cordon n1");
  CHECK(cluster.action->target() == "kubernetes node n1");
  CHECK_FALSE(cluster.action->disrupts());
  cluster.node("{}");
  CHECK(cluster.next() == "PATCH /api/v1/nodes/n1");
  CHECK(cluster.t.http.desk.last().headers == http::Headers{{"Content-Type", "application/merge-patch+json"}});
  CHECK(cluster.body() == R"({"metadata":{"annotations":{"fettle/cordoned-by":"order"},"resourceVersion":"7"},)"
                          R"("spec":{"unschedulable":true}})");
  cluster.answer("PATCH /api/v1/nodes/n1", 409, kConflict);
  cluster.node("{}", "{}", 200ms);
  cluster.answer("PATCH /api/v1/nodes/n1", 500, "");
  cluster.node("{}", "{}", 400ms);
  cluster.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  CHECK(cluster.end() == "ok: kubernetes cordon n1: cordoned");
}

TEST_CASE("a change is an event of what was changed, whether or not the server takes it") {
  Cluster cordon("cordon: n1");
  cordon.node("{}");
  cordon.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  CHECK(cordon.end() == "ok: kubernetes cordon n1: cordoned");
  CHECK(cordon.event_path == "POST /api/v1/namespaces/default/events");
  CHECK(member(cordon.event, "involvedObject") ==
        encoding::json{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "n1"}, {"uid", "n1"}});
  CHECK(text_of(member(cordon.event, "type")) == "Normal");
  CHECK(text_of(member(cordon.event, "reason")) == "RecoveryAction");
  CHECK(text_of(member(cordon.event, "message")) ==
        "kubernetes cordon n1: cordoned (service order, recovery 0123abcd)");
  for (const int status : {403, 500, 0}) {
    Cluster refused("cordon: n1");
    refused.node("{}");
    refused.answer("PATCH /api/v1/nodes/n1", 200, "{}");
    CHECK(refused.next() == "POST /api/v1/namespaces/default/events");
    CHECK(refused.t.http.desk.last().deadline == refused.t.loop.now() + 2s);
    refused.t.http.desk.answer(status == 0 ? fakes::broken(model::Reason::read_timeout, "no answer")
                                           : answered(status, "{}"));
    CHECK(refused.t.end() == "ok: kubernetes cordon n1: cordoned");
  }
  // What was not changed is no event.
  Cluster others("cordon: n1");
  others.node(R"({"unschedulable":true})");
  CHECK(others.end() == "ok: kubernetes cordon n1: others had cordoned it");
  CHECK(others.event_path.empty());
}

TEST_CASE("what a kubeconfig file keeps secret is in no result") {
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("config", R"(current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: 'https://k.test'}}]
users: [{name: a, user: {token: t0ken-of-the-file}}]
)");
  fakes::ActionTrial t;
  const auto action = t.parse("kubernetes", "{kubeconfig_file: " + file + ", evict: shop/order-0}");
  t.run(*action);
  CHECK(t.http.desk.last().headers == http::Headers{{"Authorization", "Bearer t0ken-of-the-file"}});
  t.http.desk.answer(answered(403, R"({"message":"not with t0ken-of-the-file"})"));
  CHECK(t.end() ==
        "refused: kubernetes evict shop/order-0: GET /api/v1/namespaces/shop/pods/order-0: HTTP status 403: "
        "not with <secret>; a role must allow it to the agent");
}

TEST_CASE("a cordon that others made is theirs") {
  Cluster cordon("cordon: n1");
  cordon.node(R"({"unschedulable":true})");
  CHECK(cordon.end() == "ok: kubernetes cordon n1: others had cordoned it");
  struct Row {
    const char *spec, *annotations, *end;
  };
  for (const Row& row : {
           Row{"{}", "{}", "ok: kubernetes uncordon n1: it is not cordoned"},
           Row{R"({"unschedulable":true})", "{}",
               "refused: kubernetes uncordon n1: others have cordoned it, and it stays so; see: kubectl describe node"},
           Row{R"({"unschedulable":true})", R"({"fettle/cordoned-by":"edge"})",
               "refused: kubernetes uncordon n1: the plan of edge has cordoned it, and it stays so"},
       }) {
    Cluster uncordon("uncordon: n1");
    CHECK(uncordon.action->moves_traffic());
    uncordon.node(row.spec, row.annotations);
    CHECK(uncordon.end() == row.end);
  }
  Cluster ours("uncordon: n1");
  ours.node(R"({"unschedulable":true})", R"({"fettle/cordoned-by":"order"})");
  CHECK(ours.next() == "PATCH /api/v1/nodes/n1");
  CHECK(ours.body() == R"({"metadata":{"annotations":{"fettle/cordoned-by":null},"resourceVersion":"7"},)"
                       R"("spec":{"unschedulable":null}})");
  ours.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  CHECK(ours.end() == "ok: kubernetes uncordon n1: uncordoned");
}

TEST_CASE("a drain evicts all but what is of the node, and waits until it is gone") {
  Cluster cluster("drain: n1");
  const std::string stay = pod("agent", "DaemonSet") + "," +
                           pod("static", "Node", R"(,"annotations":{"kubernetes.io/config.mirror":"x"})") +
                           R"(,{"metadata":{"namespace":"shop","name":"job"},"status":{"phase":"Succeeded"}})";
  cluster.pods(pod("a") + "," + pod("b") + "," + stay);
  const char* version = "v1beta1";
  SUBCASE("a server of 1.20") {}
  SUBCASE("a newer one") { version = "v1"; }
  cluster.resources(version);
  cluster.node("{}");
  cluster.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  cluster.pods(pod("a") + "," + pod("b") + "," + stay);
  CHECK(cluster.next() == "POST /api/v1/namespaces/shop/pods/a/eviction");
  CHECK(cluster.body() == R"({"apiVersion":"policy/)" + std::string(version) +
                              R"(","deleteOptions":{"preconditions":{"uid":"uid-a"}},"kind":"Eviction",)"
                              R"("metadata":{"name":"a","namespace":"shop"}})");
  cluster.answer("POST /api/v1/namespaces/shop/pods/a/eviction", 201, R"({"status":"Success"})");
  cluster.answer("POST /api/v1/namespaces/shop/pods/b/eviction", 404, "{}");
  cluster.pods(pod("a", "ReplicaSet", R"(,"deletionTimestamp":"2026-11-29T00:00:00Z")") + "," + stay, 1s);
  cluster.pods(stay, 1s);
  CHECK(cluster.end() == "ok: kubernetes drain n1: drained, 2 pods went; cordoned");
}

TEST_CASE("a disruption budget is waited for, as long as the server says, and never gone around") {
  Cluster cluster("drain: n1");
  cluster.pods(pod("a"));
  cluster.resources();
  cluster.node("{}");
  cluster.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  cluster.pods(pod("a"));
  const char* evict = "POST /api/v1/namespaces/shop/pods/a/eviction";
  SUBCASE("Retry-After") {
    cluster.answer(evict, 429, kBudget, 0s, {{"Retry-After", "2"}});
    cluster.pods(pod("a"), 1s);
    cluster.pods(pod("a"), 1s);
    cluster.answer(evict, 201, "{}");
    cluster.pods("", 1s);
    CHECK(cluster.end() == "ok: kubernetes drain n1: drained, 1 pods went; cordoned");
  }
  SUBCASE("until the deadline") {
    cluster.answer(evict, 429, kBudget);
    int asked = 1;
    for (int i = 0; i < 10 && !cluster.is_over(); ++i) {
      cluster.pods(pod("a"), 1s);
      if (cluster.is_over() || cluster.t.http.desk.waiting() == 0) continue;
      if (cluster.next() != evict) continue;
      cluster.answer(evict, 429, kBudget);
      ++asked;
    }
    CHECK(asked == 2);
    CHECK(cluster.end() ==
          "timeout: kubernetes drain n1: the node stays cordoned; 0 pods went, 1 is left: shop/a (The disruption "
          "budget order needs 2 healthy pods and has 2 currently)");
  }
}

TEST_CASE("a pod that nothing would start again keeps a drain from beginning") {
  Cluster cluster("drain: n1");
  cluster.pods(pod("a") + "," + pod("loose", ""));
  CHECK(cluster.end() ==
        "refused: kubernetes drain n1: no controller would start shop/loose again; nothing was changed");
}

TEST_CASE("a missing right ends a drain, and what is left is said") {
  Cluster cluster("drain: n1");
  cluster.pods(pod("a"));
  cluster.resources();
  cluster.node("{}");
  cluster.answer("PATCH /api/v1/nodes/n1", 200, "{}");
  cluster.pods(pod("a"));
  cluster.answer("POST /api/v1/namespaces/shop/pods/a/eviction", 403, R"({"message":"pods \"a\" is forbidden"})");
  CHECK(cluster.end() ==
        "refused: kubernetes drain n1: the node stays cordoned; 0 pods went, 1 is left: shop/a; POST "
        "/api/v1/namespaces/shop/pods/a/eviction: HTTP status 403: pods \"a\" is forbidden; a role must allow it to "
        "the agent");
}

TEST_CASE("a pod is evicted, and another one of its name is none of ours") {
  const char* path = "GET /api/v1/namespaces/shop/pods/order-0";
  const char* evict = "POST /api/v1/namespaces/shop/pods/order-0/eviction";
  Cluster cluster("evict: shop/order-0");
  CHECK(cluster.action->target() == "kubernetes pod shop/order-0");
  cluster.answer(path, 200, pod("order-0", "StatefulSet"));
  cluster.resources("v1");
  SUBCASE("granted") {
    cluster.answer(evict, 201, "{}");
    cluster.answer(path, 200, pod("order-0", "StatefulSet", R"(,"deletionTimestamp":"2026-11-29T00:00:00Z")"), 1s);
    cluster.answer(path, 200,
                   R"({"metadata":{"namespace":"shop","name":"order-0","uid":"other","ownerReferences":[]}})", 1s);
    CHECK(cluster.end() == "ok: kubernetes evict shop/order-0: gone, and there is a new one");
  }
  SUBCASE("refused for a while") {
    cluster.answer(evict, 429, kBudget, 0s, {{"Retry-After", "3"}});
    cluster.answer(path, 200, pod("order-0", "StatefulSet"), 3s);
    cluster.answer(evict, 201, "{}");
    cluster.answer(path, 404, "{}", 1s);
    CHECK(cluster.end() == "ok: kubernetes evict shop/order-0: gone");
  }
  SUBCASE("refused for longer than there is time") {
    cluster.answer(evict, 429, kBudget, 0s, {{"Retry-After", "20"}});
    CHECK(cluster.end() ==
          "timeout: kubernetes evict shop/order-0: it may not go: The disruption budget order needs 2 healthy pods and "
          "has 2 currently");
  }
}

TEST_CASE("delete_pod asks no budget, and needs a controller all the same") {
  const char* path = "/api/v1/namespaces/shop/pods/order-0";
  Cluster cluster("delete_pod: shop/order-0");
  cluster.answer(std::string("GET ") + path, 200, pod("order-0"));
  CHECK(cluster.next() == std::string("DELETE ") + path);
  CHECK(cluster.body() == R"({"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"uid-order-0"}})");
  cluster.answer(std::string("DELETE ") + path, 200, "{}");
  cluster.answer(std::string("GET ") + path, 404, "{}", 1s);
  CHECK(cluster.end() == "ok: kubernetes delete_pod shop/order-0: gone");

  Cluster loose("delete_pod: shop/order-0");
  loose.answer(std::string("GET ") + path, 200, pod("order-0", ""));
  CHECK(loose.end() == "refused: kubernetes delete_pod shop/order-0: no controller would start it again");

  Cluster gone("delete_pod: shop/order-0");
  gone.answer(std::string("GET ") + path, 404, "{}");
  CHECK(gone.end() == "ok: kubernetes delete_pod shop/order-0: it was gone already");
}

namespace {

std::string workload(const std::string& spec, const std::string& status, int generation = 2) {
  return R"({"metadata":{"resourceVersion":"7","generation":)" + std::to_string(generation) + R"(},"spec":)" + spec +
         R"(,"status":)" + status + "}";
}

}  // namespace

TEST_CASE("a rollout is followed until all pods are new and available") {
  const char* path = "/apis/apps/v1/namespaces/shop/deployments/order";
  const std::string get = std::string("GET ") + path, patch = std::string("PATCH ") + path;
  Cluster cluster("rollout_restart: shop/deployment/order");
  cluster.answer(get, 200, workload(R"({"replicas":2})", "{}", 1));
  CHECK(cluster.next() == patch);
  const encoding::json sent = encoding::read_json(cluster.body());
  CHECK(text_of(member(member(sent, "metadata"), "resourceVersion")) == "7");
  CHECK(cluster.body().find(R"("kubectl.kubernetes.io/restartedAt":"20)") != std::string::npos);
  cluster.answer(patch, 200, "{}");
  const std::string old = R"({"observedGeneration":1,"replicas":2,"updatedReplicas":2,"availableReplicas":2})";
  cluster.answer(get, 200, workload(R"({"replicas":2})", old));
  SUBCASE("to its end") {
    cluster.answer(get, 200,
                   workload(R"({"replicas":2})",
                            R"({"observedGeneration":2,"replicas":3,"updatedReplicas":2,"availableReplicas":2})"),
                   1s);
    cluster.answer(get, 503, "", 1s);
    cluster.answer(get, 200,
                   workload(R"({"replicas":2})",
                            R"({"observedGeneration":2,"replicas":2,"updatedReplicas":2,"availableReplicas":2})"),
                   1s);
    CHECK(cluster.end() ==
          "ok: kubernetes rollout_restart shop/deployment/order: done, 2 of 2 pods are new and available");
  }
  SUBCASE("that its controller gives up") {
    cluster.answer(get, 200,
                   workload(R"({"replicas":2})",
                            R"({"observedGeneration":2,"replicas":3,"updatedReplicas":1,"availableReplicas":2,)"
                            R"("conditions":[{"type":"Progressing","reason":"ProgressDeadlineExceeded",)"
                            R"("message":"ReplicaSet has timed out progressing."}]})"),
                   1s);
    CHECK(cluster.end() ==
          "failed: kubernetes rollout_restart shop/deployment/order: 1 of 2 pods are new and available; ReplicaSet has "
          "timed out progressing.");
  }
  SUBCASE("that nobody sees") {
    for (int i = 0; i < 10 && !cluster.is_over(); ++i) cluster.answer(get, 200, workload(R"({"replicas":2})", old), 1s);
    CHECK(cluster.end() ==
          "timeout: kubernetes rollout_restart shop/deployment/order: 2 of 2 pods are new and available; its "
          "controller has not seen the change");
  }
}

TEST_CASE("a paused rollout is not restarted") {
  Cluster cluster("rollout_restart: shop/deployment/order");
  cluster.answer("GET /apis/apps/v1/namespaces/shop/deployments/order", 200, workload(R"({"paused":true})", "{}"));
  CHECK(cluster.end() ==
        "refused: kubernetes rollout_restart shop/deployment/order: its rollout is paused; see: kubectl rollout "
        "resume");
}

TEST_CASE("scale asks for a number of pods") {
  const char* path = "/apis/apps/v1/namespaces/shop/statefulsets/db";
  Cluster cluster("scale: shop/statefulset/db, replicas: 3");
  CHECK(cluster.action->text() == "kubernetes scale shop/statefulset/db to 3");
  CHECK(cluster.body() == R"({"spec":{"replicas":3}})");
  cluster.answer("PATCH " + std::string(path) + "/scale", 200, "{}");
  const std::string there = R"({"observedGeneration":2,"replicas":3,"updatedReplicas":3,"readyReplicas":3})";
  SUBCASE("done") {
    cluster.answer("GET " + std::string(path), 200, workload(R"({"replicas":3})", there));
    CHECK(cluster.end() == "ok: kubernetes scale shop/statefulset/db to 3: done, 3 of 3 pods are available");
  }
  SUBCASE("others") {
    cluster.answer("GET " + std::string(path), 200, workload(R"({"replicas":1})", there));
    CHECK(cluster.end() == "failed: kubernetes scale shop/statefulset/db to 3: others have scaled it to 1");
  }
}

TEST_CASE("a token that is just being replaced is read again, one that is refused is said") {
  Cluster cluster("cordon: n1");
  const char* unauthorized = R"({"kind":"Status","message":"Unauthorized","code":401})";
  for (int i = 0; i < 4; ++i) cluster.answer("GET /api/v1/nodes/n1", 401, unauthorized, i == 0 ? 0s : 1s);
  CHECK(cluster.end() ==
        "refused: kubernetes cordon n1: GET /api/v1/nodes/n1: HTTP status 401: Unauthorized; the token is not valid, "
        "or not any more");
}

TEST_CASE("a server that does not answer is asked until the deadline") {
  Cluster cluster("cordon: n1");
  for (int i = 0; i < 20 && !cluster.is_over(); ++i) {
    CHECK(cluster.next(i == 0 ? 0s : 1s) == "GET /api/v1/nodes/n1");
    cluster.t.http.desk.answer(fakes::broken(model::Reason::refused, "connection refused"));
  }
  CHECK(cluster.end() == "failed: kubernetes cordon n1: GET /api/v1/nodes/n1: connection refused");
}

TEST_CASE("mistakes in a kubernetes action are named") {
  fakes::ActionTrial t;
  const auto mistake = [&](const std::string& keys) { return t.mistakes("kubernetes", "{" + keys + "}"); };
  const auto says = [&](const std::string& keys, const std::string& text) {
    CAPTURE(mistake(keys));
    CHECK(mistake(keys).find(text) != std::string::npos);
  };
  says("cordon: a, drain: a", "must have one of cordon, uncordon, drain, evict, delete_pod, rollout_restart and scale");
  says("cordon: ../a", "do.cordon: '../a' is no name of a node; $(NODE_NAME) is the own one");
  says("evict: order-0", "do.evict: 'order-0' is no pod, such as shop/order-0");
  says("rollout_restart: shop/job/x", "do.rollout_restart: 'shop/job/x' is no workload, such as shop/deployment/order");
  says("scale: shop/deployment/x", "do.scale: needs replicas, 0 or more");
  says("scale: shop/daemonset/x, replicas: 1", "do.scale: a daemonset has a pod on each node");
  says("cordon: a, replicas: 1", "do.replicas: stands beside scale only");
}

TEST_CASE("between the changes of a drain people are asked: what they do not want any more is not done") {
  std::optional<std::string> why;
  Cluster cluster("cordon: n2");  // gets no answer
  cluster.t.trigger.stopped = [&why] { return why; };
  cluster.action = cluster.t.parse("kubernetes", "{api_server: 'https://k.test:6443', drain: n1}");
  cluster.t.run(*cluster.action);
  cluster.pods(pod("a") + "," + pod("b"));
  cluster.resources();
  SUBCASE("before the first") {
    why = "maintenance: on: alice";
    cluster.node("{}");
    CHECK(cluster.t.end() == "refused: kubernetes drain n1: maintenance: on: alice; nothing was changed");
  }
  SUBCASE("while a budget is waited for") {
    cluster.node("{}");
    cluster.answer("PATCH /api/v1/nodes/n1", 200, "{}");
    cluster.pods(pod("a") + "," + pod("b"));
    cluster.answer("POST /api/v1/namespaces/shop/pods/a/eviction", 429, kBudget, 0s, {{"Retry-After", "1"}});
    cluster.answer("POST /api/v1/namespaces/shop/pods/b/eviction", 201, "{}");
    why = "aborted by operator: alice";
    cluster.pods(pod("a"), 1s);
    CHECK(cluster.end() ==
          "failed: kubernetes drain n1: aborted by operator: alice; nothing more was changed; the node stays cordoned; "
          "1 pods went, 1 is left: shop/a (The disruption budget order needs 2 healthy pods and has 2 currently)");
  }
}

TEST_CASE("a pod that waits for its budget is not evicted once people have stopped the run") {
  std::optional<std::string> why;
  Cluster cluster("cordon: n2");
  cluster.t.trigger.stopped = [&why] { return why; };
  cluster.action = cluster.t.parse("kubernetes", "{api_server: 'https://k.test:6443', evict: shop/a}");
  cluster.t.run(*cluster.action);
  cluster.answer("GET /api/v1/namespaces/shop/pods/a", 200, pod("a"));
  cluster.resources();
  cluster.answer("POST /api/v1/namespaces/shop/pods/a/eviction", 429, kBudget, 0s, {{"Retry-After", "1"}});
  why = "paused: on";
  cluster.answer("GET /api/v1/namespaces/shop/pods/a", 200, pod("a"), 1s);
  CHECK(cluster.t.end() == "refused: kubernetes evict shop/a: paused: on; nothing was changed");
}

TEST_CASE("a rollout of others is left to its end, or to its controller's giving up") {
  const std::string path = "/apis/apps/v1/namespaces/shop/deployments/order", get = "GET " + path;
  const std::string busy = R"({"observedGeneration":1,"replicas":3,"updatedReplicas":1,"availableReplicas":2)";
  Cluster cluster("rollout_restart: shop/deployment/order");
  cluster.answer(get, 200, workload(R"({"replicas":2})", busy + "}", 1));
  SUBCASE("to its end") {
    cluster.answer(get, 200,
                   workload(R"({"replicas":2})",
                            R"({"observedGeneration":1,"replicas":2,"updatedReplicas":2,"availableReplicas":2})", 1),
                   1s);
    CHECK(cluster.next() == "PATCH " + path);
  }
  SUBCASE("that has failed") {
    cluster.answer(get, 200,
                   workload(R"({"replicas":2})",
                            busy + R"(,"conditions":[{"reason":"ProgressDeadlineExceeded","message":"x"}]})", 1),
                   1s);
    CHECK(cluster.next() == "PATCH " + path);
  }
  SUBCASE("that takes longer") {
    for (int i = 0; i < 10 && cluster.t.results.empty(); ++i)
      cluster.answer(get, 200, workload(R"({"replicas":2})", busy + "}", 1), 1s);
    CHECK(cluster.t.end() ==
          "refused: kubernetes rollout_restart shop/deployment/order: a rollout of others is under way, and is left to "
          "them");
  }
}
