// The whole agent in this process, on its own loop and its own sockets: how it starts, reloads and stops, and what
// people ask of it over the admin socket. What happens is waited for in the event stream of the page, not slept for.
#include "app/agent.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fakes/http_get.h"
#include "fakes/local_server.h"
#include "fakes/temporary_folder.h"

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kEmptyAnswer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class Site {
 public:
  explicit Site(const std::string& config) {
    options.config_file = write("fettle.yml", config);
    options.listen_address = "127.0.0.1:0";
    options.storage_path = "";
    options.admin_socket = folder / "admin.sock";
  }
  std::string write(const std::string& name, const std::string& text) const { return folder.write(name, text); }

  const fakes::TemporaryFolder folder;
  app::AgentOptions options;
};

// From the start until this goes.
class Running {
 public:
  explicit Running(const Site& site) : site_(site) {
    std::promise<base::Result<app::Agent*>> started;
    thread_ = std::thread([&site, &started] {
      config::Errors errors;
      app::LoadedConfig loaded = app::load(site.options.config_file, errors);
      if (!errors.empty()) return started.set_value(base::fail(base::Kind::invalid, errors.text()));
      auto agent = app::Agent::start(site.options, std::move(loaded));
      if (!agent) return started.set_value(tl::unexpected<base::Error>(agent.error()));
      started.set_value(agent->get());
      (*agent)->run();
    });
    const auto result = started.get_future().get();
    if (result) agent_ = *result;
    else error = result.error().text;
  }
  ~Running() { stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void stop() {
    if (agent_) agent_->stop();
    if (thread_.joinable()) thread_.join();
    agent_ = nullptr;
  }

  int port() const { return agent_->port(); }
  std::string get(const std::string& path) const { return fakes::http(connect(), "GET " + path + " HTTP/1.1"); }
  std::string admin(const std::string& method, const std::string& path) const {
    return fakes::http(fakes::connect_unix(site_.options.admin_socket),
                       method + " " + path + " HTTP/1.1\r\nContent-Length: 0");
  }
  // The first answer that has `part`; asks again with each change of the page. Half a minute is more than any needs.
  std::string until(const std::string& path, std::string_view part) const {
    const base::UniqueFd events = connect();
    const timeval second{1, 0};
    ::setsockopt(events.value(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    fakes::send_all(events, "GET /api/v1/events HTTP/1.1\r\nHost: test\r\n\r\n");
    std::string answer;
    for (const auto begun = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - begun < 30s;) {
      answer = get(path);
      if (has(answer, part)) return answer;
      fakes::receive(events, "\n\n");
    }
    FAIL_CHECK(part << " never came; last: " << answer);
    return answer;
  }

  std::string error;

 private:
  base::UniqueFd connect() const { return fakes::connect_tcp(port()); }

  const Site& site_;
  app::Agent* agent_ = nullptr;  // of the thread
  std::thread thread_;
};

// A service that is up while somebody listens at `port`, with other lines of the configuration before it.
std::string watching(const std::string& service, int port, const std::string& before = "") {
  return before + "global: {interval: 100ms, timeout: 90ms, node: edge}\nservices:\n  " + service +
         ":\n    probes: [{name: port, type: tcp, host: 127.0.0.1, port: " + std::to_string(port) +
         ", failure_threshold: 1, success_threshold: 1}]\n";
}

}  // namespace

TEST_CASE("an agent starts, probes, answers and stops, and leaves no socket behind") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  Running agent(site);
  REQUIRE(agent.error == "");
  CHECK(has(agent.get("/-/healthy"), "fettle is healthy."));
  CHECK(has(agent.get("/-/ready"), "fettle is ready."));
  CHECK(has(agent.until("/api/v1/services", R"("health":"up")"), R"("name":"order")"));
  CHECK(has(agent.get("/metrics"), "\nfettle_service_up{service=\"order\"} 1\n"));
  CHECK(has(agent.get("/api/v1/query?query=probe_success"), R"("service":"order"},"value")"));
  CHECK(has(agent.get("/api/v1/series?match[]=fettle_service_up"), R"("service":"order")"));
  CHECK(has(agent.get("/"), "<html"));
  CHECK(has(agent.get("/probe?target=127.0.0.1:1&module=none"), "HTTP/1.1 403 "));
  CHECK(std::filesystem::exists(site.options.admin_socket));
  const int port = agent.port();
  agent.stop();
  CHECK_FALSE(std::filesystem::exists(site.options.admin_socket));
  CHECK_FALSE(fakes::connect_tcp(port));
}

TEST_CASE("what an agent cannot have at its start it says at once") {
  Site site("services: {}\n");
  const Running first(site);
  REQUIRE(first.error == "");
  site.options.listen_address = "127.0.0.1:" + std::to_string(first.port());
  site.options.admin_socket = site.folder / "second.sock";
  CHECK(has(Running(site).error, site.options.listen_address));
  site.options.listen_address = "127.0.0.1:0";
  site.options.admin_socket = std::string(200, 'x');
  CHECK(has(Running(site).error, "--admin.socket=xxx"));
  site.options.admin_socket = "";
  site.options.web_config_file = site.folder / "web.yml";
  CHECK(has(Running(site).error, "web.yml"));
}

TEST_CASE("without its sockets for changes and heartbeats an agent probes, and judges no service by its silence") {
  const fakes::SilentServer order;
  Site site("services: {}\n");
  site.options.admin_socket = site.folder / "none/admin.sock";
  site.write("fettle.yml", "heartbeat: {socket: " + (site.folder / "none/heartbeat.sock") + "}\n" +
                               watching("order", order.port()) +
                               "  beating: {probes: [{type: heartbeat, every: 10ms, interval: 50ms, timeout: 40ms, "
                               "failure_threshold: 1}]}\n");
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", R"("health":"up")");
  const std::string services = agent.until("/api/v1/services", "heartbeats are not received: ");
  CHECK(has(services, "none/heartbeat.sock: No such file or directory"));
  CHECK(has(services, R"("reason":"agent_overloaded")"));
  CHECK_FALSE(has(services, R"("health":"down")"));
}

TEST_CASE("a reload brings services and takes them away, with their metrics") {
  const fakes::SilentServer order, payment;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", R"("health":"up")");
  site.write("fettle.yml", watching("payment", payment.port()));
  CHECK(has(agent.admin("POST", "/-/reload"), R"({"status":"success","data":null})"));
  const std::string services = agent.until("/api/v1/services", R"("health":"up")");
  CHECK(has(services, R"("name":"payment")"));
  CHECK_FALSE(has(services, R"("name":"order")"));
  const std::string metrics = agent.get("/metrics");
  CHECK(has(metrics, "\nfettle_service_up{service=\"payment\"} 1\n"));
  CHECK_FALSE(has(metrics, "service=\"order\""));
  CHECK(has(metrics, "\nfettle_config_last_reload_successful 1\n"));
  CHECK(has(agent.get("/api/v1/status/config"), "payment"));
  // The series of what is gone have ended.
  CHECK(has(agent.get("/api/v1/query?query=probe_success{service=%22order%22}"), R"("result":[]})"));
}

TEST_CASE("who asks for a reload while the configuration is being read has one of his own") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 4; ++i)
    answers.push_back(std::async(std::launch::async, [&] { return agent.admin("POST", "/-/reload"); }));
  for (std::future<std::string>& answer : answers) CHECK(has(answer.get(), R"({"status":"success","data":null})"));
  site.write("fettle.yml", watching("payment", order.port()));
  CHECK(has(agent.admin("POST", "/-/reload"), R"({"status":"success","data":null})"));
  CHECK(has(agent.get("/api/v1/services"), R"("name":"payment")"));
}

