// oauth2: how a token is asked for, kept and renewed, by a scripted HTTP client; and against servers over real sockets.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "fakes/probe_kernel.h"
#include "fakes/probe_trial.h"
#include "fakes/tcp_peer.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

http::HttpResponse answer(int status, const std::string& body) {
  http::HttpResponse response;
  response.status = status;
  response.version = "1.1";
  response.body = body;
  return response;
}

// Runs of one probe, with its settings, and so its token, kept from run to run.
struct Client {
  explicit Client(const std::vector<std::string>& more = {}) {
    std::vector<std::string> settings{"oauth2.client_id=shop probe", "oauth2.client_secret=s3:cret",
                                      "oauth2.token_url=https://login.test/token"};
    settings.insert(settings.end(), more.begin(), more.end());
    auto parsed = probe::spec_from_arguments("http", "https://shop.test/orders", settings);
    if (!parsed) FAIL(parsed.error().text);
    spec = std::move(*parsed);
    spec.timeout = 1s;
  }
  void start() {
    found.reset();
    attempt.reset();
    attempt = probe::run_once(world.context, spec, [this](model::Outcome outcome) { found = std::move(outcome); });
    CHECK_FALSE(found.has_value());
  }
  const http::HttpRequest& asked() const { return world.http.desk.last(); }
  std::string authorization() const {
    const std::string* value = http::find_header(asked().headers, "Authorization");
    return value != nullptr ? *value : "";
  }
  fakes::ProbeWorld world;
  probe::Spec spec;
  std::unique_ptr<probe::Attempt> attempt;
  std::optional<model::Outcome> found;
};

const char* const kToken = R"({"access_token": "t1", "token_type": "bearer", "expires_in": 100})";

}  // namespace

TEST_CASE("a token is fetched once, sent, and kept until shortly before it expires") {
  Client client({"oauth2.scopes=[read, 'orders & more']", "oauth2.endpoint_params.audience=https://shop.test"});
  client.start();
  CHECK(client.asked().url == "https://login.test/token");
  CHECK(client.asked().method == "POST");
  CHECK(client.asked().max_redirects == 0);
  CHECK(client.asked().body ==
        "grant_type=client_credentials&scope=read+orders+%26+more&audience=https%3A%2F%2Fshop.test");
  // "shop+probe:s3%3Acret"
  CHECK(client.authorization() == "Basic c2hvcCtwcm9iZTpzMyUzQWNyZXQ=");
  client.world.loop.advance(20ms);
  client.world.http.desk.answer(answer(200, kToken));
  CHECK(client.asked().url == "https://shop.test/orders");
  CHECK(client.authorization() == "Bearer t1");
  client.world.http.desk.answer(answer(200, "ok"));
  REQUIRE(client.found);
  CHECK(client.found->up);
  REQUIRE_FALSE(client.found->phases.empty());
  CHECK(client.found->phases[0].name == "token");
  CHECK(client.found->phases[0].took == 20ms);
  CHECK(fakes::measured(*client.found, "probe_http_duration_seconds", "phase", "token") == 0.02);

  client.world.loop.advance(89s);
  client.start();
  CHECK(client.asked().url == "https://shop.test/orders");
  client.world.http.desk.answer(answer(200, "ok"));
  CHECK(fakes::measured(*client.found, "probe_http_duration_seconds", "phase", "token") == 0);

  client.world.loop.advance(2s);
  client.start();
  CHECK(client.asked().url == "https://login.test/token");
}

TEST_CASE("a kept token that is refused is fetched anew once") {
  Client client;
  client.start();
  client.world.http.desk.answer(answer(200, kToken));
  client.world.http.desk.answer(answer(200, "ok"));
  client.start();
  client.world.http.desk.answer(answer(401, ""));
  CHECK_FALSE(client.found.has_value());
  CHECK(client.asked().url == "https://login.test/token");
  client.world.http.desk.answer(answer(200, R"({"access_token": "t2", "expires_in": "100"})"));
  CHECK(client.authorization() == "Bearer t2");
  client.world.http.desk.answer(answer(401, ""));
  REQUIRE(client.found);
  CHECK(client.found->reason == Reason::auth_failed);
  CHECK(client.found->text == "status 401: the credentials were refused; expected 2xx");
  CHECK(client.world.http.desk.asked().size() == 5);
  client.start();
  CHECK(client.asked().url == "https://login.test/token");
}

TEST_CASE("a server that wants the client in the body gets it there, and from then on at once") {
  Client client;
  client.start();
  client.world.http.desk.answer(answer(401, R"({"error": "invalid_client"})"));
  CHECK(client.asked().body == "grant_type=client_credentials&client_id=shop+probe&client_secret=s3%3Acret");
  CHECK(client.authorization().empty());
  client.world.http.desk.answer(answer(200, R"({"access_token": "t1", "expires_in": 1})"));
  client.world.http.desk.answer(answer(200, "ok"));
  REQUIRE(client.found);
  CHECK(client.found->up);
  client.start();  // one second is less than the margin
  CHECK(client.asked().body.find("client_secret") != std::string::npos);
}

