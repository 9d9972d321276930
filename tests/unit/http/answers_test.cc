// What becomes of an answer that is not the last word: redirects with their cookies and credentials, kept connections
// that the server has given up, bodies that are packed or longer than anybody looks at.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "encoding/gzip.h"
#include "fakes/certificates.h"
#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "http/http_client.h"
#include "net/resolver.h"
#include "net/tls/tls.h"

using namespace std::chrono_literals;
using fakes::PeerSocket;
using fakes::TcpPeer;
using fakes::TlsServer;
using model::Reason;

namespace {

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};

  http::HttpResponse ask(http::HttpRequest request) {
    std::optional<http::HttpResponse> response;
    request.deadline = loop.now() + 10s;
    const auto handle = http.request(std::move(request), [&](http::HttpResponse r) { response = std::move(r); });
    REQUIRE(fakes::run_until(loop, [&] { return response.has_value(); }));
    return *std::move(response);
  }
};

std::string answer(const std::string& body, const std::string& status = "200 OK", const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a redirect that sets a cookie ends where the cookie comes back") {
  World world;
  std::string seen;
  TcpPeer peer([&](PeerSocket& socket) {
    const std::string request = socket.read_request();
    if (has(request, "consent=yes")) {
      seen = request;
      socket.send(answer("in"));
    } else {
      socket.send(answer("", "302 Found", "Set-Cookie: consent=yes; Path=/\r\nLocation: /\r\n"));
    }
    socket.wait_for_close();
  });
  const auto bare = world.ask({.url = peer.url()});
  CHECK(bare.body == "in");
  CHECK(bare.redirects == 1);
  CHECK(bare.cookies == std::vector<std::string>{"yes"});
  CHECK(has(seen, "\r\nCookie: consent=yes\r\n"));
  // Beside one that was configured, in one header.
  CHECK(world.ask({.url = peer.url(), .headers = {{"Cookie", "theme=dark"}}}).body == "in");
  CHECK(has(seen, "\r\nCookie: theme=dark; consent=yes\r\n"));
  // The next run begins without.
  CHECK(world.ask({.url = peer.url(), .max_redirects = 0}).status == 302);
}

TEST_CASE("an answer that has come already is followed, and not asked for again") {
  World world;
  TcpPeer peer([&](PeerSocket& socket) {
    const std::string request = socket.read_request();
    socket.send(answer(has(request, "GET /b ") && has(request, "Cookie: a=1") ? "b" : "wrong"));
    socket.wait_for_close();
  });
  auto first = std::make_shared<http::HttpResponse>();
  first->status = 301;
  first->headers = {{"Location", "b"}, {"Set-Cookie", "a=1"}};
  const auto response = world.ask({.method = "POST", .url = peer.url("/a"), .body = "x", .answered = first});
  CHECK(response.body == "b");
  CHECK(response.redirects == 1);
  CHECK(response.effective_url == peer.url("/b"));
  CHECK(peer.accepted() == 1);
  // One that leads nowhere is the answer.
  first->headers.clear();
  CHECK(world.ask({.url = peer.url("/a"), .answered = first}).status == 301);
  CHECK(peer.accepted() == 1);
}