TEST_CASE("a service that loses its probes at a reload is unknown again") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", R"("health":"up")");
  site.write("fettle.yml", "global: {interval: 100ms, timeout: 90ms, node: edge}\nservices: {order: {}}\n");
  CHECK(has(agent.admin("POST", "/-/reload"), R"({"status":"success","data":null})"));
  const std::string services = agent.get("/api/v1/services");
  CHECK(has(services, R"("name":"order")"));
  CHECK(has(services, R"("health":"unknown")"));
}

TEST_CASE("a reload with mistakes names all of them and changes nothing") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", R"("health":"up")");
  site.write("fettle.yml", "services:\n  order:\n    probes: [{name: a, type: tpc}]\n  payment: {probs: []}\n");
  const std::string refused = agent.admin("POST", "/-/reload");
  CHECK(has(refused, "HTTP/1.1 400 "));
  CHECK(has(refused, "fettle.yml:3:"));
  CHECK(has(refused, "fettle.yml:4:"));
  CHECK(has(agent.get("/api/v1/services"), R"("name":"order")"));
  CHECK(has(agent.get("/api/v1/services"), R"("health":"up")"));
  CHECK(has(agent.get("/metrics"), "\nfettle_config_last_reload_successful 0\n"));
  CHECK(has(agent.until("/", "fettle.yml:3:"), "fettle.yml:4:"));

  site.write("fettle.yml", watching("order", order.port()));
  CHECK(has(agent.admin("PUT", "/-/reload"), R"({"status":"success","data":null})"));
  CHECK(has(agent.get("/metrics"), "\nfettle_config_last_reload_successful 1\n"));
}

