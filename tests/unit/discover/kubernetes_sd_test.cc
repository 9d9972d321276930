// kubernetes_sd_configs: what pods become, in Prometheus' words; the list, the watch and all the ways in which one
// ends.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "base/percent.h"
#include "source_site.h"

namespace {

using namespace std::chrono_literals;

const char* const kServer = "role: pod, api_server: 'https://k.test:6443'";

struct Cluster : SourceSite {
  explicit Cluster(const std::string& more = "")
      : SourceSite(discover::kubernetes_sd_source, std::string(kServer) + more) {}

  std::string path() const {
    const std::string url = base::percent_decode(http.desk.last().url);
    return url.substr(std::string("https://k.test:6443/api/v1/").size());
  }
  bool watches() const { return path().find("watch=1") != std::string::npos; }
  void answer(const std::string& pods, const std::string& version = "100") {
    REQUIRE(http.desk.waiting() == 1);
    REQUIRE_FALSE(watches());
    http.desk.answer(answered(
        200, R"({"kind":"PodList","metadata":{"resourceVersion":")" + version + R"("},"items":[)" + pods + "]}"));
  }
  // The watch goes on.
  void say(const std::string& type, const std::string& object) {
    REQUIRE(http.desk.waiting() == 1);
    REQUIRE(watches());
    told += R"({"type":")" + type + R"(","object":)" + object + "}\n";
    over = http.desk.last().enough(told);
    loop.advance(100ms);
  }
  // The watch ends with what it has said.
  void end(http::HttpResponse response = answered(200, "")) {
    REQUIRE(watches());
    response.body = response.status == 200 ? told : response.body;
    http.desk.answer(std::move(response));
    told.clear();
  }
  // Which request waits: "list V", "watch V".
  std::string next(base::Duration after = 1s) {
    loop.advance(after);
    REQUIRE(http.desk.waiting() == 1);
    const std::string at = path();
    const std::size_t version = at.find("resourceVersion=");
    const std::string seen = version == std::string::npos ? "" : at.substr(version + 16);
    return (watches() ? "watch " : "list ") + seen.substr(0, seen.find('&'));
  }

  std::string told;
  bool over = false;
};

std::string pod(const std::string& name, const std::string& version, const std::string& ip = "10.1.0.2",
                const std::string& phase = "Running", const std::string& more = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"shop","resourceVersion":")" + version + "\"" + more +
         R"(},"spec":{"nodeName":"n1","containers":[{"name":"app","image":"shop:1","ports":[{"containerPort":8081}]}]},)"
         R"("status":{"phase":")" +
         phase + R"(","podIP":")" + ip + R"("}})";
}

// As a server of 1.20 shows it, shortened.
const char* const kOrder = R"({"metadata":{"name":"order-7f","namespace":"shop","uid":"u1","resourceVersion":"90",
  "labels":{"app":"order","fettle.probe":"http"},
  "annotations":{"fettle/interval":"5s","note":"x","kubectl.kubernetes.io/last-applied-configuration":"{}"},
  "ownerReferences":[{"kind":"Node","name":"no","controller":false},
                     {"kind":"ReplicaSet","name":"order-7f","controller":true}]},
 "spec":{"nodeName":"n1",
  "initContainers":[{"name":"migrate","image":"migrate:1"},
                    {"name":"proxy","image":"proxy:1","ports":[{"containerPort":15000,"protocol":"TCP"}]}],
  "containers":[
   {"name":"app","image":"shop:1",
    "ports":[{"name":"web","containerPort":8081,"protocol":"TCP"},{"containerPort":53,"protocol":"UDP"}],
    "livenessProbe":{"httpGet":{"path":"/live","port":8081,"scheme":"HTTP"}},
    "readinessProbe":{"httpGet":{"path":"/ready","port":"web","scheme":"HTTPS"},"periodSeconds":5}},
   {"name":"log","image":"log:1"}]},
 "status":{"phase":"Running","podIP":"10.1.0.2","hostIP":"10.0.0.1",
  "conditions":[{"type":"Initialized","status":"True"},{"type":"Ready","status":"False"}],
  "containerStatuses":[{"name":"app","containerID":"containerd://abc"}]}})";

}  // namespace