TEST_CASE("credentials go on to the same host over TLS, and to nobody else") {
  World world;
  const auto certificate = fakes::make_certificate({.common_name = "s", .alternative = "IP:127.0.0.1"});
  const TlsServer server(certificate);
  std::string seen;
  TcpPeer secure([&](PeerSocket& socket) {
    const auto ssl = server.accept(socket);
    if (ssl == nullptr) return;
    seen = TlsServer::read_until(ssl.get(), "\r\n\r\n");
    TlsServer::send(ssl.get(), answer("", has(seen, "Authorization") ? "200 OK" : "401 No"));
  });
  TcpPeer open([&](PeerSocket& socket) {
    socket.read_request();
    socket.send(answer("", "301 Moved", "Location: https://" + secure.address() + "/\r\n"));
    socket.wait_for_close();
  });
  const auto tls = net::TlsContext::get({.insecure_skip_verify = true}).value();
  const http::Headers headers{{"Authorization", "Basic eA=="}, {"Host", "shop.test"}};
  const auto up =
      world.ask({.url = open.url("/up"), .headers = headers, .private_headers = {{"X-Key", "k"}}, .tls = tls});
  CHECK(up.status == 200);
  CHECK(has(seen, "X-Key: k"));
  CHECK_FALSE(has(seen, "shop.test"));
  TcpPeer elsewhere([&](PeerSocket& socket) {
    seen = socket.read_request();
    socket.send(answer("", "401 No"));
    socket.wait_for_close();
  });
  TcpPeer leads([&](PeerSocket& socket) {
    socket.read_request();
    socket.send(answer("", "301 Moved", "Location: " + elsewhere.url() + "\r\n"));
    socket.wait_for_close();
  });
  const auto away = world.ask({.url = leads.url(), .headers = headers});
  CHECK(away.status == 401);
  CHECK_FALSE(has(seen, "Authorization"));
  CHECK(http::refused_credentials(away) == "status 401 from " + elsewhere.url() +
                                               ", where a redirect led; the credentials are for another host and were "
                                               "not sent there");
  http::HttpResponse refused;
  refused.status = 403;
  CHECK(http::refused_credentials(refused) == "status 403: the credentials were refused");
}

// As in Go: of a Location that names a host, the Host header and the login are its own.
TEST_CASE("what was meant for the host that was asked does not go to the one that a Location names") {
  World world;
  std::string location, seen;
  TcpPeer peer([&](PeerSocket& socket) {
    seen = socket.read_request();
    if (has(seen, "GET /from ")) socket.send(answer("", "302 Found", "Location: " + location + "\r\n"));
    else socket.send(answer("ok"));
    socket.wait_for_close();
  });
  const auto ask = [&](const std::string& to) {
    location = to;
    CHECK(world.ask({.url = peer.url("/from"), .headers = {{"Host", "named.test"}, {"Authorization", "Basic eA=="}}})
              .body == "ok");
  };
  for (const char* relative : {"/to", "to?u=http://other.test/", "?only=query"}) {
    CAPTURE(relative);
    ask(relative);
    CHECK(has(seen, "Host: named.test\r\n"));
    CHECK(has(seen, "Authorization: Basic eA==\r\n"));
  }
  ask(peer.url("/to"));
  CHECK(has(seen, "Host: " + peer.address() + "\r\n"));
  CHECK(has(seen, "Authorization: Basic eA==\r\n"));
  ask("http://u:p@" + peer.address() + "/to");
  CHECK(has(seen, "Authorization: Basic dTpw\r\n"));
  CHECK_FALSE(has(seen, "Basic eA=="));
}

TEST_CASE("the name for TLS is that of the host that was asked, and of no other that a redirect leads to") {
  World world;
  const TlsServer server(fakes::make_certificate({.common_name = "s", .alternative = "IP:127.0.0.1"}));
  std::string location;
  std::vector<std::string> names;
  TcpPeer peer([&](PeerSocket& socket) {
    const auto ssl = server.accept(socket, &names.emplace_back());
    if (ssl == nullptr) return;
    const bool first = has(TlsServer::read_until(ssl.get(), "\r\n\r\n"), "GET /from ");
    TlsServer::send(ssl.get(), first ? answer("", "302 Found", "Location: " + location + "\r\n") : answer("ok"));
  });
  const auto tls = net::TlsContext::get({.server_name = "sni.test", .insecure_skip_verify = true}).value();
  const auto ask = [&](const std::string& to) {
    location = to;
    names.clear();
    CHECK(world.ask({.url = "https://" + peer.address() + "/from", .tls = tls}).body == "ok");
    return names;
  };
  CHECK(ask("/to") == std::vector<std::string>{"sni.test", "sni.test"});
  CHECK(ask("https://" + peer.address() + "/to") == std::vector<std::string>{"sni.test", "sni.test"});
  const std::string port = peer.address().substr(peer.address().rfind(':'));
  CHECK(ask("https://localhost" + port + "/to") == std::vector<std::string>{"sni.test", "localhost"});
}

