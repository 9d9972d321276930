// kubernetes_sd_configs without a type: the probes that containers have for the kubelet, as ours.
#include <doctest/doctest.h>

#include <string>

#include "source_site.h"

namespace {

using namespace std::chrono_literals;

std::string pod(const std::string& container, const std::string& status = "") {
  return R"({"metadata":{"name":"a","namespace":"shop"},"spec":{"nodeName":"n1","containers":[{"name":"app",)"
         R"("ports":[{"name":"web","containerPort":8081},{"name":"grpc","containerPort":9090}],)" +
         container + R"(}]},"status":{"phase":"Running","podIP":"10.1.0.2","containerStatuses":[)" +
         (status.empty() ? "" : R"({"name":"app",)" + status + "}") + "]}}";
}

struct Pods : SourceSite {
  Pods() : SourceSite(discover::kubernetes_sd_source, "role: pod, api_server: 'https://k.test:6443', probe: {}") {}
  void answer(const std::string& items) {
    http.desk.answer(answered(200, R"({"metadata":{"resourceVersion":"9"},"items":[)" + items + "]}"));
  }
};

// "TYPE ADDRESS KEY=VALUE …", or why there is none.
std::string text_of(const discover::Target& target) {
  if (!target.probe.impossible.empty()) return target.address + ": " + target.probe.impossible;
  std::string out = target.probe.type + " " + target.address;
  for (const auto& [key, value] : target.probe.keys) out += " " + key + "=" + value;
  return out + (target.probe.any_certificate ? " any certificate" : "");
}

std::string probe_of(const std::string& container) {
  Pods pods;
  pods.answer(pod(container));
  return pods.list().targets.empty() ? "none" : text_of(pods.list().targets[0]);
}

const std::string kDefaults =
    " interval=10s fast_interval=10s timeout=1s failure_threshold=3 success_threshold=1 fatal_reasons=[]";

}  // namespace

TEST_CASE("what the kubelet would ask is asked") {
  struct Row {
    std::string container, want;
  };
  const std::string status = " valid_status_codes=[2xx, 3xx]";
  for (const Row& row : std::initializer_list<Row>{
           {R"("readinessProbe":{"httpGet":{"port":8081}})",
            "http 10.1.0.2:8081" + kDefaults + " url=http://10.1.0.2:8081/" + status},
           {R"("readinessProbe":{"httpGet":{"path":"ready?full=1","port":"web","scheme":"HTTPS"}})",
            "http 10.1.0.2:8081" + kDefaults + " url=https://10.1.0.2:8081/ready?full=1" + status + " any certificate"},
           {R"("readinessProbe":{"httpGet":{"path":"/","port":"8082","host":"10.9.9.9","scheme":"HTTP"}})",
            "http 10.9.9.9:8082" + kDefaults + " url=http://10.9.9.9:8082/" + status},
           {R"("readinessProbe":{"tcpSocket":{"port":"grpc"}})", "tcp 10.1.0.2:9090" + kDefaults},
           {R"("readinessProbe":{"tcpSocket":{"port":9,"host":"fd00::1"}})", "tcp [fd00::1]:9" + kDefaults},
           {R"("readinessProbe":{"grpc":{"port":9090}})", "grpc 10.1.0.2:9090" + kDefaults},
           {R"("readinessProbe":{"grpc":{"port":9090,"service":"shop.Order"}})",
            "grpc 10.1.0.2:9090" + kDefaults + " service=shop.Order"},
           {R"("readinessProbe":{"tcpSocket":{"port":1},"periodSeconds":5,"timeoutSeconds":9,"failureThreshold":4,)"
            R"("successThreshold":2})",
            "tcp 10.1.0.2:1 interval=5s fast_interval=5s timeout=5s failure_threshold=4 success_threshold=2 "
            "fatal_reasons=[]"},
           {R"("readinessProbe":{"tcpSocket":{"port":1},"periodSeconds":-5,"timeoutSeconds":"x","failureThreshold":0})",
            "tcp 10.1.0.2:1" + kDefaults},
           // Readiness goes before liveness, unless only the other can be asked.
           {R"("livenessProbe":{"tcpSocket":{"port":2}},"readinessProbe":{"tcpSocket":{"port":1}})",
            "tcp 10.1.0.2:1" + kDefaults},
           {R"("livenessProbe":{"tcpSocket":{"port":2}})", "tcp 10.1.0.2:2" + kDefaults},
           {R"("livenessProbe":{"tcpSocket":{"port":2}},"readinessProbe":{"exec":{"command":["true"]}})",
            "tcp 10.1.0.2:2" + kDefaults},
           {R"("startupProbe":{"tcpSocket":{"port":2}})", "none"},
           {R"("image":"shop:1")", "none"},
           {R"("readinessProbe":{"exec":{"command":["true"]}},"livenessProbe":{"exec":{}})",
            "10.1.0.2: the readinessProbe of container app is exec: it runs a program inside the container, which the "
            "kubelet alone can; select other pods, or give the container an httpGet, tcpSocket or grpc"},
           {R"("readinessProbe":{"tcpSocket":{"port":"none"}})",
            "10.1.0.2: the readinessProbe of container app has the port 'none', which is no port of the container"},
           {R"("readinessProbe":{"tcpSocket":{"port":70000}})",
            "10.1.0.2: the readinessProbe of container app has the port '70000', which is no port of the container"},
           {R"("readinessProbe":{"tcpSocket":{}})",
            "10.1.0.2: the readinessProbe of container app has the port 'null', which is no port of the container"},
           {R"("readinessProbe":{"unheardOf":{}})",
            "10.1.0.2: the readinessProbe of container app is none of httpGet, tcpSocket and grpc"},
       }) {
    CAPTURE(row.container);
    CHECK(probe_of(row.container) == row.want);
  }
}

