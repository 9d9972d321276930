#include <doctest/doctest.h>

#include <filesystem>
#include <mutex>

#include "fakes/action_trial.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "loop/event_loop.h"
#include "net/resolver.h"

namespace {

using fakes::answered;
using fakes::broken;

// What inspect says of a container with these labels.
http::HttpResponse labelled(const std::string& labels) {
  return answered(200, R"({"Id":"c1","Config":{"Labels":{)" + labels + "}}}");
}

// The Docker Engine, as far as two requests go: takes each, answers, closes.
class Engine {
 public:
  Engine() : peer_([this](fakes::PeerSocket& socket) { serve(socket); }, AF_UNIX, path()) {}
  static std::string path() {
    return (std::filesystem::temp_directory_path() / ("fettle-docker-" + std::to_string(::getpid()))).string();
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(fakes::PeerSocket& socket) {
    const std::string request = socket.read_request();
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    socket.send(request.starts_with("GET") ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Config\":{}}"
                                           : "HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n");
  }
  std::vector<std::string> requests_;
  mutable std::mutex mutex_;
  fakes::TcpPeer peer_;
};

}  // namespace

TEST_CASE("what the Docker engine answers to a restart") {
  struct Row {
    http::HttpResponse response;
    const char* end;
  };
  const Row rows[] = {
      {answered(204), "ok: docker restart order-1: done"},
      {answered(404, "{\"message\":\"No such container: order-1\"}\n"),
       "failed: docker restart order-1: not found: No such container: order-1; see: docker ps --all"},
      {answered(500, "{\"message\":\"Cannot restart container order-1: driver failed\"}\n"),
       "failed: docker restart order-1: HTTP status 500: Cannot restart container order-1: driver failed"},
      {answered(403, "<html><body><h1>403 Forbidden</h1>\nRequest forbidden"),
       "refused: docker restart order-1: /run/proxy.sock does not allow it: HTTP status 403: <html><body><h1>403 "
       "Forbidden</h1>; the proxy must let POST /containers/order-1/restart through"},
      {answered(200, ""), "failed: docker restart order-1: HTTP status 200"},
      {broken(model::Reason::refused, "connection refused"),
       "failed: docker restart order-1: /run/proxy.sock: connection refused"},
      {broken(model::Reason::read_timeout, "no answer"),
       "timeout: docker restart order-1: the engine did not answer in time; it may still restart the container"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action =
        t.parse("docker", "{verb: restart, container: order-1, socket: /run/proxy.sock, stop_timeout: 2500ms}");
    CHECK(action->text() == "docker restart order-1");
    t.run(*action);
    CHECK(t.http.desk.last().method == "GET");
    CHECK(t.http.desk.last().url == "http://docker/containers/order-1/json");
    CHECK(t.http.desk.last().unix_socket == "/run/proxy.sock");
    t.http.desk.answer(labelled(R"("com.docker.compose.project":"shop")"));
    CHECK(t.http.desk.last().method == "POST");
    CHECK(t.http.desk.last().url == "http://docker/containers/order-1/restart?t=3");
    CHECK(t.http.desk.last().unix_socket == "/run/proxy.sock");
    t.http.desk.answer(row.response);
    CHECK(t.end() == row.end);
  }
}

TEST_CASE("a container that people have stopped is told from one that died") {
  const std::string stopped = "container order-1 was stopped, not by fettle; to have it back: docker start order-1";
  // What inspect says of one that ran from 10:00 to 11:00.
  const auto inspected = [](const std::string& status, int code, const std::string& policy) {
    return answered(200,
                    R"({"State":{"Status":")" + status + R"(","ExitCode":)" + std::to_string(code) +
                        R"(,"StartedAt":"2023-11-14T10:00:00.123456789Z","FinishedAt":"2023-11-14T11:00:00.5Z"},)" +
                        R"("HostConfig":{"RestartPolicy":{"Name":")" + policy + R"("}}})");
  };
  struct Row {
    http::HttpResponse inspect;
    std::optional<http::HttpResponse> events;  // none: not asked for
    std::string text;
    std::optional<base::WallTime> acted{};
  };
  const auto at = [](const char* time) { return base::parse_iso8601(time).value(); };
  const std::string stop_now = R"({"status":"stop","Type":"container","Action":"stop","time":1699959600})"
                               "\n";
  const std::string stop_before = R"({"Type":"container","Action":"stop","time":1699950000})"
                                  "\n";
  const Row rows[] = {
      {inspected("running", 0, "no"), std::nullopt, ""},
      {inspected("restarting", 1, "always"), std::nullopt, ""},
      {inspected("created", 0, "no"), std::nullopt, ""},
      {inspected("exited", 0, "no"), std::nullopt, stopped},
      {inspected("exited", 143, "no"), std::nullopt, stopped},
      {inspected("exited", 137, "unless-stopped"), std::nullopt, stopped},
      {inspected("exited", 137, "always"), std::nullopt, stopped},
      {inspected("exited", 137, "no"), answered(200, stop_now), stopped},
      {inspected("exited", 137, "no"), answered(200, stop_before), ""},
      {inspected("exited", 137, "no"), answered(200, ""), ""},
      {inspected("exited", 137, "no"), answered(200, "no JSON\n[]\n{\"Action\":7}\n"), ""},
      {inspected("exited", 1, "on-failure"), answered(403), ""},
      // Its last run began before a plan of ours worked on it: perhaps that has stopped it.
      {inspected("exited", 137, "always"), std::nullopt, "", at("2023-11-14T10:59:58Z")},
      {inspected("exited", 137, "always"), std::nullopt, stopped, at("2023-11-14T09:59:58Z")},
      {inspected("paused", 0, "no"), std::nullopt,
       "container order-1 is paused, not by fettle; to have it go on: docker unpause order-1"},
      {answered(403, "no"), std::nullopt, ""},
      {answered(404, "{}"), std::nullopt, ""},
      {answered(200, "[]"), std::nullopt, ""},
      {answered(200, "{\"State\":{\"Status\":\"exited\"}}"), answered(200, ""), ""},
      {broken(model::Reason::refused, "connection refused"), std::nullopt, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.inspect.body);
    fakes::ActionTrial t;
    const auto action = t.parse("docker", "{verb: restart, container: order-1, socket: /run/proxy.sock}");
    CHECK(action->knows_stops());
    std::vector<std::string> told;
    const auto handle = action->ask_stopped(t.context, row.acted, t.loop.now() + std::chrono::seconds{1},
                                            [&](std::string text) { told.push_back(std::move(text)); });
    CHECK(t.http.desk.last().method == "GET");
    CHECK(t.http.desk.last().url == "http://docker/containers/order-1/json");
    CHECK(t.http.desk.last().unix_socket == "/run/proxy.sock");
    t.http.desk.answer(row.inspect);
    if (row.events) {
      REQUIRE(t.http.desk.waiting() == 1);
      CHECK(t.http.desk.last().url.starts_with("http://docker/events?since="));
      CHECK(t.http.desk.last().url.ends_with(
          "&filters=%7B%22container%22%3A%5B%22order-1%22%5D%2C%22event%22%3A%5B%22stop%22%5D%7D"));
      t.http.desk.answer(*row.events);
    }
    CHECK(told == std::vector<std::string>{row.text});
  }
}

TEST_CASE("a container that has an owner, or whose owner is not known, is left alone") {
  struct Row {
    http::HttpResponse response;
    const char* end;
    bool own_want = false;
  };
  const Row rows[] = {
      {labelled(R"("com.docker.swarm.task.id":"t1","com.docker.swarm.service.name":"order")"),
       "refused: docker restart order-1: it is a task of Swarm service order, which starts another one in its place; "
       "update the service: {swarm: {update: order, force: true}}"},
      {labelled(R"("io.kubernetes.pod.uid":"u1","io.kubernetes.pod.name":"order-7f")"),
       "refused: docker restart order-1: it belongs to pod order-7f of Kubernetes, whose kubelet restarts it; evict "
       "the pod, or restart its workload: {kubernetes: {rollout_restart: …}}"},
      {labelled(R"("com.hashicorp.nomad.alloc_id":"a1")"),
       "refused: docker restart order-1: it belongs to allocation a1 of Nomad, which restarts it; nomad alloc restart "
       "a1"},
      {labelled(R"("com.amazonaws.ecs.task-arn":"arn:1")"),
       "refused: docker restart order-1: it belongs to task arn:1 of Amazon ECS, which replaces it; force a new "
       "deployment of its service"},
      {labelled(R"("PODMAN_SYSTEMD_UNIT":"order.service")"),
       "refused: docker restart order-1: it belongs to unit order.service of systemd; restart the unit: {systemd: "
       "{verb: restart, unit: order.service}}"},
      {answered(403, "no"),
       "refused: docker restart order-1: /run/proxy.sock does not allow it: HTTP status 403: no; the proxy must let "
       "GET "
       "/containers/order-1/json through: it says who owns the container, without which nothing is done"},
      {answered(404, "{\"message\":\"No such container: order-1\"}\n"),
       "failed: docker restart order-1: not found: No such container: order-1; see: docker ps --all"},
      {answered(200, "[]"),
       "failed: docker restart order-1: the engine's answer is no description of the container; without its owner "
       "nothing is done"},
      {broken(model::Reason::read_timeout, "no answer"),
       "timeout: docker restart order-1: the engine did not answer in time; nothing was done"},
      {broken(model::Reason::agent_overloaded, "no descriptor left"),
       "failed: docker restart order-1: no descriptor left", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end);
    fakes::ActionTrial t;
    const auto action = t.parse("docker", "{verb: restart, container: order-1, socket: /run/proxy.sock}");
    t.run(*action);
    t.http.desk.answer(row.response);
    CHECK(t.end() == row.end);
    CHECK(t.results[0].own_want == row.own_want);
    CHECK(t.http.desk.asked().size() == 1);
  }
}

TEST_CASE("each verb is a path of the engine, and what is so already is done") {
  for (const char* verb : {"stop", "start", "pause", "unpause"}) {
    CAPTURE(verb);
    fakes::ActionTrial t;
    const auto action = t.parse("docker", "{verb: " + std::string(verb) + ", container: order-1}");
    CHECK(action->disrupts());
    CHECK(action->knows_stops() == (std::string(verb) == "stop" || std::string(verb) == "start"));
    t.run(*action);
    t.http.desk.answer(labelled(""));
    CHECK(t.http.desk.last().url ==
          "http://docker/containers/order-1/" + std::string(verb) + (std::string(verb) == "stop" ? "?t=10" : ""));
    t.http.desk.answer(answered(304));
    CHECK(t.end() == "ok: docker " + std::string(verb) + " order-1: done; it was so already");
  }
}

TEST_CASE("a restart goes over the engine's socket") {
  const Engine engine;
  loop::EventLoop loop;
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  fakes::ActionTrial t;
  recover::Context context{loop, t.systemd, t.spawner, nullptr};
  context.http = &http;
  const auto action = t.parse("docker", "{verb: restart, socket: " + Engine::path() + "}");
  t.handle = action->run(context, t.trigger, loop.now() + std::chrono::seconds{10},
                         [&](recover::ActionResult result) { t.results.push_back(std::move(result)); });
  REQUIRE(fakes::run_until(loop, [&] { return !t.results.empty(); }));
  CHECK(t.results[0].text == "docker restart order: done");
  REQUIRE(engine.requests().size() == 2);
  CHECK(engine.requests()[0].starts_with("GET /containers/order/json HTTP/1.1\r\nHost: docker\r\n"));
  CHECK(engine.requests()[1].starts_with("POST /containers/order/restart?t=10 HTTP/1.1\r\nHost: docker\r\n"));
  t.handle.reset();
}

TEST_CASE("mistakes in a docker action are named") {
  fakes::ActionTrial t;
  CHECK(t.mistakes("docker", "kill") ==
        "fettle.yml:1:9: do: expected one of restart, stop, start, pause, unpause, got 'kill'\n");
  CHECK(t.mistakes("docker", "{verb: restart, container: ../secrets}") ==
        "fettle.yml:1:36: do: '../secrets' is no name of a container: letters, digits and _.- are\n");
  CHECK(t.mistakes("docker", "{verb: restart, socket: docker.sock}") ==
        "fettle.yml:1:33: do.socket: must be an absolute path\n");
}
