// docker_sd_configs: what the engine's answers become, in Prometheus' words, and what counts while it does not answer.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/percent.h"
#include "source_site.h"

namespace {

using namespace std::chrono_literals;

struct Engine : SourceSite {
  explicit Engine(const std::string& more = "")
      : SourceSite(discover::docker_sd_source, "host: 'unix:///run/proxy.sock', refresh_interval: 30s" + more) {}
  // The two answers of one look.
  void answer(const std::string& networks, const std::string& containers) {
    REQUIRE(http.desk.last().url == "http://docker/networks");
    http.desk.answer(answered(200, networks));
    REQUIRE(http.desk.last().url.starts_with("http://docker/containers/json"));
    http.desk.answer(answered(200, containers));
  }
};

// Shapes of engine 20.10, shortened.
constexpr const char* kNetworks = R"([
  {"Name":"shop","Id":"n1","Scope":"local","Internal":false,"Ingress":false,"Labels":{"team.name":"shop"}},
  {"Name":"edge","Id":"n2","Scope":"swarm","Internal":true,"Ingress":true,"Labels":null},
  {"Name":"host","Id":"n3","Scope":"local","Internal":false,"Ingress":false,"Labels":{}}])";
constexpr const char* kOrder = R"([{"Id":"c1","Names":["/order-1"],"Labels":{"fettle.probe":"http","zone":"eu"},
  "HostConfig":{"NetworkMode":"shop"},
  "Ports":[{"PrivatePort":8081,"PublicPort":18081,"IP":"10.0.0.7","Type":"tcp"},{"PrivatePort":53,"Type":"udp"},
           {"PrivatePort":9100,"Type":"tcp"}],
  "NetworkSettings":{"Networks":{"shop":{"NetworkID":"n1","IPAddress":"172.18.0.2"},
                                 "edge":{"NetworkID":"n2","IPAddress":"172.19.0.2"}}}}])";

}  // namespace

TEST_CASE("a container is a target for each of its TCP ports, with Prometheus' labels") {
  Engine engine;
  engine.answer(kNetworks, kOrder);
  CHECK(engine.changes == 1);
  CHECK(engine.list().name == "unix:///run/proxy.sock");
  CHECK(engine.http.desk.last().unix_socket == "/run/proxy.sock");
  // The first network by name.
  REQUIRE(engine.addresses() == "172.19.0.2:8081 172.19.0.2:9100");
  CHECK(engine.list().targets[0].labels.to_string() ==
        R"({__meta_docker_container_id="c1", __meta_docker_container_label_fettle_probe="http", )"
        R"(__meta_docker_container_label_zone="eu", __meta_docker_container_name="/order-1", )"
        R"(__meta_docker_container_network_mode="shop", __meta_docker_network_id="n2", )"
        R"(__meta_docker_network_ingress="true", __meta_docker_network_internal="true", )"
        R"(__meta_docker_network_ip="172.19.0.2", __meta_docker_network_name="edge", )"
        R"(__meta_docker_network_scope="swarm", __meta_docker_port_private="8081", )"
        R"(__meta_docker_port_public="18081", __meta_docker_port_public_ip="10.0.0.7"})");
  CHECK_FALSE(engine.list().targets[1].labels.has("__meta_docker_port_public"));
}

TEST_CASE("of several networks the first counts, or all") {
  Engine engine(", match_first_network: false");
  engine.answer(kNetworks, kOrder);
  REQUIRE(engine.addresses() == "172.19.0.2:8081 172.19.0.2:9100 172.18.0.2:8081 172.18.0.2:9100");
  CHECK(engine.list().targets[2].labels.get("__meta_docker_network_label_team_name") == "shop");
}