TEST_CASE("a reload that changes what all alerts carry makes rules and notifications anew") {
  const fakes::LocalServer hook{std::string(kEmptyAnswer)};
  const int dead = fakes::SilentServer().port();  // of a server that is gone
  const std::string rest =
      "rule_files: [rules.yml]\n"
      "receivers: [{name: ops, webhook_configs: [{url: \"http://127.0.0.1:" +
      std::to_string(hook.port()) + "/hook\"}]}]\n";
  const Site site(watching("order", dead, rest));
  site.write("rules.yml", "groups: [{name: shop, rules: [{alert: Down, expr: 'fettle_service_up == 0'}]}]\n");
  const Running agent(site);
  REQUIRE(agent.error == "");
  CHECK(has(agent.until("/api/v1/alerts", R"("state":"firing")"), R"("alertname":"Down")"));
  std::string before = watching("order", dead, rest);
  before.replace(before.find("node: edge"), 10, "node: edge, external_labels: {cluster: eu}");
  site.write("fettle.yml", before);
  CHECK(has(agent.admin("POST", "/-/reload"), R"({"status":"success","data":null})"));
  CHECK(has(agent.until("/api/v1/alerts", R"("state":"firing")"), R"("alertname":"Down")"));
  CHECK(has(agent.get("/api/v1/rules"), R"("name":"Down")"));
}

TEST_CASE("a reload applies instance, job and the heartbeat socket, and says what waits for a restart") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", R"("health":"up")");
  std::string text = watching("order", order.port(), "heartbeat: {socket: " + (site.folder / "beat.sock") + "}\n");
  text.replace(text.find("node: edge"), 10, "node: edge, job: shop, instance: edge-1");
  site.write("fettle.yml", text);
  CHECK(has(agent.admin("POST", "/-/reload"), R"({"status":"success","data":null})"));
  CHECK(std::filesystem::is_socket(site.folder / "beat.sock"));
  agent.until("/api/v1/query?query=fettle_service_up", R"("instance":"edge-1","job":"shop")");
  CHECK(has(agent.get("/api/v1/query?query=count(fettle_service_up)"), R"("1"])"));

  text.replace(text.find("node: edge"), 10, "node: rand");
  text += "storage: {retention: 3h}\n";
  site.write("fettle.yml", text);
  CHECK(has(agent.admin("POST", "/-/reload"),
            "the new configuration is running; only after a restart count: global.node, storage.retention"));
  CHECK(has(agent.get("/"), "storage.retention was changed, and the new value counts after a restart"));

  const std::size_t at = text.find("beat.sock");
  site.write("fettle.yml", std::string(text).replace(at, 9, "none/b.sock"));
  CHECK(has(agent.admin("POST", "/-/reload"), "heartbeat.socket: "));
  CHECK(has(agent.get("/metrics"), "\nfettle_config_last_reload_successful 0\n"));
  CHECK(std::filesystem::is_socket(site.folder / "beat.sock"));
}

TEST_CASE("an alert is told to its receiver") {
  const fakes::LocalServer hook{std::string(kEmptyAnswer)};
  const int dead = fakes::SilentServer().port();
  const Site site(
      watching("order", dead,
               "rule_files: [rules.yml]\nreceivers: [{name: ops, webhook_configs: [{url: \"http://127.0.0.1:" +
                   std::to_string(hook.port()) + "/hook\"}]}]\n"));
  site.write("rules.yml", "groups: [{name: shop, rules: [{alert: Down, expr: 'fettle_service_up == 0'}]}]\n");
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/metrics", R"(fettle_notifications_total{receiver="ops",result="sent"} 1)");
  CHECK(hook.requests() == std::vector<std::string>{"POST /hook"});
}