TEST_CASE("a pod is a target for each port that its containers declare, with Prometheus' labels") {
  Cluster cluster;
  cluster.answer(kOrder);
  CHECK(cluster.changes == 1);
  CHECK(cluster.list().name == "https://k.test:6443/api/v1/pods");
  REQUIRE(cluster.addresses() == "10.1.0.2:8081 10.1.0.2:53 10.1.0.2:15000");
  CHECK(cluster.list().targets[0].labels.to_string() ==
        R"({__meta_kubernetes_namespace="shop", __meta_kubernetes_pod_annotation_fettle_interval="5s", )"
        R"(__meta_kubernetes_pod_annotation_note="x", __meta_kubernetes_pod_annotationpresent_fettle_interval="true", )"
        R"(__meta_kubernetes_pod_annotationpresent_note="true", )"
        R"(__meta_kubernetes_pod_container_id="containerd://abc", __meta_kubernetes_pod_container_image="shop:1", )"
        R"(__meta_kubernetes_pod_container_init="false", __meta_kubernetes_pod_container_name="app", )"
        R"(__meta_kubernetes_pod_container_port_name="web", __meta_kubernetes_pod_container_port_number="8081", )"
        R"(__meta_kubernetes_pod_container_port_protocol="TCP", )"
        R"(__meta_kubernetes_pod_controller_kind="ReplicaSet", __meta_kubernetes_pod_controller_name="order-7f", )"
        R"(__meta_kubernetes_pod_host_ip="10.0.0.1", __meta_kubernetes_pod_ip="10.1.0.2", )"
        R"(__meta_kubernetes_pod_label_app="order", __meta_kubernetes_pod_label_fettle_probe="http", )"
        R"(__meta_kubernetes_pod_labelpresent_app="true", __meta_kubernetes_pod_labelpresent_fettle_probe="true", )"
        R"(__meta_kubernetes_pod_name="order-7f", __meta_kubernetes_pod_node_name="n1", )"
        R"(__meta_kubernetes_pod_phase="Running", __meta_kubernetes_pod_ready="false", )"
        R"(__meta_kubernetes_pod_uid="u1", __metrics_path__="/ready", __probe_interval="5s", __scheme__="https"})");
  CHECK(cluster.list().targets[2].labels.get("__meta_kubernetes_pod_container_init") == "true");
  CHECK_FALSE(cluster.list().targets[1].labels.has("__metrics_path__"));
}

