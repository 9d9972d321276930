#include "http/http_client.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "fakes/run_until.h"
#include "fakes/tcp_peer.h"
#include "net/resolver.h"

using namespace std::chrono_literals;
using fakes::PeerSocket;
using fakes::TcpPeer;
using model::Reason;

namespace {

struct World {
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};

  http::HttpResponse ask(http::HttpRequest request, base::Duration limit = 10s) {
    std::optional<http::HttpResponse> response;
    request.deadline = loop.now() + limit;
    const auto handle = http.request(std::move(request), [&](http::HttpResponse r) {
      REQUIRE_FALSE(response.has_value());
      response = std::move(r);
    });
    CHECK_FALSE(response.has_value());
    REQUIRE(fakes::run_until(loop, [&] { return response.has_value(); }));
    return *std::move(response);
  }
  http::HttpResponse get(const std::string& url, base::Duration limit = 10s) { return ask({.url = url}, limit); }
};

std::string answer(const std::string& body, const std::string& status = "200 OK", const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

std::vector<std::string> phase_names(const http::HttpResponse& response) {
  std::vector<std::string> names;
  for (const auto& phase : response.phases) names.emplace_back(phase.name);
  return names;
}

// Connections in state TIME_WAIT (06) with this local or remote port.
int time_waits(std::uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::array<char, 6> want{};
  std::snprintf(want.data(), want.size(), ":%04X", port);
  int count = 0;
  for (std::string line; std::getline(table, line);)
    count += line.find(want.data()) != std::string::npos && line.find(" 06 ") != std::string::npos;
  return count;
}

}  // namespace

TEST_CASE("a good answer comes with status, headers, body, phases and address") {
  World world;
  std::string seen;
  TcpPeer peer([&](PeerSocket& socket) {
    seen = socket.read_request();
    socket.send(answer("hello", "200 Fine", "X-One: 1\r\nx-one:  two \r\n"));
    socket.wait_for_close();
  });
  const auto response = world.ask({.url = peer.url("/healthz?x=1"), .headers = {{"X-Probe", "yes"}}});
  CHECK(response.reason == Reason::none);
  CHECK(response.text.empty());
  CHECK(response.status == 200);
  CHECK(response.version == "1.1");
  CHECK(response.headers == http::Headers{{"Content-Length", "5"}, {"X-One", "1"}, {"x-one", "two"}});
  CHECK(response.body == "hello");
  CHECK(response.content_length == 5);
  CHECK(response.effective_url == peer.url("/healthz?x=1"));
  CHECK(response.address == "127.0.0.1");
  CHECK(response.redirects == 0);
  CHECK_FALSE(response.tls_seen);
  CHECK(phase_names(response) == std::vector<std::string>{"connect", "processing", "transfer"});
  CHECK(seen.starts_with("GET /healthz?x=1 HTTP/1.1\r\nHost: " + peer.address() + "\r\n"));
  CHECK(seen.find("X-Probe: yes\r\n") != std::string::npos);
  CHECK(seen.find("User-Agent: fettle\r\n") != std::string::npos);
}