TEST_CASE("headers are a label, and the labels of a declared port are there") {
  Pods pods;
  pods.answer(pod(R"("readinessProbe":{"httpGet":{"port":"web","httpHeaders":[{"name":"Host","value":"shop.test"},)"
                  R"({"name":"X-A","value":"1"},{"name":"X-A","value":"2"}]}})"));
  const model::Labels& labels = pods.list().targets.at(0).labels;
  CHECK(labels.get("__probe_headers") == R"({"Host": "shop.test", "X-A": "1, 2"})");
  CHECK(labels.get("__meta_kubernetes_pod_container_port_name") == "web");
  CHECK(labels.get("__meta_kubernetes_pod_container_name") == "app");
}

TEST_CASE("the kubelet waits at a container's first start, and so is it here") {
  const std::string ready = R"("readinessProbe":{"tcpSocket":{"port":1},"initialDelaySeconds":20})";
  const std::string startup = R"("startupProbe":{"tcpSocket":{"port":1}},)" + ready;
  Pods pods;
  const auto count = [&](const std::string& container, const std::string& status) {
    pods.sd->refresh();
    pods.loop.run_due();
    pods.answer(pod(container, status));
    return pods.list().targets.size();
  };
  const auto running = [&](base::Duration ago) {
    const base::WallTime at = pods.loop.wall_now() - std::chrono::duration_cast<base::Millis>(ago);
    return R"("restartCount":0,"state":{"running":{"startedAt":")" + base::format_iso8601(at).substr(0, 19) + "Z\"}}";
  };
  CHECK(count(ready, R"("restartCount":0,"state":{"waiting":{"reason":"ContainerCreating"}})") == 0);
  CHECK(count(ready, running(30s)) == 1);
  CHECK(count(startup, running(30s)) == 0);
  CHECK(count(startup, running(30s) + R"(,"started":false)") == 0);
  CHECK(count(startup, running(30s) + R"(,"started":true)") == 1);
  // One that has crashed is seen, whatever it waits for.
  CHECK(count(startup, R"("restartCount":1,"state":{"waiting":{"reason":"CrashLoopBackOff"}})") == 1);
  CHECK(count(ready, R"("restartCount":0,"state":{"running":{"startedAt":"now"}})") == 1);
  CHECK(count(ready, running(5s)) == 0);
  const int before = pods.changes;
  pods.loop.advance(13s);
  CHECK(pods.list().targets.empty());
  pods.loop.advance(3s);
  CHECK(pods.list().targets.size() == 1);
  CHECK(pods.changes == before + 1);
}
