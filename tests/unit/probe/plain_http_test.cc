// The HTTP exchange without a library: the reader of answers, byte by byte and at once, and what is left to the
// library.
#include <doctest/doctest.h>

#include <string>

#include "fakes/fake_stream.h"
#include "fakes/probe_world.h"
#include "probe/http/http_answer.h"
#include "probe/http/plain_http.h"
#include "probe/run_once.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;
using probe::HttpAnswer;

// "200 body" or "reason: text"; `step` bytes at a time, then the end if the answer still waits for it.
std::string read_answer(const std::string& bytes, std::size_t step, const char* method, std::size_t limit) {
  HttpAnswer answer(method, limit);
  HttpAnswer::State state = HttpAnswer::State::reading;
  for (std::size_t at = 0; at < bytes.size() && state == HttpAnswer::State::reading; at += step)
    state = answer.take(std::string_view(bytes).substr(at, step));
  if (state == HttpAnswer::State::reading) state = answer.end();
  const http::HttpResponse& response = answer.response();
  if (state == HttpAnswer::State::failed) return std::string(model::to_string(response.reason)) + ": " + response.text;
  return std::to_string(response.status) + " " + response.body;
}

struct Exchange {
  explicit Exchange(const std::string& url, const std::vector<std::string>& settings = {}) {
    auto parsed = probe::spec_from_arguments("http", url, settings);
    if (!parsed) FAIL(parsed.error().text);
    spec = std::move(*parsed);
    spec.timeout = 1s;
    attempt = probe::run_once(world.context, spec, [this](model::Outcome outcome) {
      ++answers;
      found = std::move(outcome);
    });
    CHECK(answers == 0);
  }
  void connect() {
    net::Connected connected;
    connected.stream = std::make_unique<fakes::FakeStream>(peer);
    connected.address = "10.0.0.1";
    connected.phases = {{"resolve", 1ms}, {"connect", 2ms}};
    world.dialer.desk.answer(std::move(connected));
  }
  fakes::ProbeWorld world;
  fakes::Peer peer{world.loop};
  probe::Spec spec;
  std::unique_ptr<probe::Attempt> attempt;
  model::Outcome found;
  int answers = 0;
};

}  // namespace