TEST_CASE("every way in which a peer can fail has its reason and a text that says where") {
  struct Row {
    const char* name;
    TcpPeer::Serve serve;
    Reason reason;
    const char* text;
  };
  const auto hang = [](PeerSocket& socket) { socket.wait_for_close(); };
  const std::vector<Row> rows{
      {"silent", hang, Reason::read_timeout, "no answer from PEER in time"},
      {"stops within the headers",
       [](PeerSocket& socket) {
         socket.send("HTTP/1.1 200 OK\r\nX");
         socket.wait_for_close();
       },
       Reason::read_timeout, "PEER did not end its answer in time"},
      {"stops within the body",
       [](PeerSocket& socket) {
         socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal");
         socket.wait_for_close();
       },
       Reason::read_timeout, "PEER did not end its answer in time"},
      {"closes at once", [](PeerSocket& socket) { socket.read_request(); }, Reason::closed_early,
       "PEER: Empty reply from server"},
      {"closes within the body",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal");
       },
       Reason::closed_early, "PEER: transfer closed with 7 bytes remaining to read"},
      {"resets instead of an answer",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.reset();
       },
       Reason::reset, "PEER: Recv failure: Connection reset by peer"},
      {"resets within the body",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal");
         socket.reset();
       },
       Reason::reset, "PEER: Recv failure: Connection reset by peer"},
      {"speaks another protocol",
       [](PeerSocket& socket) {
         socket.send("220 mail.example ESMTP\r\n");
         socket.wait_for_close();
       },
       Reason::protocol_error, "PEER: Received HTTP/0.9 when not allowed"},
      {"breaks its own chunks",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
         socket.wait_for_close();
       },
       Reason::protocol_error, nullptr},
      {"sends too much",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send("HTTP/1.1 200 OK\r\n\r\n");
         const std::string block(65536, 'x');
         for (int i = 0; i < 100; ++i) socket.send(block);
       },
       Reason::too_large, "the body is larger than 65536 bytes"},
      {"redirects for ever",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send(answer("", "302 Found", "Location: /again\r\n"));
         socket.wait_for_close();
       },
       Reason::protocol_error, "more than 10 redirects"},
      {"redirects to a place that is no web",
       [](PeerSocket& socket) {
         socket.read_request();
         socket.send(answer("", "302 Found", "Location: ftp://127.0.0.1/\r\n"));
         socket.wait_for_close();
       },
       Reason::protocol_error, "ftp://127.0.0.1/ is neither http:// nor https://"},
  };
  World world;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    TcpPeer peer(row.serve);
    const auto response = world.get(peer.url(), row.reason == Reason::read_timeout ? 30ms : 10s);
    CHECK(model::to_string(response.reason) == model::to_string(row.reason));
    if (row.text == nullptr) continue;
    std::string want = row.text;
    if (const auto at = want.find("PEER"); at != std::string::npos) want.replace(at, 4, peer.address());
    CHECK(response.text == want);
  }
}

TEST_CASE("what never reaches a server has its reason too") {
  World world;
  const std::string dead = std::to_string(TcpPeer::dead_port());
  struct Row {
    http::HttpRequest request;
    Reason reason;
    std::string text;
  };
  for (const Row& row : {
           Row{{.url = "http://127.0.0.1:" + dead + "/"},
               Reason::refused,
               "connect to 127.0.0.1:" + dead + ": Connection refused"},
           Row{{.url = "http://localhost/", .unix_socket = "/no/such/socket"},
               Reason::refused,
               "connect to /no/such/socket: No such file or directory"},
           Row{{.url = "ftp://127.0.0.1/"}, Reason::protocol_error, "ftp://127.0.0.1/ is neither http:// nor https://"},
           Row{{.url = "http://"}, Reason::protocol_error, "http:// is no URL: No host part in the URL"},
           Row{{.url = "http://bücher.example/"},
               Reason::protocol_error,
               "http://bücher.example/: write the host's name in its ASCII form (xn--…)"},
           Row{{.url = "http://127.0.0.1:" + dead, .headers = {{"X", "a\r\nY: b"}}},
               Reason::protocol_error,
               "the method or a header has a line break in it"},
           Row{{.url = "http://127.0.0.1:" + dead, .family = net::Family::v6},
               Reason::dns_error,
               "127.0.0.1 is no IPv6 address"},
       }) {
    CAPTURE(row.text);
    const auto response = world.ask(row.request);
    CHECK(model::to_string(response.reason) == model::to_string(row.reason));
    CHECK(response.text == row.text);
  }
}

TEST_CASE("a full accept queue is a connect timeout") {
  World world;
  base::UniqueFd listener;
  const auto port = TcpPeer::bind_loopback(listener);
  REQUIRE(::listen(listener.value(), 0) == 0);
  // Fills the queue: connections that nobody accepts.
  std::vector<loop::Handle> fill;
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/";
  for (int i = 0; i < 3; ++i)
    fill.push_back(world.http.request({.url = url, .deadline = world.loop.now() + 10s}, [](auto) {}));
  const auto begin = world.loop.now();
  const auto response = world.get(url, 40ms);
  CHECK(response.reason == Reason::connect_timeout);
  CHECK(response.text == "connect to 127.0.0.1:" + std::to_string(port) + ": timed out");
  CHECK(world.loop.now() - begin >= 40ms);
  CHECK(phase_names(response).empty());
}

TEST_CASE("a peer that takes no more is a send timeout") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    const int small = 1;
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    std::array<pollfd, 1> hung_up{pollfd{.fd = socket.fd(), .events = POLLRDHUP, .revents = 0}};
    ::poll(hung_up.data(), 1, 10'000);
  });
  const auto response = world.ask({.method = "POST", .url = peer.url(), .body = std::string(20'000'000, 'x')}, 100ms);
  CHECK(response.reason == Reason::send_timeout);
  CHECK(response.text == peer.address() + " did not take the request in time");
}