TEST_CASE("people change things over the admin socket, and see them at once") {
  const fakes::SilentServer order;
  const Site site(watching("order", order.port()));
  const Running agent(site);
  REQUIRE(agent.error == "");
  const auto post = [&](const std::string& path) { return agent.admin("POST", path); };
  CHECK(has(post("/api/v1/maintenance/order?on=true&for=2h&comment=new%20disk"), R"({"status":"success","data":""})"));
  CHECK(has(agent.until("/api/v1/services", "new disk"), R"("name":"order")"));
  CHECK(has(post("/api/v1/maintenance/order?on=false"), R"({"status":"success","data":null})"));
  CHECK(has(post("/api/v1/maintenance/ordre?on=true"), "there is no service 'ordre' in " + site.options.config_file));
  CHECK(has(post("/api/v1/maintenance/ordre?on=false"), "HTTP/1.1 404 "));

  const std::string added = post("/api/v1/silences?matcher=service%3Dorder&comment=INC-7&author=alice&duration=1h");
  REQUIRE(has(added, R"("silenceID":")"));
  const std::size_t begin = added.find(R"("silenceID":")") + 13;
  const std::string id = added.substr(begin, added.find('"', begin) - begin);
  CHECK(has(agent.get("/api/v1/silences"), id));
  CHECK(has(agent.admin("DELETE", "/api/v1/silence/" + id), R"({"status":"success","data":null})"));
  CHECK(has(agent.get("/api/v1/silences"), R"("state":"expired")"));
  CHECK(has(agent.admin("DELETE", "/api/v1/silence/none"), "HTTP/1.1 404 "));

  // It has no plan.
  for (const char* path : {"/api/v1/recover/order", "/api/v1/recover/order/abort", "/api/v1/ack/order"}) {
    CAPTURE(path);
    CHECK(has(post(path), R"("status":"error")"));
  }
  CHECK(has(fakes::http(fakes::connect_tcp(agent.port()), "POST /-/reload HTTP/1.1\r\nContent-Length: 0"),
            "HTTP/1.1 403 "));
}

TEST_CASE("a heartbeat over the admin socket is a sign of life of its service, and of no other") {
  const Site site("services:\n  order:\n    probes: [{name: beat, type: heartbeat, every: 1h}]\n");
  const Running agent(site);
  REQUIRE(agent.error == "");
  CHECK(has(agent.admin("POST", "/heartbeat/order"), "HTTP/1.1 202 "));
  CHECK(has(agent.until("/api/v1/services", R"("health":"up")"), R"("name":"order")"));
  CHECK(has(agent.admin("POST", "/heartbeat/ordre"), "there is no service 'ordre'"));
}

TEST_CASE("what people decided outlives the agent") {
  const fakes::SilentServer order;
  Site site(watching("order", order.port()));
  site.options.storage_path = site.folder / "state";
  std::filesystem::create_directory(site.options.storage_path);
  {
    const Running agent(site);
    REQUIRE(agent.error == "");
    CHECK(has(agent.admin("POST", "/api/v1/maintenance/order?on=true&comment=new%20disk"), R"("status":"success")"));
    CHECK(has(agent.admin("POST", "/api/v1/silences?matcher=a%3Db&comment=INC-7"), R"("status":"success")"));
    CHECK(has(agent.get("/metrics"), "\nfettle_state_durable 1\n"));
  }
  const Running again(site);
  REQUIRE(again.error == "");
  CHECK(has(again.get("/api/v1/services"), "new disk"));
  CHECK(has(again.get("/api/v1/silences"), "INC-7"));
}

TEST_CASE("a list of targets that changes is followed without a reload") {
  const fakes::SilentServer a, b;
  const Site site(
      "global: {interval: 100ms, timeout: 90ms}\nservices:\n  order:\n"
      "    file_sd_configs: [{files: [targets.json], probe: {type: tcp, success_threshold: 1}}]\n");
  const auto list = [&](int port) {
    const std::string text = R"([{"targets":["127.0.0.1:)" + std::to_string(port) + R"("]}])";
    std::filesystem::rename(site.write("new", text), site.folder / "targets.json");
  };
  list(a.port());
  const Running agent(site);
  REQUIRE(agent.error == "");
  agent.until("/api/v1/services", "127.0.0.1:" + std::to_string(a.port()));
  list(b.port());
  const std::string after = agent.until("/api/v1/services", "127.0.0.1:" + std::to_string(b.port()));
  CHECK_FALSE(has(after, "127.0.0.1:" + std::to_string(a.port())));
}