TEST_CASE("one pod takes no room from the others, and says no path with a query") {
  std::string ports;
  for (int i = 1; i <= 150; ++i)
    ports += (i > 1 ? "," : "") + std::string(R"({"containerPort":)") + std::to_string(i) + "}";
  Cluster cluster;
  cluster.answer(R"({"metadata":{"name":"a","namespace":"shop","annotations":{"a":"1","b":")" + std::string(9000, 'x') +
                 R"(","c":"3"}},"spec":{"containers":[{"name":"app","ports":[)" + ports +
                 R"(],"readinessProbe":{"httpGet":{"path":"/ready?full=1","port":1,"scheme":"HTTP"}}}]},)" +
                 R"("status":{"podIP":"10.1.0.2","phase":"Running"}},)" + pod("b", "91", "10.1.0.3"));
  REQUIRE(cluster.list().targets.size() == 101);
  const model::Labels& labels = cluster.list().targets[0].labels;
  CHECK(labels.has("__meta_kubernetes_pod_annotation_a"));
  CHECK_FALSE(labels.has("__meta_kubernetes_pod_annotation_b"));
  CHECK(labels.has("__meta_kubernetes_pod_annotation_c"));
  CHECK(labels.get("__scheme__") == "http");
  CHECK_FALSE(labels.has("__metrics_path__"));
}

TEST_CASE("which pods are asked for") {
  struct Row {
    const char *keys, *want;
  };
  REQUIRE(::setenv("NODE_NAME", "n1.shop", 1) == 0);
  for (const Row& row : {
           Row{"", "pods?resourceVersion=0&fieldSelector=spec.nodeName=n1.shop"},
           Row{", selectors: [{role: pod, label: 'app in (a,b)'}]",
               "pods?resourceVersion=0&fieldSelector=spec.nodeName=n1.shop&labelSelector=app in (a,b)"},
           Row{", selectors: [{role: pod, field: ''}]", "pods?resourceVersion=0"},
           Row{", selectors: [{role: pod, field: 'status.phase=Running,spec.nodeName=$(NODE_NAME)'}]",
               "pods?resourceVersion=0&fieldSelector=status.phase=Running,spec.nodeName=n1.shop"},
           Row{", selectors: [{role: pod, field: 'status.phase=Running'}]",
               "pods?resourceVersion=0&fieldSelector=status.phase=Running,spec.nodeName=n1.shop"},
           Row{", selectors: [{role: pod, field: 'metadata.name!=a,spec.nodeName!=n2', label: '!old'}]",
               "pods?resourceVersion=0&fieldSelector=metadata.name!=a,spec.nodeName!=n2&labelSelector=!old"},
           Row{", namespaces: {names: [shop]}",
               "namespaces/shop/pods?resourceVersion=0&fieldSelector=spec.nodeName=n1.shop"},
       })
    CHECK(Cluster(row.keys).path() == row.want);
  ::unsetenv("NODE_NAME");
}

TEST_CASE("a selector that the server would refuse is a mistake") {
  const auto mistakes = [](const std::string& selector) {
    config::Errors errors;
    const std::string keys = "{role: pod, api_server: 'https://k.test', selectors: [{role: pod, " + selector + "}]}";
    (void)discover::kubernetes_sd_source.parse(config::Node::parse(keys, "f", errors), "sd", {"edge", "/etc"}, errors);
    return errors.text();
  };
  for (const char* good : {"app", "'!app'", "app=a", "app==a", "app = a", "app!=a",
                           "app=", "'app in (a, b),x/y.z notin ()'", "n > 3", "'a.test/b in (c),d'", "''"})
    CHECK(mistakes("label: " + std::string(good)) == "");
  for (const char* bad :
       {"a=b=c", "'app in a'", "'app in (a'", "'-a'", "'a,,b'", "'a b'", "n > x", "'/a'", "'app in (a b)'", "'!'"})
    CHECK(mistakes("label: " + std::string(bad)).find("sd.selectors[0].label: has '") != std::string::npos);
  for (const char* good : {"''", "a=b", "a==b", "a!=b", "'a=b,c=d'", R"('a=b\,c')"})
    CHECK(mistakes("field: " + std::string(good)) == "");
  for (const char* bad : {"a", "'a=b,c'", "'=b'", "a!b", "'a=b,'"})
    CHECK(mistakes("field: " + std::string(bad)).find("sd.selectors[0].field: has '") != std::string::npos);
}

TEST_CASE("pods that have no address, have ended or are told to end are no targets") {
  Cluster cluster;
  cluster.answer(pod("a", "1", "") + "," + pod("b", "2", "10.1.0.3", "Succeeded") + "," +
                 pod("c", "3", "10.1.0.4", "Failed") + "," +
                 pod("d", "4", "10.1.0.5", "Running", R"(,"deletionTimestamp":"2026-11-29T00:00:00Z")") + "," +
                 pod("e", "5", "fd00::2") + R"(,{"metadata":7,"spec":[],"status":{"podIP":"10.1.0.7"}},"no pod",)" +
                 R"({"metadata":{"name":"f","namespace":"shop"},"spec":{"containers":[{"name":"a"},{"name":"b"}]},)" +
                 R"("status":{"podIP":"10.1.0.6","phase":"Pending"}})");
  CHECK(cluster.addresses() == "[fd00::2]:8081 10.1.0.6");
}

TEST_CASE("a watch tells what changes, and goes on from the last version when it ends") {
  Cluster cluster;
  cluster.answer(pod("a", "90"));
  REQUIRE(cluster.next(0s) == "watch 100");
  CHECK(cluster.path().find("allowWatchBookmarks=true") != std::string::npos);
  CHECK(cluster.path().find("timeoutSeconds=240") != std::string::npos);
  cluster.say("ADDED", pod("b", "101", "10.1.0.3"));
  CHECK(cluster.addresses() == "10.1.0.2:8081 10.1.0.3:8081");
  cluster.say("MODIFIED", pod("a", "102", "10.1.0.9"));
  cluster.say("DELETED", pod("b", "103", "10.1.0.3"));
  CHECK(cluster.addresses() == "10.1.0.9:8081");
  cluster.say("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":"150"}})");
  CHECK_FALSE(cluster.over);
  const int changes = cluster.changes;
  cluster.end();
  CHECK(cluster.next() == "watch 150");
  // Half a line is no event; the next watch brings it again.
  CHECK_FALSE(cluster.http.desk.last().enough(R"({"type":"DELETED","object":{"metadata":{"name":"a")"));
  cluster.end(fakes::broken(model::Reason::refused, "the connection was cut"));
  CHECK(cluster.next() == "watch 150");
  CHECK(cluster.changes == changes);
  CHECK(cluster.list().error == "");
  // A second time in a row without a word is a failure.
  cluster.end(fakes::broken(model::Reason::refused, "connection refused"));
  CHECK(cluster.list().error == "https://k.test:6443/api/v1/pods: GET /api/v1/pods: connection refused");
  CHECK(cluster.addresses() == "10.1.0.9:8081");
  CHECK(cluster.next() == "list 0");
  cluster.answer(pod("a", "90"), "160");
  CHECK(cluster.list().error == "");
  CHECK(cluster.next(0s) == "watch 160");
}