TEST_CASE("methods and bodies arrive as asked") {
  struct Row {
    const char* method;
    const char* body;
    const char* want;
  };
  World world;
  std::string seen;
  TcpPeer peer([&](PeerSocket& socket) {
    seen = socket.read_request();
    if (const auto at = seen.find("Content-Length: "); at != std::string::npos) {
      const auto size = std::strtoul(seen.c_str() + at + 16, nullptr, 10);
      while (seen.size() - seen.find("\r\n\r\n") - 4 < size) {
        const std::string more = socket.read_until("!");
        if (more.empty()) break;
        seen += more;
      }
    }
    socket.send(seen.starts_with("HEAD") ? "HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n" : answer("ok"));
    socket.wait_for_close();
  });
  // One after the other over the same pooled handle: nothing of one may show in the next.
  for (const Row& row : {Row{"POST", "a=1!", "POST / "}, Row{"GET", "", "GET / "}, Row{"HEAD", "", "HEAD / "},
                         Row{"GET", "", "GET / "}, Row{"PUT", "put!", "PUT / "}, Row{"DELETE", "", "DELETE / "},
                         Row{"POST", "", "POST / "}, Row{"GET", "with body!", "GET / "}, Row{"GET", "", "GET / "}}) {
    CAPTURE(row.method);
    CAPTURE(row.body);
    const auto response = world.ask({.method = row.method, .url = peer.url(), .headers = {}, .body = row.body});
    CHECK(response.reason == Reason::none);
    CHECK(seen.starts_with(row.want));
    CHECK(seen.ends_with("\r\n\r\n" + std::string(row.body)));
    CHECK(seen.find("Expect") == std::string::npos);
    CHECK(seen.find("Content-Type") == std::string::npos);
  }
}

TEST_CASE("a Location without a word leads nowhere") {
  World world;
  int asked = 0;
  TcpPeer peer([&](PeerSocket& socket) {
    ++asked;
    socket.read_request();
    socket.send(answer("", "302 Found", "Location:  \r\n"));
    socket.wait_for_close();
  });
  const auto response = world.ask({.url = peer.url("/")});
  CHECK(response.status == 302);
  CHECK(response.redirects == 0);
  CHECK(asked == 1);
}

TEST_CASE("redirects are followed with the method changed as Go changes it, and credentials stay at home") {
  World world;
  std::string elsewhere_seen, back_seen;
  TcpPeer elsewhere([&](PeerSocket& socket) {
    elsewhere_seen = socket.read_request();
    socket.send(answer("there"));
    socket.wait_for_close();
  });
  TcpPeer peer([&](PeerSocket& socket) {
    const std::string request = socket.read_request();
    if (request.find(" /away ") != std::string::npos) {
      socket.send(
          answer("gone", "302 Found", "Location: http://localhost:" + std::to_string(elsewhere.port()) + "/x\r\n"));
    } else if (request.find(" /near ") != std::string::npos) {
      socket.send(answer("", "307 Temporary", "Location: here\r\n"));
    } else {
      back_seen = request;
      socket.send(answer("here"));
    }
    socket.wait_for_close();
  });
  const http::Headers headers{{"Authorization", "Bearer x"}, {"X-Keep", "1"}};
  SUBCASE("to another origin by name") {
    const auto response = world.ask({.method = "POST", .url = peer.url("/away"), .headers = headers, .body = "b"});
    CHECK(response.body == "there");
    CHECK(response.redirects == 1);
    CHECK(response.effective_url == "http://localhost:" + std::to_string(elsewhere.port()) + "/x");
    CHECK(phase_names(response).front() == "resolve");
    CHECK(elsewhere_seen.starts_with("GET /x "));
    CHECK(elsewhere_seen.find("Authorization") == std::string::npos);
    CHECK(elsewhere_seen.find("X-Keep: 1") != std::string::npos);
  }
  SUBCASE("with any method but GET and HEAD") {
    for (const char* method : {"PUT", "OPTIONS", "DELETE"}) {
      CHECK(world.ask({.method = method, .url = peer.url("/away")}).body == "there");
      CHECK(elsewhere_seen.starts_with("GET /x "));
    }
    CHECK(world.ask({.method = "HEAD", .url = peer.url("/away")}).status == 200);
    CHECK(elsewhere_seen.starts_with("HEAD /x "));
    CHECK(world.ask({.method = "PUT", .url = peer.url("/near"), .body = "b"}).body == "here");
    CHECK(back_seen.starts_with("PUT /here "));
  }
  SUBCASE("a header that is private stays at home as well") {
    const http::Headers secret{{"X-Key", "s3cret"}};
    CHECK(world.ask({.url = peer.url("/away"), .headers = headers, .private_headers = secret}).body == "there");
    CHECK(elsewhere_seen.find("X-Keep: 1") != std::string::npos);
    CHECK(elsewhere_seen.find("X-Key") == std::string::npos);
    CHECK(world.ask({.url = peer.url("/near"), .private_headers = secret}).body == "here");
    CHECK(back_seen.find("X-Key: s3cret") != std::string::npos);
  }
  SUBCASE("a body is not lost on the way") {
    const auto lost = world.ask({.method = "POST", .url = peer.url("/away"), .body = "b", .keeps_method = true});
    CHECK(lost.status == 302);
    CHECK(world.ask({.method = "POST", .url = peer.url("/near"), .body = "b", .keeps_method = true}).body == "here");
    CHECK(back_seen.ends_with("\r\n\r\nb"));
  }
  SUBCASE("to the same origin") {
    const auto response = world.ask({.method = "POST", .url = peer.url("/near"), .headers = headers, .body = "b"});
    CHECK(response.body == "here");
    CHECK(back_seen.starts_with("POST /here "));
    CHECK(back_seen.find("Authorization: Bearer x") != std::string::npos);
  }
  SUBCASE("not at all") {
    const auto response = world.ask({.url = peer.url("/away"), .max_redirects = 0});
    CHECK(response.reason == Reason::none);
    CHECK(response.status == 302);
    CHECK(response.body == "gone");
  }
}

