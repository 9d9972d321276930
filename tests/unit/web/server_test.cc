// The real server over the loopback, the admin socket and TLS.
#include "web/server/server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "fakes/certificates.h"
#include "running_server.h"

namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "re");
  std::string out;
  char part[4096];
  while (const std::size_t n = std::fread(part, 1, sizeof part, pipe)) out.append(part, n);
  ::pclose(pipe);
  return out;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("requests over the loopback") {
  const Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  CHECK(running.server->port() > 0);

  const std::string metrics = running.ask("GET /metrics HTTP/1.1");
  CHECK(metrics.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain; version=0.0.4"));
  CHECK(has(metrics, "\nfettle_service_up{service=\"order\"} 0\n"));

  const std::string head = running.ask("HEAD / HTTP/1.1");
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK_FALSE(has(head, "Content-Length: 0"));

  const std::string form = "query=1%2B1&time=10";
  CHECK(has(running.ask("POST /api/v1/query HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                        "Content-Length: " +
                            std::to_string(form.size()),
                        form),
            R"({"status":"success","data":{"resultType":"scalar","result":[10,"2"]}})"));
  CHECK(has(running.ask("POST /api/v1/query HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n"
                        "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                        "7\r\nquery=7\r\n0\r\n\r\n"),
            R"("resultType":"scalar")"));
  CHECK(running.ask("POST /api/v1/query HTTP/1.1\r\nContent-Length: 99999999").starts_with("HTTP/1.1 413 "));
  CHECK(running.ask("POST /-/reload HTTP/1.1\r\nContent-Length: 0").starts_with("HTTP/1.1 403 "));
  CHECK(running.ask("GET / HTTP/3.7").starts_with("HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close"));
  CHECK(running.ask("nonsense").starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(running.backend.calls().empty());
}

TEST_CASE("threads that answer clients give way to the loop") {
  const Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  CHECK(running.ask("GET /metrics HTTP/1.1").starts_with("HTTP/1.1 200 OK\r\n"));
  const int own = ::getpriority(PRIO_PROCESS, 0);
  int behind = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task"))
    behind += ::getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(thread.path().filename()))) == own + 5 ? 1 : 0;
  CHECK(behind >= 1);
  CHECK(::getpriority(PRIO_PROCESS, static_cast<id_t>(::getpid())) == own);
}

TEST_CASE("listen addresses: which work, and what is said of the others") {
  for (const std::string address : {":0", "[::1]:0", "localhost:0"}) {
    CAPTURE(address);
    web::ServerOptions options;
    options.listen_address = address;
    const Running running(options);
    CHECK_MESSAGE(running.server, running.error);
  }
  for (const std::string address : {"", "10911", ":", ":x", ":70000", "::1:80", "a,b:80"}) {
    CAPTURE(address);
    web::ServerOptions options;
    options.listen_address = address;
    const Running running(options);
    CHECK_FALSE(running.server);
    CHECK(has(running.error, "expected [HOST]:PORT"));
  }
  const Running first;
  web::ServerOptions options;
  options.listen_address = "127.0.0.1:" + std::to_string(first.server->port());
  const Running second(options);
  CHECK_FALSE(second.server);
  CAPTURE(second.error);
  CHECK(has(second.error, "Address already in use"));
}

TEST_CASE("the admin socket is for the group, makes changes, and goes with the server") {
  const Folder folder;
  web::ServerOptions options;
  // A digit before an s: CivetWeb would take it for a port with TLS.
  std::filesystem::create_directory(folder / "run1s");
  options.admin_socket = (std::filesystem::path(folder / "run1s") / "admin.sock").string();
  {
    const Running running(options);
    REQUIRE_MESSAGE(running.server, running.error);
    struct stat status {};
    REQUIRE(::stat(options.admin_socket.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0660);
    const auto ask = [&](std::string_view head) {
      return fakes::http(fakes::connect_unix(options.admin_socket), head);
    };
    CHECK(has(ask("POST /-/reload HTTP/1.1\r\nContent-Length: 0"), R"({"status":"success","data":null})"));
    CHECK(has(ask("POST /api/v1/maintenance/order?on=true&comment=new+disk HTTP/1.1\r\nContent-Length: 0"), " 200 OK"));
    CHECK(has(ask("GET /api/v1/services HTTP/1.1"), R"("node":"shop-a1")"));
    CHECK(running.backend.calls() == std::vector<std::string>{"reload", "maintenance order on new disk"});

    const Running second(options);
    CHECK_FALSE(second.server);
    CHECK(has(second.error, "another agent listens there"));
  }
  CHECK_FALSE(std::filesystem::exists(options.admin_socket));

  // What a crash leaves is taken over; what is no socket is not touched.
  const base::UniqueFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  options.admin_socket.copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(::bind(left.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  CHECK(Running(options).server);
  write(options.admin_socket, "precious");
  CHECK(has(Running(options).error, "there is something that is no socket"));
}

TEST_CASE("a page's stream: everything first, then what changed, and 204 when all places are taken") {
  Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  const base::UniqueFd first = running.connect();
  fakes::send_all(first, "GET /api/v1/events HTTP/1.1\r\nHost: test\r\n\r\n");
  const std::string start = fakes::receive(first, "}}\n\n");
  CHECK(has(start, "Content-Type: text/event-stream\r\n"));
  CHECK(has(start, "\r\n\r\nretry: 2000\n\nid: 42\nevent: patch\ndata: {\"at\":"));

  web::Snapshot next = fakes::shop_snapshot();
  next.number = 43;
  next.services[4].maintenance = "anna: a new disk";
  running.publish(next);
  const std::string patch = fakes::receive(first, "}}\n\n");
  CHECK(has(patch, "id: 43\nevent: patch\n"));
  CHECK(has(patch, "\"s-redis\":\""));
  CHECK(has(patch, "a new disk"));
  CHECK_FALSE(has(patch, "\"s-order\":\""));

  std::vector<base::UniqueFd> others;
  for (int i = 0; i < 7; ++i) {
    others.push_back(running.connect());
    fakes::send_all(others.back(), "GET /api/v1/events HTTP/1.1\r\nHost: test\r\n\r\n");
    fakes::receive(others.back(), "}}\n\n");
  }
  CHECK(running.ask("GET /api/v1/events HTTP/1.1").starts_with("HTTP/1.1 204 No Content\r\n"));
  // All streams are open, and a scrape is answered at once.
  CHECK(has(running.ask("GET /metrics HTTP/1.1"), "\nfettle_event_streams 8\n"));
  running.server.reset();  // ends the streams
  CHECK(fakes::receive(first) == "");
}

TEST_CASE("the server stops while a client holds a connection and says nothing") {
  Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  const base::UniqueFd silent = running.connect();
  const auto start = std::chrono::steady_clock::now();
  running.server.reset();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("name and password, and heartbeats that have a token instead") {
  const Folder folder;
  write(folder / "web.yml",
        "basic_auth_users:\n  alice: $2y$05$3YaRfspwjE5Ba5rMQHUjIeAAAy.E7F6z6.ythuSqYpg1shrobf5T2\n");
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  write(folder / "token", "s3cret\n");
  web::Snapshot shop = fakes::shop_snapshot();
  shop.heartbeat_token_file = folder / "token";
  running.publish(std::move(shop));
  CHECK(has(running.ask("GET /metrics HTTP/1.1"), "WWW-Authenticate: Basic realm=\"fettle\"\r\n"));
  CHECK(running.ask("GET /-/healthy HTTP/1.1\r\nAuthorization: Basic YWxpY2U6d29uZGVybGFuZA==")
            .starts_with("HTTP/1.1 200 "));
  CHECK(running.ask("GET /api/v1/events HTTP/1.1").starts_with("HTTP/1.1 401 "));
  CHECK(running.ask("POST /heartbeat/order HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Bearer s3cret")
            .starts_with("HTTP/1.1 202 "));
}

TEST_CASE("users that are changed hold from the next request on, and a file with mistakes changes nobody") {
  const Folder folder;
  const std::string wonderland = "$2y$05$3YaRfspwjE5Ba5rMQHUjIeAAAy.E7F6z6.ythuSqYpg1shrobf5T2\n";
  const auto users = [&](const std::string& text) { write(folder / "web.yml", "basic_auth_users:" + text); };
  users("\n  alice: " + wonderland);
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  const Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  const auto who_may = [&] {
    running.server->look_at_files();
    std::string may;
    for (const auto& [name, credentials] :
         {std::pair{"alice", "YWxpY2U6d29uZGVybGFuZA=="}, std::pair{"bob", "Ym9iOndvbmRlcmxhbmQ="}, std::pair{"x", ""}})
      if (running.ask(std::string("GET /-/healthy HTTP/1.1\r\nAuthorization: Basic ") + credentials)
              .starts_with("HTTP/1.1 200 "))
        may += std::string(name) + " ";
    return may;
  };
  CHECK(who_may() == "alice ");
  users("\n  bob: " + wonderland);
  CHECK(who_may() == "bob ");
  users("\n  bob: secret\n");  // no hash
  CHECK(who_may() == "bob ");
  std::filesystem::remove(folder / "web.yml");
  CHECK(who_may() == "bob ");
  users(" {}\n");
  CHECK(who_may() == "alice bob x ");
}

TEST_CASE("TLS, and only for clients whose certificate is ours") {
  const Folder folder;
  const auto authority = fakes::make_certificate({.common_name = "shop CA", .authority = true});
  const auto server = fakes::make_certificate(
      {.common_name = "shop-a1", .alternative = "DNS:localhost,IP:127.0.0.1", .issuer = &authority});
  const auto client = fakes::make_certificate({.common_name = "prometheus", .issuer = &authority});
  const auto stranger = fakes::make_certificate({.common_name = "stranger"});
  authority.write(folder / "ca.crt");
  server.write(folder / "server.crt", folder / "server.key");
  client.write(folder / "client.crt", folder / "client.key");
  stranger.write(folder / "stranger.crt", folder / "stranger.key");
  write(folder / "web.yml",
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.crt\n"
        "  client_auth_type: RequireAndVerifyClientCert\n");
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  const Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  const auto curl = [&](const std::string& who) {
    const std::string certificate =
        who.empty() ? "" : " --cert " + (folder / (who + ".crt")) + " --key " + (folder / (who + ".key"));
    return output_of("curl -s --max-time 10 --noproxy '*' --cacert " + (folder / "ca.crt") + certificate +
                     " https://127.0.0.1:" + std::to_string(running.server->port()) + "/-/healthy");
  };
  CHECK(web::port_access(options.web_config_file).tls);
  write(folder / "users.yml", "basic_auth_users: {}\n");
  for (const std::string& other : {std::string(), folder / "users.yml", folder / "none.yml"})
    CHECK_FALSE(web::port_access(other).tls);
  CHECK(curl("client") == "fettle is healthy.\n");
  CHECK(curl("stranger") == "");
  CHECK(curl("") == "");
  CHECK_FALSE(has(running.ask("GET /-/healthy HTTP/1.1"), "fettle is healthy"));  // plain text to a TLS port

  // A further authority is trusted once its file names it.
  const auto second = fakes::make_certificate({.common_name = "second CA", .authority = true});
  const auto newcomer = fakes::make_certificate({.common_name = "newcomer", .issuer = &second});
  newcomer.write(folder / "newcomer.crt", folder / "newcomer.key");
  CHECK(curl("newcomer") == "");
  second.write(folder / "second.crt");
  write(folder / "both.crt", *base::read_file(folder / "ca.crt") + *base::read_file(folder / "second.crt"));
  std::filesystem::copy_file(folder / "ca.crt", folder / "first.crt");
  std::filesystem::rename(folder / "both.crt", folder / "ca.crt");
  running.server->look_at_files();
  const auto ask = [&](const std::string& who) {
    return output_of("curl -s --max-time 10 --noproxy '*' --cacert " + (folder / "first.crt") + " --cert " +
                     (folder / (who + ".crt")) + " --key " + (folder / (who + ".key")) +
                     " https://127.0.0.1:" + std::to_string(running.server->port()) + "/-/healthy");
  };
  CHECK(ask("newcomer") == "fettle is healthy.\n");
  CHECK(ask("client") == "fettle is healthy.\n");
  CHECK(ask("stranger") == "");
}

TEST_CASE("a certificate that is exchanged is shown from the next connection on") {
  const Folder folder;
  const auto certificate = [&](const char* name) {
    return fakes::make_certificate({.common_name = name, .alternative = "IP:127.0.0.1"});
  };
  certificate("first").write(folder / "server.crt", folder / "server.key");
  write(folder / "web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n");
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  const Running running(options);
  REQUIRE_MESSAGE(running.server, running.error);
  const auto subject = [&] {
    running.server->look_at_files();
    return output_of("openssl s_client -connect 127.0.0.1:" + std::to_string(running.server->port()) +
                     " </dev/null 2>/dev/null | openssl x509 -noout -subject");
  };
  CHECK(subject() == "subject=CN = first\n");
  certificate("second").write(folder / "server.crt", folder / "server.key");
  CHECK(subject() == "subject=CN = second\n");
  certificate("third").write(folder / "server.crt", folder / "server.key");  // within the same second
  CHECK(subject() == "subject=CN = third\n");
  certificate("fourth").write(folder / "server.crt", folder / "other.key");  // whose key has not come yet
  CHECK(subject() == "subject=CN = third\n");
  std::filesystem::rename(folder / "other.key", folder / "server.key");
  CHECK(subject() == "subject=CN = fourth\n");
}

TEST_CASE("a certificate that is not there is named at the start") {
  const Folder folder;
  write(folder / "web.yml", "tls_server_config: {cert_file: none.crt, key_file: none.key}\n");
  web::ServerOptions options;
  options.web_config_file = folder / "web.yml";
  CHECK(has(Running(options).error, folder / "none.crt"));
}

TEST_CASE("many clients at once, while snapshots change") {
  Running running;
  REQUIRE_MESSAGE(running.server, running.error);
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      const char* const paths[] = {"/metrics", "/", "/api/v1/services", "/api/v1/query?query=1"};
      for (int i = 0; i < 20; ++i)
        if (running.ask(std::string("GET ") + paths[(c + i) % 4] + " HTTP/1.1").starts_with("HTTP/1.1 200 ")) ++good;
    });
  for (int i = 0; i < 200; ++i) {
    web::Snapshot next = fakes::shop_snapshot();
    next.number = static_cast<std::uint64_t>(100 + i);
    running.publish(std::move(next));
  }
  for (std::thread& client : clients) client.join();
  CHECK(good == 160);
}