TEST_CASE("a version that the server does not know any more leads to a list of what is there now") {
  Cluster cluster;
  cluster.answer(pod("a", "90") + "," + pod("b", "91", "10.1.0.3"));
  REQUIRE(cluster.next(0s) == "watch 100");
  SUBCASE("inside of the watch") {
    cluster.say("ERROR", R"({"kind":"Status","status":"Failure","message":"too old resource version","code":410})");
    CHECK(cluster.over);
    cluster.end();
  }
  SUBCASE("by the status") { cluster.end(answered(410, R"({"kind":"Status","code":410})")); }
  CHECK(cluster.next() == "list ");
  cluster.answer(pod("a", "200"), "250");
  CHECK(cluster.addresses() == "10.1.0.2:8081");
  CHECK(cluster.list().error == "");
  CHECK(cluster.next(0s) == "watch 250");
}

TEST_CASE("what the server refuses is said, and tried again later and later") {
  Cluster cluster;
  const auto refused = [&](int status, const std::string& body) {
    cluster.http.desk.answer(answered(status, body));
    return cluster.list().error;
  };
  CHECK(refused(401, R"({"kind":"Status","message":"Unauthorized","code":401})") ==
        "https://k.test:6443/api/v1/pods: GET /api/v1/pods: HTTP status 401: Unauthorized; the token is not valid, or "
        "not any more");
  CHECK(cluster.next(1s) == "list 0");
  CHECK(refused(403, R"({"kind":"Status","message":"pods is forbidden"})") ==
        "https://k.test:6443/api/v1/pods: GET /api/v1/pods: HTTP status 403: pods is forbidden; a role must allow list "
        "and watch of it to the agent");
  const std::size_t asked = cluster.http.desk.asked().size();
  cluster.loop.advance(1s);
  CHECK(cluster.http.desk.asked().size() == asked);
  CHECK(cluster.next(1s) == "list 0");
  CHECK(refused(200, "<html>").find("the answer is no list") != std::string::npos);
  CHECK(cluster.next(4s) == "list 0");
  cluster.answer("");
  CHECK(cluster.list().error == "");
  // An error of the watch that is not 410.
  REQUIRE(cluster.next(0s) == "watch 100");
  cluster.say("ERROR", R"({"kind":"Status","message":"etcd is gone","code":500})");
  cluster.end();
  CHECK(cluster.list().error.find("the watch ended: etcd is gone") != std::string::npos);
  CHECK(cluster.next(1s) == "list 0");
}

TEST_CASE("everything is listed again once in a while, and at a reload") {
  Cluster cluster;
  cluster.answer(pod("a", "90"));
  REQUIRE(cluster.next(0s) == "watch 100");
  cluster.loop.advance(240s);
  cluster.end();
  REQUIRE(cluster.next() == "watch 100");
  cluster.loop.advance(240s);
  cluster.end();
  CHECK(cluster.next() == "list 100");
  cluster.answer("", "300");
  CHECK(cluster.addresses().empty());
  REQUIRE(cluster.next(0s) == "watch 300");
  cluster.sd->refresh();
  CHECK(cluster.next(0s) == "list 300");
}

TEST_CASE("a namespace is a list of its own") {
  Cluster cluster(", namespaces: {names: [shop, edge]}");
  CHECK(cluster.sd->lists().size() == 2);
  CHECK(cluster.http.desk.waiting() == 2);
}