TEST_CASE("what has no TCP port, the network of its host, or that of another container") {
  struct Row {
    const char *settings, *container, *want;
  };
  const std::string shared = R"({"Id":"c9","Names":["/pause"],"HostConfig":{"NetworkMode":"shop"},"Ports":[],
    "NetworkSettings":{"Networks":{"shop":{"NetworkID":"n1","IPAddress":"172.18.0.9"}}}})";
  for (
      const Row& row : {
          Row{"",
              R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"shop"},"Ports":[{"PrivatePort":53,"Type":"udp"}],
                 "NetworkSettings":{"Networks":{"shop":{"NetworkID":"n1","IPAddress":"172.18.0.2"}}}})",
              "172.18.0.2:80"},
          Row{", port: 9000", R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"shop"},"Ports":[],
                 "NetworkSettings":{"Networks":{"shop":{"NetworkID":"n1","IPAddress":"fd00::2"}}}})",
              "[fd00::2]:9000"},
          Row{"", R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"host"},"Ports":[],
                 "NetworkSettings":{"Networks":{"host":{"NetworkID":"n3","IPAddress":""}}}})",
              "localhost"},
          Row{", host_networking_host: 10.0.0.7", R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"host"},
                 "NetworkSettings":{"Networks":{"host":{"NetworkID":"n3","IPAddress":""}}}})",
              "10.0.0.7"},
          Row{"", R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"container:c9"},
                 "Ports":[{"PrivatePort":7,"Type":"tcp"}],"NetworkSettings":{"Networks":{}}})",
              "172.18.0.9:7"},
          Row{"", R"({"Id":"c1","Names":["/a"],"HostConfig":{"NetworkMode":"container:c1"},
                 "NetworkSettings":{"Networks":{}}})",
              ""},
          Row{"", R"({"Id":"c1","Names":[],"HostConfig":{"NetworkMode":"shop"}})", ""},
          Row{"", R"({"Id":7,"Names":"x","Ports":3,"NetworkSettings":[]})", ""},
          Row{"", R"(["no container"])", ""},
      }) {
    CAPTURE(row.container);
    Engine engine(row.settings);
    engine.answer(kNetworks, "[" + shared + "," + row.container + "]");
    const std::string pause = row.settings == std::string(", port: 9000") ? "172.18.0.9:9000" : "172.18.0.9:80";
    CHECK(engine.addresses() == pause + (*row.want == '\0' ? "" : " ") + row.want);
  }
}

TEST_CASE("filters are the engine's own") {
  Engine engine(
      ", filters: [{name: label, values: [a=b, c]}, {name: label, values: [d]}, {name: status, values: [running]}]");
  engine.http.desk.answer(answered(200, "[]"));
  const std::string url = engine.http.desk.last().url;
  CHECK(base::percent_decode(url) ==
        R"(http://docker/containers/json?filters={"label":["a=b","c","d"],"status":["running"]})");
}

TEST_CASE("an engine that does not answer keeps what it said, and is asked again") {
  Engine engine;
  engine.answer(kNetworks, kOrder);
  const auto failed = [&](http::HttpResponse response) {
    engine.loop.advance(30s);
    REQUIRE(engine.http.desk.waiting() == 1);
    engine.http.desk.answer(std::move(response));
    return engine.list().error;
  };
  CHECK(failed(answered(500, R"({"message":"the daemon is shutting down"})")) ==
        "unix:///run/proxy.sock: GET /networks: HTTP status 500: the daemon is shutting down");
  CHECK(engine.changes == 2);
  CHECK(engine.list().targets.size() == 2);
  CHECK(failed(answered(403, "")) ==
        "unix:///run/proxy.sock: GET /networks: HTTP status 403; it must allow this path to the agent");
  CHECK(failed(answered(200, "<html>")) == "unix:///run/proxy.sock: GET /networks: the answer is no JSON list");
  http::HttpResponse refused;
  refused.reason = model::Reason::refused;
  refused.text = "connection refused";
  CHECK(failed(refused) == "unix:///run/proxy.sock: GET /networks: connection refused");
  engine.loop.advance(30s);
  engine.answer("[]", "[]");
  CHECK(engine.list().error == "");
  CHECK(engine.list().targets.empty());
  CHECK(engine.changes == 6);
  // A reload asks at once.
  engine.sd->refresh();
  engine.loop.run_due();
  engine.answer(kNetworks, kOrder);
  CHECK(engine.list().targets.size() == 2);
}

TEST_CASE("too many targets are a mistake of the answer") {
  Engine engine;
  std::string containers;
  for (int i = 0; i < 10'001; ++i)
    containers += std::string(i == 0 ? "" : ",") + R"({"Id":"c)" + std::to_string(i) +
                  R"(","Names":["/a"],"NetworkSettings":{"Networks":{"a":{"IPAddress":"10.0.0.1"}}}})";
  engine.answer("[]", "[" + containers + "]");
  CHECK(engine.list().targets.empty());
  CHECK(
      engine.list().error ==
      "unix:///run/proxy.sock: it names more than 10000 targets, or more than 4 MiB of targets with their labels; ask "
      "for fewer by filters");
}