TEST_CASE("names are resolved by the resolver and never by curl") {
  struct OneAddress final : net::Resolver {
    explicit OneAddress(loop::EventLoop& l) : real(l) {}
    loop::Handle resolve(const std::string& name, std::uint16_t port, net::Family family, base::Instant deadline,
                         std::function<void(base::Result<std::vector<net::Address>>)> done) override {
      asked = name;
      if (name == "silent.test") return {};
      return real.resolve(name == "shop.test" ? "127.0.0.1" : "::1", port, family, deadline, std::move(done));
    }
    net::AresResolver real;
    std::string asked;
  };
  loop::EventLoop loop;
  OneAddress resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  std::string seen;
  TcpPeer peer([&](PeerSocket& socket) {
    seen = socket.read_request();
    socket.send(answer("ok"));
    socket.wait_for_close();
  });
  const std::string port = std::to_string(peer.port());
  std::optional<http::HttpResponse> response;
  const auto ask = [&](const std::string& url, base::Duration limit) {
    response.reset();
    const auto handle = http.request({.url = url, .deadline = loop.now() + limit},
                                     [&](http::HttpResponse r) { response = std::move(r); });
    REQUIRE(fakes::run_until(loop, [&] { return response.has_value(); }));
  };
  ask("http://shop.test:" + port + "/", 10s);
  CHECK(resolver.asked == "shop.test");
  CHECK(response->reason == Reason::none);
  CHECK(seen.find("Host: shop.test:" + port) != std::string::npos);
  ask("http://silent.test:" + port + "/", 20ms);
  CHECK(response->reason == Reason::dns_error);
  CHECK(response->text == "no answer about silent.test in time");
}

TEST_CASE("a unix socket is connected to instead of the URL's host") {
  World world;
  const std::string path = std::filesystem::temp_directory_path() / ("fettle-http-" + std::to_string(::getpid()));
  TcpPeer peer(
      [](PeerSocket& socket) {
        socket.read_request();
        socket.send(answer("unix"));
        socket.wait_for_close();
      },
      AF_UNIX, path);
  const auto response = world.ask({.url = "http://no-such-host.invalid/", .unix_socket = path});
  CHECK(response.reason == Reason::none);
  CHECK(response.body == "unix");
  CHECK(response.address.empty());
}