TEST_CASE("an answer is read the same however its bytes arrive") {
  struct Row {
    const char* name;
    std::string bytes;
    const char* want;
    const char* method = "GET";
    std::size_t limit = 64;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const Row& row : std::initializer_list<Row>{
           {"counted", ok + "Content-Length: 2\r\n\r\nok", "200 ok"},
           {"counted, and more that nobody asked for", ok + "Content-Length: 2\r\n\r\nokHTTP/1.1 500", "200 ok"},
           {"counted zero", ok + "Content-Length: 0\r\n\r\n", "200 "},
           {"the same length twice", ok + "Content-Length: 2\r\ncontent-length: 2\r\n\r\nok", "200 ok"},
           {"until the end", ok + "\r\nall of it", "200 all of it"},
           {"HTTP/1.0 without a reason", "HTTP/1.0 404\r\n\r\n", "404 "},
           {"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
            "200 abc0123456789"},
           {"chunks and a trailer", ok + "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", "200 a"},
           {"chunks rule over a length",
            ok + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "200 a"},
           {"interim answers come before",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
            "200 x"},
           {"HEAD has no body", ok + "Content-Length: 5\r\n\r\n", "200 ", "HEAD"},
           {"204 has no body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 "},
           {"exactly the limit", ok + "Content-Length: 4\r\n\r\n1234", "200 1234", "GET", 4},
           {"over the limit", ok + "Content-Length: 5\r\n\r\n12345", "too_large: sent a body of more than 4 bytes",
            "GET", 4},
           {"over the limit without a length", ok + "\r\n12345", "too_large: sent a body of more than 4 bytes", "GET",
            4},
           {"over the limit in chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n",
            "too_large: sent a body of more than 4 bytes", "GET", 4},
           {"nothing", "", "closed_early: closed the connection without an answer"},
           {"half a head", ok + "Content-Le", "closed_early: closed the connection before its answer was complete"},
           {"half a body", ok + "Content-Length: 5\r\n\r\n123",
            "closed_early: closed the connection before its answer was complete"},
           {"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            "closed_early: closed the connection before its answer was complete"},
           {"another protocol", "SSH-2.0-x\r\n", "protocol_error: does not speak HTTP; it sent 'S"},
           {"a bad status", "HTTP/1.1 2x0 OK\r\n\r\n", "protocol_error: sent a bad status line: 'HTTP/1.1 2x0 OK'"},
           {"another version", "HTTP/2 200 OK\r\n\r\n", "protocol_error: sent a bad status line: 'HTTP/2 200 OK'"},
           {"a bad header", ok + "no colon\r\n\r\n", "protocol_error: sent a bad header line: 'no colon'"},
           {"a bad length", ok + "Content-Length: -1\r\n\r\n", "protocol_error: sent a bad Content-Length: '-1'"},
           {"two lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            "protocol_error: sent two different Content-Length headers"},
           {"another encoding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
            "protocol_error: uses a transfer encoding that was not offered: 'gzip, chunked'"},
           {"a bad chunk", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "protocol_error: sent a chunk without a size: 'xyz'"},
           {"a chunk that goes on", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "protocol_error: sent a chunk longer than its size"},
           {"a chunk size with more than a line",
            ok + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(4095, 'x') + "\r\na\r\n0\r\n\r\n",
            "protocol_error: sent a line of more than 4096 bytes"},
           {"the longest of them",
            ok + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(4094, 'x') + "\r\na\r\n0\r\n\r\n", "200 a"},
           {"a long head", ok + "X: " + std::string(300'000, 'x') + "\r\n\r\n", "200 "},
           {"lines that end in LF alone", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "200 ok"},
           {"LF, and no header at all", "HTTP/1.1 200 OK\n\nok", "200 ok"},
           {"LF in chunks", "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n", "200 ok"},
           {"LF and CR LF", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\nok", "200 ok"},
           {"a folded header", ok + "X-Policy: a;\r\n  b\r\n\tc\r\nContent-Length:\r\n 2\r\n\r\nok", "200 ok"},
           {"a fold of nothing", ok + " b: c\r\n\r\n", "protocol_error: sent a bad header line: ' b: c'"},
           {"blanks before the status", "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok"},
           {"a status beyond 599", "HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok", "999 ok"},
       }) {
    CAPTURE(row.name);
    for (const std::size_t step : {1u, 7u, 100'000u}) {
      CAPTURE(step);
      const std::string got = read_answer(row.bytes, step, row.method, row.limit);
      const std::string want = row.want;
      if (want.find("it sent 'S") != std::string::npos) CHECK(got.find(want) == 0);  // as much as came
      else CHECK(got == want);
    }
  }
}

TEST_CASE("a head without an end is given up") {
  HttpAnswer answer("GET", 64);
  answer.take("HTTP/1.1 200 OK\r\n");
  HttpAnswer::State state = HttpAnswer::State::reading;
  const std::string headers = "X-A: " + std::string(60'000, 'x') + "\r\n";
  for (int i = 0; i < 200 && state == HttpAnswer::State::reading; ++i) state = answer.take(headers);
  CHECK(state == HttpAnswer::State::failed);
  CHECK(answer.response().text == "sent a head of more than 10485760 bytes");
  // Nor one of lines without an end, nor one of interim answers.
  HttpAnswer line("GET", 64);
  for (int i = 0; i < 200 && line.take(std::string(60'000, 'H').replace(0, 5, "HTTP/")) == HttpAnswer::State::reading;
       ++i) {
  }
  CHECK(line.response().reason == Reason::protocol_error);
  HttpAnswer interim("GET", 64);
  state = HttpAnswer::State::reading;
  for (int i = 0; i < 200 && state == HttpAnswer::State::reading; ++i)
    state = interim.take("HTTP/1.1 102 Processing\r\n" + headers + "\r\n");
  CHECK(state == HttpAnswer::State::failed);
}

TEST_CASE("a folded header is one header, and what is not looked at is only counted") {
  HttpAnswer answer("GET", 4, HttpAnswer::Beyond::counted);
  CHECK(answer.take("HTTP/1.1 200 OK\r\nX-Policy: a;\r\n  b\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        HttpAnswer::State::reading);
  CHECK(*http::find_header(answer.response().headers, "x-policy") == "a; b");
  CHECK(answer.take("5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n") == HttpAnswer::State::complete);
  CHECK(answer.response().body == "1234");
  CHECK(answer.response().body_size == 8);
}

TEST_CASE("a page of any length is up where nothing looks at its body") {
  const std::string page = "HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + std::string(700'000, 'x');
  Exchange bare("http://127.0.0.1:1/");
  bare.connect();
  bare.peer.say(page);
  CHECK(bare.found.up);
  const auto length = [](const model::Outcome& outcome) {
    for (const model::Measurement& m : outcome.measurements)
      if (m.name == "probe_http_uncompressed_body_length") return m.value;
    return -1.0;
  };
  CHECK(length(bare.found) == 700'000);
  // Where something does, all of it is there.
  Exchange looked("http://127.0.0.1:1/", {"fail_if_body_not_matches_regexp=['x$']"});
  looked.connect();
  looked.peer.say(page);
  CHECK(looked.found.up);
  // Who says how long it may be is taken at his word.
  Exchange limited("http://127.0.0.1:1/", {"body_limit=65536"});
  limited.connect();
  limited.peer.say(page);
  CHECK(limited.found.reason == Reason::too_large);
  // And one that breaks off is no answer.
  Exchange broken("http://127.0.0.1:1/");
  broken.connect();
  broken.peer.say(page.substr(0, 500'000));
  broken.peer.close();
  CHECK(broken.found.reason == Reason::closed_early);
}

TEST_CASE("a request is written as configured") {
  http::HttpRequest request;
  request.url = "http://[::1]:8081/a/b?c=d";
  request.method = "POST";
  request.max_redirects = 0;
  request.headers = {{"Host", "shop"}, {"X-A", "b"}};
  request.body = "ping";
  const auto plain = probe::plain_request(request);
  REQUIRE(plain.has_value());
  CHECK(plain->dial.host == "::1");
  CHECK(plain->dial.port == 8081);
  CHECK(plain->head ==
        "POST /a/b?c=d HTTP/1.1\r\nUser-Agent: fettle\r\nAccept: */*\r\nConnection: close\r\nHost: shop\r\nX-A: b\r\n"
        "Content-Length: 4\r\n");
}

TEST_CASE("a zone says where to connect from, and stands in no Host header") {
  http::HttpRequest request;
  request.max_redirects = 0;
  for (const char* url : {"https://[fe80::1%25eth0]:8081/a", "https://[fe80::1%eth0]:8081/a"}) {
    request.url = url;
    const auto plain = probe::plain_request(request);
    REQUIRE(plain.has_value());
    CHECK(plain->dial.host == "fe80::1%eth0");
    CHECK(plain->dial.port == 8081);
    CHECK(plain->head.find("\r\nHost: [fe80::1]:8081\r\n") != std::string::npos);
  }
}

TEST_CASE("what is unusual is left to the library") {
  struct Row {
    const char* name;
    bool plain;
    std::function<void(http::HttpRequest&)> change;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"the ordinary", true, [](auto&) {}},
           {"a name without a port", true, [](auto& r) { r.url = "http://shop.example"; }},
           {"HEAD", true, [](auto& r) { r.method = "HEAD"; }},
           {"POST", true, [](auto& r) { r.method = "POST"; }},
           {"https", true, [](auto& r) { r.url = "https://x/"; }},
           {"https over a unix socket", false,
            [](auto& r) {
              r.url = "https://x/";
              r.unix_socket = "/run/x.sock";
            }},
           {"https to a name with a dot at its end", false, [](auto& r) { r.url = "https://x./"; }},
           {"a proxy", false, [](auto& r) { r.proxy = "http://proxy:3128"; }},
           {"a kept connection", false, [](auto& r) { r.reuse_connection = true; }},
           {"HTTP/2", false, [](auto& r) { r.http2 = http::Http2::offered; }},
           {"a user in the URL", false, [](auto& r) { r.url = "http://a:b@x/"; }},
           {"a fragment", false, [](auto& r) { r.url = "http://x/#a"; }},
           {"a bad port", false, [](auto& r) { r.url = "http://x:y/"; }},
           {"port 0", false, [](auto& r) { r.url = "http://x:0/"; }},
           {"port 65536", false, [](auto& r) { r.url = "http://x:65536/"; }},
           {"dots in the path", false, [](auto& r) { r.url = "http://x/a/../b"; }},
           {"letters beyond ASCII", false, [](auto& r) { r.url = "http://x/\xc3\xa4"; }},
           {"a header that would break out", false,
            [](auto& r) {
              r.headers = {{"A", "b\r\nC: d"}};
            }},
           {"a method that would break out", false,
            [](auto& r) {
              r.max_redirects = 0;
              r.method = "A / HTTP/1.1\r\nB:";
            }},
           {"a length of the user's own", false,
            [](auto& r) {
              r.headers = {{"content-length", "5"}};
            }},
       }) {
    CAPTURE(row.name);
    http::HttpRequest request;
    request.url = "http://127.0.0.1:8081/healthz";
    row.change(request);
    CHECK(probe::plain_request(request).has_value() == row.plain);
  }
}

TEST_CASE("one exchange gives status, phases and measurements") {
  Exchange exchange("http://shop.example:8081/healthz", {"authorization={credentials: t0ken}"});
  CHECK(exchange.world.dialer.desk.last().host == "shop.example");
  CHECK(exchange.world.dialer.desk.last().deadline == exchange.world.loop.now() + 1s);
  exchange.connect();
  CHECK(exchange.peer.written ==
        std::vector<std::string>{"GET /healthz HTTP/1.1\r\nHost: shop.example:8081\r\nUser-Agent: fettle\r\nAccept: "
                                 "*/*\r\nConnection: close\r\nAuthorization: Bearer t0ken\r\n\r\n"});
  exchange.world.loop.advance(30ms);
  exchange.peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwe");
  exchange.world.loop.advance(10ms);
  exchange.peer.say("ll");
  CHECK(exchange.answers == 1);
  CHECK(exchange.found.text == "status 200 in 40ms");
  REQUIRE(exchange.found.phases.size() == 4);
  CHECK(exchange.found.phases[2].name == "processing");
  CHECK(exchange.found.phases[2].took == 30ms);
  CHECK(exchange.found.phases[3].name == "transfer");
  CHECK(exchange.found.phases[3].took == 10ms);
  exchange.attempt.reset();
  CHECK_FALSE(exchange.peer.open);
}

TEST_CASE("an exchange that fails names the peer and what it did") {
  struct Row {
    const char* name;
    std::function<void(fakes::Peer&)> act;
    Reason reason;
    const char* text;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"silence", [](auto& p) { p.fail(Reason::read_timeout, "read: timed out"); }, Reason::read_timeout,
            "no answer from the test in time"},
           {"half an answer",
            [](auto& p) {
              p.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwe");
              p.fail(Reason::read_timeout, "read: timed out");
            },
            Reason::read_timeout, "the test did not end its answer in time"},
           {"closed", [](auto& p) { p.close(); }, Reason::closed_early,
            "the test closed the connection without an answer"},
           {"reset", [](auto& p) { p.fail(Reason::reset, "read from the test: Connection reset by peer"); },
            Reason::reset, "read from the test: Connection reset by peer"},
           {"no HTTP", [](auto& p) { p.say("220 mail\r\n"); }, Reason::protocol_error,
            "the test does not speak HTTP; it sent '220 mail..'"},
       }) {
    CAPTURE(row.name);
    Exchange exchange("http://127.0.0.1:1/");
    exchange.connect();
    row.act(exchange.peer);
    CHECK(exchange.answers == 1);
    CHECK(exchange.found.reason == row.reason);
    CHECK(exchange.found.text == row.text);
  }
}

TEST_CASE("a redirect is followed by the library, or is the answer") {
  const std::string moved = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
  Exchange follows("http://127.0.0.1:1/a");
  follows.connect();
  follows.peer.say(moved);
  CHECK(follows.answers == 0);
  REQUIRE(follows.world.http.desk.asked().size() == 1);
  CHECK(follows.world.http.desk.last().url == "http://127.0.0.1:1/a");
  // What was asked is not asked again.
  REQUIRE(follows.world.http.desk.last().answered != nullptr);
  CHECK(follows.world.http.desk.last().answered->status == 302);
  CHECK(follows.world.http.desk.last().deadline == follows.world.loop.now() + 1s);
  http::HttpResponse response;
  response.status = 200;
  follows.world.http.desk.answer(response);
  CHECK(follows.found.up);
  Exchange stays("http://127.0.0.1:1/a", {"follow_redirects=false"});
  stays.connect();
  stays.peer.say(moved);
  CHECK(stays.found.text == "status 302, expected 2xx");
}
