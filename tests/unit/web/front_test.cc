// What stands before the server, over real sockets: connections that stay, requests that do not come, and answers that
// come late.
#include "web/server/front.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <vector>

#include "running_server.h"

namespace {

constexpr const char* kHealthy = "GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n";
constexpr const char* kHealthyText = "fettle is healthy.\n";

std::string ask_on(const base::UniqueFd& fd, std::string_view request, std::string_view end = kHealthyText) {
  fakes::send_all(fd, request);
  return fakes::receive(fd, end);
}

double metric(const Running& running, const std::string& name) {
  const std::string page = running.ask("GET /metrics HTTP/1.1");
  const std::size_t at = page.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
}

}  // namespace

TEST_CASE("a connection stays for further requests, also those that came before the answer") {
  const Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  const base::UniqueFd fd = running.connect();
  for (int i = 0; i < 3; ++i) {
    const std::string answer = ask_on(fd, kHealthy);
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n"));
    CHECK_FALSE(has(answer, "Connection:"));
  }
  // Three at once, one of them refused by a worker, the last one ends the connection.
  fakes::send_all(fd, std::string(kHealthy) + "POST /-/reload HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" +
                          "HEAD /-/ready HTTP/1.1\r\nConnection: close\r\n\r\n" + kHealthy);
  const std::string answers = fakes::receive(fd);
  const std::size_t first = answers.find("HTTP/1.1 200 OK\r\nContent-Type"), second = answers.find("HTTP/1.1 403 "),
                    third = answers.find("HTTP/1.1 200 OK\r\nConnection: close\r\n");
  CHECK(first == 0);
  CHECK(first < second);
  CHECK(second < third);
  REQUIRE(third != std::string::npos);
  CHECK(answers.ends_with("\r\n\r\n"));

  const base::UniqueFd old = running.connect();
  CHECK(has(ask_on(old, "GET /-/healthy HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "Connection: keep-alive\r\n"));
  CHECK(has(ask_on(old, kHealthy), "200 OK"));
}

TEST_CASE("a proxy's absolute form is answered; what could be read in two ways is not") {
  const Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  CHECK(has(running.ask("GET http://shop.test/-/healthy HTTP/1.1"), kHealthyText));
  CHECK(running.ask("POST /api/v1/query HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 7", "query=1")
            .starts_with("HTTP/1.1 400 "));
  CHECK(running.ask("POST /api/v1/query HTTP/1.1\r\nContent-Length: 7\r\nTransfer-Encoding: chunked", "0\r\n\r\n")
            .starts_with("HTTP/1.1 400 "));
  CHECK(metric(running, "fettle_http_refused_total{reason=\"bad_request\"}") == 2);
}

TEST_CASE("clients that do not ask hold up nobody, on no door") {
  const Folder folder;
  web::ServerOptions options;
  options.admin_socket = folder / "admin.sock";
  const Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  std::vector<base::UniqueFd> slow;
  for (int i = 0; i < 150; ++i) {
    slow.push_back(running.connect());
    if (i % 3 == 1) fakes::send_all(slow.back(), "GET /metrics HTTP/1.1\r\nHost: t");
    if (i % 3 == 2) fakes::send_all(slow.back(), "POST /api/v1/query HTTP/1.1\r\nContent-Length: 1000\r\n\r\nx");
  }
  // More than there is room for at this door: the longest silent ones go.
  for (int i = 0; i < 200; ++i) slow.push_back(fakes::connect_unix(options.admin_socket));
  for (int i = 0; i < 10; ++i) {
    CHECK(has(running.ask("GET /metrics HTTP/1.1"), " 200 OK"));
    CHECK(has(fakes::http(fakes::connect_unix(options.admin_socket), "POST /-/reload HTTP/1.1\r\nContent-Length: 0"),
              " 200 OK"));
  }
  CHECK(metric(running, "fettle_http_connections") >= 1);
}

TEST_CASE("a request that does not come in time is ended, however slowly it goes on") {
  const Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  const base::UniqueFd silent = running.connect(), head = running.connect(), body = running.connect();
  fakes::send_all(head, "GET /metrics HTTP/1.1\r\nHost: t");
  fakes::send_all(body, "POST /api/v1/query HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
  std::thread drip([&] {
    pollfd answer{body.value(), POLLIN, 0};
    while (::poll(&answer, 1, 100) == 0) fakes::send_all(body, "x");
  });
  CHECK(fakes::receive(silent) == "");
  CHECK(fakes::receive(head).starts_with("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"));
  drip.join();
  CHECK(fakes::receive(body).starts_with("HTTP/1.1 408 "));
  CHECK(metric(running, "fettle_http_refused_total{reason=\"deadline\"}") == 3);
}

TEST_CASE("/probe waits for its targets without a worker, and is answered when the server stops") {
  Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  running.backend.black_hole = "hole";
  std::vector<base::UniqueFd> holes;
  for (int i = 0; i < 120; ++i) {
    holes.push_back(running.connect());
    fakes::send_all(holes.back(), "GET /probe?target=hole HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  for (int i = 0; i < 20; ++i) CHECK(has(running.ask("GET /probe?target=a HTTP/1.1"), "\nprobe_success 1\n"));
  const auto asked = [&] {
    const auto calls = running.backend.calls();
    return std::count(calls.begin(), calls.end(), "probe http_2xx hole  0ms");
  };
  while (asked() < 120) std::this_thread::yield();
  const base::UniqueFd late = std::move(holes.back());
  holes.pop_back();
  running.backend.end_held_probes();
  for (const base::UniqueFd& hole : holes) {
    CHECK(fakes::receive(hole, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\nContent-Type: "));
    // It stays open.
    CHECK(has(ask_on(hole, kHealthy), kHealthyText));
  }
  CHECK(has(fakes::receive(late, "\r\n\r\n"), " 200 OK"));
  fakes::send_all(late, "GET /probe?target=hole HTTP/1.1\r\nHost: t\r\n\r\n");
  while (asked() < 121) std::this_thread::yield();
  running.server.reset();
  CHECK(fakes::receive(late).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  running.backend.end_held_probes();  // too late for anybody
}

TEST_CASE("a client that does not take its answer holds no worker, and the others have theirs") {
  Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  model::MetricFamily family{"big", "Much.", model::MetricType::gauge, {}};
  for (int i = 0; i < 20'000; ++i) family.points.push_back({"", model::Labels{{"number", std::to_string(i)}}, 1});
  running.backend.shown.push_back(std::move(family));
  std::vector<base::UniqueFd> lazy;
  for (int i = 0; i < 12; ++i) {
    lazy.push_back(running.connect());
    fakes::send_all(lazy.back(), "GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  }
  CHECK(has(running.ask("GET /metrics HTTP/1.1"), "\nbig{number=\"19999\"} 1\n"));
  CHECK(has(running.ask("GET /-/healthy HTTP/1.1"), kHealthyText));
  for (const base::UniqueFd& fd : lazy) CHECK(has(fakes::receive(fd), "\nbig{number=\"19999\"} 1\n"));
}

TEST_CASE("a wrong password is refused, however many are tried, and a path cannot be dressed up as a heartbeat") {
  const Folder folder;
  std::ofstream(folder / "web.yml")
      << "basic_auth_users:\n  alice: $2y$05$3YaRfspwjE5Ba5rMQHUjIeAAAy.E7F6z6.ythuSqYpg1shrobf5T2\n";
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  const Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  const std::string good = "GET /-/healthy HTTP/1.1\r\nAuthorization: Basic YWxpY2U6d29uZGVybGFuZA==";
  CHECK(has(running.ask(good), kHealthyText));
  for (const char* path :
       {"/heartbeat/../metrics", "/heartbeat/../-/healthy", "//heartbeat/x", "/heartbeat/.././metrics"}) {
    CAPTURE(path);
    CHECK(running.ask(std::string("GET ") + path + " HTTP/1.1").starts_with("HTTP/1.1 401 "));
  }
  std::vector<base::UniqueFd> guesses;
  for (char c = 'A'; c <= 'Z'; ++c) {
    guesses.push_back(running.connect());
    fakes::send_all(
        guesses.back(),
        std::string("GET /metrics HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic YWxpY2U6") + c + "A==\r\n\r\n");
  }
  CHECK(has(running.ask(good), kHealthyText));  // is known: no hash, no turn to wait for
  int refused = 0, busy = 0;
  for (const base::UniqueFd& guess : guesses) {
    const std::string answer = fakes::receive(guess);
    refused += answer.starts_with("HTTP/1.1 401 ") ? 1 : 0;
    busy += answer.starts_with("HTTP/1.1 429 ") && has(answer, "Retry-After: 1") ? 1 : 0;
  }
  CHECK(refused + busy == 26);
  CHECK(refused >= 8);
  CHECK(has(running.ask(good), kHealthyText));
}