TEST_CASE("a Host header names the peer in TLS, and a connection to one name is not lent to another") {
  World world;
  const auto certificate = fakes::make_certificate({.common_name = "s", .alternative = "DNS:shop.test"});
  const std::string file =
      (std::filesystem::temp_directory_path() / ("fettle-host-" + std::to_string(::getpid()))).string();
  certificate.write(file);
  const TlsServer server(certificate);
  std::string name;
  TcpPeer peer([&](PeerSocket& socket) {
    const auto ssl = server.accept(socket, &name);
    if (ssl == nullptr) return;
    while (!TlsServer::read_until(ssl.get(), "\r\n\r\n").empty()) TlsServer::send(ssl.get(), answer("ok"));
  });
  const auto tls = net::TlsContext::get({.ca_file = file}).value();
  const auto ask = [&](const std::string& host) {
    http::HttpRequest request{.url = "https://" + peer.address() + "/", .tls = tls, .reuse_connection = true};
    if (!host.empty()) request.headers = {{"Host", host}};
    return world.ask(std::move(request)).reason;
  };
  CHECK(ask("shop.test") == Reason::none);
  CHECK(name == "shop.test");
  CHECK(ask("shop.test:8443") == Reason::none);
  CHECK(peer.accepted() == 1);
  CHECK(ask("other.test") == Reason::tls_verify);
  CHECK(name == "other.test");
  CHECK(ask("") == Reason::tls_verify);
  CHECK(http::tls_name_of({{"host", "10.0.0.1:80"}}).empty());
  CHECK(http::tls_name_of({{"host", "[::1]:80"}}).empty());
  std::filesystem::remove(file);
}

TEST_CASE("a kept connection that the server has given up is no failure, however often") {
  World world;
  const auto ask = [&](const TcpPeer& peer) { return world.ask({.url = peer.url(), .reuse_connection = true}); };
  SUBCASE("the second request of each connection is met with silence") {
    TcpPeer peer([](PeerSocket& socket) {
      socket.read_request();
      socket.send(answer("ok"));
      socket.read_request();
    });
    for (int i = 0; i < 20; ++i) {
      const auto response = ask(peer);
      CAPTURE(response.text);
      CHECK(response.reason == Reason::none);
    }
  }
  SUBCASE("what was said while nobody asked is no answer") {
    std::atomic<int> unasked{0};
    TcpPeer peer([&](PeerSocket& socket) {
      socket.read_request();
      socket.send(answer("ok"));
      socket.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      ++unasked;
      socket.wait_for_close();
    });
    for (int i = 0; i < 6; ++i) {
      CHECK(ask(peer).status == 200);
      REQUIRE(fakes::run_until(world.loop, [&] { return unasked == i + 1; }));
      // Whatever the server says after it was heard in an earlier turn of the loop.
      bool turned = false;
      const auto next = world.loop.after(20ms, [&] { turned = true; });
      REQUIRE(fakes::run_until(world.loop, [&] { return turned; }));
    }
  }
}