TEST_CASE("a proxy is used only when the request names one") {
  World world;
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  std::string seen;
  TcpPeer peer([&](PeerSocket& socket) {
    seen = socket.read_request();
    socket.send(seen.starts_with("CONNECT") ? answer("no", "403 Forbidden") : answer("ok"));
    socket.wait_for_close();
  });
  CHECK(world.get(peer.url()).reason == Reason::none);
  CHECK(world.ask({.url = "http://far.invalid/x", .proxy = peer.url("")}).reason == Reason::none);
  CHECK(seen.starts_with("GET http://far.invalid/x HTTP/1.1\r\n"));
  // Another proxy for https:// is no matter of http://, and the other way round.
  CHECK(world.ask({.url = "http://far.invalid/x", .proxy = peer.url(""), .https_proxy = ""}).reason == Reason::none);
  CHECK(world.ask({.url = "http://far.invalid/x", .proxy = "", .https_proxy = peer.url("")}).reason ==
        Reason::dns_error);
  CHECK(world.ask({.url = "https://far.invalid/x", .proxy = "", .https_proxy = peer.url("")}).reason != Reason::none);
  CHECK(seen.starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n"));
  // What no_proxy names is resolved and asked by us, and this host is, too.
  CHECK(world.ask({.url = "http://far.invalid/x", .proxy = peer.url(""), .no_proxy = "invalid"}).reason ==
        Reason::dns_error);
  CHECK(world.ask({.url = peer.url("/direct"), .proxy = "http://127.0.0.1:1", .no_proxy = "shop.test"}).reason ==
        Reason::none);
  CHECK(world.get(peer.url()).reason == Reason::none);
  CHECK(seen.starts_with("GET / "));
  ::unsetenv("http_proxy");
}

TEST_CASE("connections are reused only when asked, and closing leaves no TIME_WAIT") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    while (!socket.read_request().empty()) socket.send(answer("ok"));
  });
  for (int i = 0; i < 5; ++i) CHECK(world.get(peer.url()).reason == Reason::none);
  CHECK(peer.accepted() == 5);
  for (int i = 0; i < 5; ++i) CHECK(world.ask({.url = peer.url(), .reuse_connection = true}).reason == Reason::none);
  CHECK(peer.accepted() == 6);
  CHECK(time_waits(peer.port()) == 0);
}

TEST_CASE("a dropped Handle closes the connection and is silent, also inside another request's done") {
  World world;
  bool told = false;
  TcpPeer hung([&](PeerSocket& socket) { socket.wait_for_close(); });
  TcpPeer peer([](PeerSocket& socket) {
    socket.read_request();
    socket.send(answer("ok"));
    socket.wait_for_close();
  });
  const auto deadline = world.loop.now() + 10s;
  auto victim = world.http.request({.url = hung.url(), .deadline = deadline}, [&](auto) { told = true; });
  loop::Handle self;
  bool done = false;
  self = world.http.request({.url = peer.url(), .deadline = deadline}, [&](auto) {
    victim.reset();
    self.reset();
    done = true;
  });
  REQUIRE(fakes::run_until(world.loop, [&] { return done; }));
  CHECK(world.get(peer.url()).reason == Reason::none);
  CHECK_FALSE(told);
}

TEST_CASE("a hundred requests at once all end, and a done may ask again") {
  World world;
  TcpPeer peer([](PeerSocket& socket) {
    socket.read_request();
    socket.send(answer("ok"));
    socket.wait_for_close();
  });
  int good = 0;
  std::vector<loop::Handle> handles;
  const auto deadline = world.loop.now() + 20s;
  for (int i = 0; i < 100; ++i)
    handles.push_back(world.http.request({.url = peer.url(), .deadline = deadline}, [&](http::HttpResponse first) {
      good += first.reason == Reason::none;
      handles.push_back(world.http.request({.url = peer.url(), .deadline = deadline},
                                           [&](http::HttpResponse second) { good += second.reason == Reason::none; }));
    }));
  CHECK(fakes::run_until(
      world.loop, [&] { return good == 200; }, 20s));
}

TEST_CASE("an answer without an end of its own is over when the one who asked has enough") {
  World world;
  TcpPeer peer([&](PeerSocket& socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n");
    socket.send("7\r\nsecond\n\r\n");
    socket.wait_for_close();
  });
  int asked = 0;
  const auto two_lines = [&](std::string_view body) {
    ++asked;
    return std::count(body.begin(), body.end(), '\n') == 2;
  };
  const auto response = world.ask({.url = peer.url("/"), .enough = two_lines});
  CHECK(response.reason == Reason::none);
  CHECK(response.status == 200);
  CHECK(response.body == "first\nsecond\n");
  CHECK(asked >= 1);
}