TEST_CASE("without a token there is no request, and a word why") {
  struct Row {
    const char* name;
    http::HttpResponse answer;
    const char* text;
    int answers = 1;
  };
  http::HttpResponse refused;
  refused.reason = Reason::refused;
  refused.text = "connect to 10.0.0.1:443: Connection refused";
  for (const Row& row : std::initializer_list<Row>{
           {"nobody listens", refused, "connect to 10.0.0.1:443: Connection refused"},
           {"it refuses", answer(401, R"({"error": "invalid_client", "error_description": "unknown client"})"),
            "status 401: invalid_client (unknown client)", 2},
           {"it is ill", answer(503, "<html>"), "status 503"},
           {"it says nothing of use", answer(200, "[]"), "the answer has no access_token"},
           {"a token that is none", answer(200, "{\"access_token\": \"a\\r\\nX: y\"}"),
            "the answer has no access_token"},
       }) {
    CAPTURE(row.name);
    Client client;
    client.start();
    for (int i = 0; i < row.answers; ++i) client.world.http.desk.answer(row.answer);
    REQUIRE(client.found);
    CHECK(client.found->reason == Reason::auth_failed);
    CHECK(client.found->text == std::string("no token from https://login.test/token: ") + row.text);
    CHECK(static_cast<int>(client.world.http.desk.asked().size()) == row.answers);
  }
}

TEST_CASE("the secret's file is read whenever a token is fetched") {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("fettle-oauth2-" + std::to_string(::getpid()))).string();
  const auto write = [&](const char* secret) { std::ofstream(file) << secret << "\n"; };
  write("one");
  auto parsed = probe::spec_from_arguments(
      "http", "https://shop.test/",
      {"oauth2.client_id=a", "oauth2.client_secret_file=" + file, "oauth2.token_url=https://login.test/"});
  REQUIRE(parsed);
  Client client;
  client.spec = std::move(*parsed);
  client.spec.timeout = 1s;
  client.start();
  CHECK(client.authorization() == "Basic YTpvbmU=");
  write("two");
  client.start();
  CHECK(client.authorization() == "Basic YTp0d28=");
  std::filesystem::remove(file);
  client.start();
  client.world.loop.run_due();
  REQUIRE(client.found);
  CHECK(client.found->reason == Reason::agent_overloaded);
}

TEST_CASE("oauth2 is told what it cannot be") {
  for (const auto& row : std::vector<std::pair<const char*, const char*>>{
           {"oauth2.token_url=login", "must be http:// or https:// and a host"},
           {"oauth2.client_secret_file=/x", "cannot stand beside client_secret"},
           {"authorization.credentials=x", "oauth2: cannot stand beside basic_auth or authorization"},
           {"oauth2.endpoint_params.grant_type=password", "has another grant_type"},
       }) {
    const auto& [setting, want] = row;
    CAPTURE(row.first);
    std::vector<std::string> settings{"oauth2.client_id=a", "oauth2.client_secret=b"};
    if (std::string(setting).find("token_url") == std::string::npos)
      settings.emplace_back("oauth2.token_url=http://login.test/");
    settings.emplace_back(setting);
    const auto spec = probe::spec_from_arguments("http", "http://shop.test/", settings);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().text.find(want) != std::string::npos);
  }
}

TEST_CASE("oauth2 over sockets: a giver of tokens, and a shop that knows the newest of them only") {
  std::atomic<int> given{0};
  const auto ok = [](const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  };
  fakes::TcpPeer login([&](fakes::PeerSocket& socket) {
    const std::string request = socket.read_until("grant_type=client_credentials");
    const bool known = request.find("Authorization: Basic YTpi\r\n") != std::string::npos;
    socket.send(known ? ok(R"({"access_token": "t)" + std::to_string(++given) + R"(", "expires_in": 3600})")
                      : "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    socket.wait_for_close();
  });
  std::atomic<int> revoked{0};
  fakes::TcpPeer shop([&](fakes::PeerSocket& socket) {
    const std::string request = socket.read_request();
    const bool good = given > revoked &&
                      request.find("Authorization: Bearer t" + std::to_string(given) + "\r\n") != std::string::npos;
    socket.send(good ? ok("{}") : "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    socket.wait_for_close();
  });
  fakes::ProbeKernel kernel;
  auto spec = probe::spec_from_arguments(
      "http", shop.url(), {"oauth2.client_id=a", "oauth2.client_secret=b", "oauth2.token_url=" + login.url("/token")});
  REQUIRE(spec);
  spec->timeout = 10s;
  const auto run = [&] {
    std::optional<model::Outcome> found;
    const auto attempt =
        probe::run_once(kernel.context, *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
    REQUIRE(fakes::run_until(kernel.loop, [&] { return found.has_value(); }));
    return *found;
  };
  for (int i = 0; i < 3; ++i) CHECK(run().up);
  CHECK(given == 1);
  revoked = 1;
  CHECK(run().up);
  CHECK(given == 2);
}