TEST_CASE("a packed body is unpacked to its end, or is no answer") {
  const std::string one = encoding::gzip("one "), two = encoding::gzip("two");
  struct Row {
    const char* name;
    std::string body, headers;
    bool must = false;
    std::string want;  // the body, or what is wrong
    std::string accept = "gzip";
  };
  const std::string packed = "Content-Encoding: gzip\r\n";
  const std::string zlib_text = std::string("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27", 11);  // abc
  const std::string brotli_header = "Content-Encoding: br\r\n";
  // A metablock that is not compressed, and the last one, which is empty (RFC 7932, 9.2).
  const std::string brotli = "\x0b\x07\x80one two one two\x03";
  for (const Row& row : std::initializer_list<Row>{
           {"one member", one, packed, true, "one "},
           {"several members", one + two, packed, true, "one two"},
           {"cut off", one.substr(0, one.size() - 3), packed, true,
            "the body ends in the middle of its compressed data"},
           {"broken", one.substr(0, 12) + "xxxxxxxxxxxx", packed, true,
            "the body is broken in the middle of its compressed data"},
           {"what follows is no member", one + "tail", packed, true,
            "the body is broken in the middle of its compressed data"},
           {"not packed at all", "plain", "", true, "the body is not compressed with gzip"},
           {"empty", "", "", true, "the body is empty, not gzip"},
           {"not packed, where it may be", "plain", "", false, "plain"},
           {"packed, where it may be", one, packed, false, "one "},
           {"deflate with zlib's wrapper", zlib_text, "Content-Encoding: deflate\r\n", true, "abc", "deflate"},
           {"deflate without", zlib_text.substr(2, 5), "Content-Encoding: deflate\r\n", true, "abc", "deflate"},
           {"brotli that is none", "plain", "", true, "the body is not compressed with br", "br"},
           {"brotli", brotli, brotli_header, true, "one two one two", "br"},
           {"brotli, where it may be", brotli, brotli_header, false, "one two one two", "br"},
           {"brotli, cut off", brotli.substr(0, brotli.size() - 1), brotli_header, true,
            "the body ends in the middle of its compressed data", "br"},
           {"brotli, cut off, where it may be", brotli.substr(0, brotli.size() - 1), brotli_header, false,
            "the body ends in the middle of its compressed data", "br"},
           {"something follows brotli", brotli + "tail", brotli_header, true,
            "the body is broken in the middle of its compressed data", "br"},
       }) {
    CAPTURE(row.name);
    World world;
    std::string seen;
    TcpPeer peer([&](PeerSocket& socket) {
      seen = socket.read_request();
      // A redirect's own words are nobody's business.
      if (has(seen, "GET /from ")) socket.send(answer("moved", "302 Found", "Location: /to\r\n"));
      else socket.send(answer(row.body, "200 OK", row.headers));
      socket.wait_for_close();
    });
    const auto response =
        world.ask({.url = peer.url("/from"), .accept_encoding = row.accept, .must_be_encoded = row.must});
    CHECK(has(seen, "Accept-Encoding: " + row.accept));
    if (response.reason == Reason::none) CHECK(response.body == row.want);
    else CHECK(response.text == row.want);
  }
}

TEST_CASE("a head is read as leniently as without a library") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\nX-Policy: a;\n  b\nContent-Length: 2\n\nok");
    socket.wait_for_close();
  });
  const auto response = world.ask({.url = peer.url()});
  CHECK(response.body == "ok");
  REQUIRE(http::find_header(response.headers, "X-Policy") != nullptr);
  CHECK(*http::find_header(response.headers, "X-Policy") == "a; b");
}

TEST_CASE("a head that is refused without a library is refused with it") {
  struct Row {
    std::string head;
    const char* text;
  };
  for (const Row& row : {
           Row{"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n", " sent a bad Content-Length: '2, 2'"},
           Row{"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n", " sent a bad Content-Length: '+2'"},
           Row{"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n", " sent a bad Content-Length: '0x2'"},
           Row{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n", " sent a bad Content-Length: "},
           Row{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n",
               " uses a transfer encoding that was not offered: 'chunked, chunked'"},
           Row{"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n", " sent a bad header line: ': a'"},
           Row{"http/1.1 200 OK\r\nContent-Length: 2\r\n", " does not speak HTTP; it sent 'http/1.1 200 OK'"},
           Row{"HTTP/1.1 200 OK\r\nX: " + std::string(300 * 1024, 'a') + "\r\n",
               " sent a head with a line of more than 100 KiB"},
       }) {
    CAPTURE(row.text);
    World world;
    TcpPeer peer([&](PeerSocket& socket) {
      socket.read_request();
      socket.send(row.head + "\r\nok");
      socket.wait_for_close();
    });
    const auto response = world.ask({.url = peer.url()});
    CHECK(response.reason == Reason::protocol_error);
    CHECK(has(response.text, row.text));
  }
}

TEST_CASE("what is beyond the limit of a body fails the request, or is counted only") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    socket.read_request();
    socket.send(answer(std::string(100'000, 'x')));
    socket.wait_for_close();
  });
  CHECK(world.ask({.url = peer.url(), .body_limit = 1000}).reason == Reason::too_large);
  const auto counted = world.ask({.url = peer.url(), .body_limit = 1000, .counts_rest = true});
  CHECK(counted.reason == Reason::none);
  CHECK(counted.body.size() == 1000);
  CHECK(counted.body_size == 100'000);
}
