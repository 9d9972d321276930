// websocket: the upgrade and its proof, frames by a scripted peer, and the real server where it is installed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "base/base64.h"
#include "base/random.h"
#include "crypto/hmac.h"
#include "fakes/probe_kernel.h"
#include "fakes/probe_trial.h"
#include "fakes/source_file.h"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using model::Reason;

// The server's proof that it has read the request.
std::string proof(const std::string& request) {
  const std::string key = request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24);
  return base::base64_encode(crypto::sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

std::string upgrade(const std::string& request) {
  return "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         proof(request) + "\r\n\r\n";
}

// What a client's short frame says, without its mask.
std::string unmasked(const std::string& frame) {
  std::string out;
  for (std::size_t i = 6; i < frame.size(); ++i) out += static_cast<char>(frame[i] ^ frame[2 + (i - 6) % 4]);
  return out;
}

std::string text(const std::string& payload) {
  return "\x81" + std::string(1, static_cast<char>(payload.size())) + payload;
}

}  // namespace

TEST_CASE("the proof of an upgrade is that of RFC 6455's own example") {
  CHECK(proof("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("websocket asks, talks, pings and takes its leave") {
  fakes::ConnectedTrial trial("websocket", "ws://shop.test/feed?x=1",
                              {"send=hello", "expect=^price", "headers.X-Shop=1"});
  trial.connect();
  CHECK(trial.world.dialer.desk.last().host == "shop.test");
  CHECK(trial.world.dialer.desk.last().port == 80);
  REQUIRE(trial.peer.written.size() == 1);
  const std::string request = trial.peer.written[0];
  CHECK(request.substr(0, request.find("Sec-WebSocket-Key")) ==
        "GET /feed?x=1 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: fettle\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nX-Shop: 1\r\n");
  // However the bytes are cut: a greeting, a ping of the server's own, and the message in two frames.
  const std::string answers = upgrade(request) + text("welcome") + "\x89\2hi" + "\x01\3pri" + "\x80\2ce";
  for (const char c : answers) trial.peer.say(std::string(1, c));
  CHECK(trial.answers == 0);
  REQUIRE(trial.peer.written.size() == 4);
  CHECK(unmasked(trial.peer.written[1]) == "hello");
  CHECK(trial.peer.written[2][0] == '\x8a');
  CHECK(unmasked(trial.peer.written[2]) == "hi");
  CHECK(trial.peer.written[3][0] == '\x89');
  trial.peer.say("\x8a\2no");  // a pong that nobody asked for
  CHECK(trial.answers == 0);
  trial.peer.say("\x8a\x08" + unmasked(trial.peer.written[3]));
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.found.text == "ws://shop.test/feed?x=1 sent what was expected");
  REQUIRE(trial.peer.written.size() == 5);
  CHECK(trial.peer.written[4][0] == '\x88');
  CHECK(unmasked(trial.peer.written[4]) == "\x03\xe8");
  CHECK(trial.measured("probe_websocket_status_code") == 101);
  CHECK(trial.measured("probe_websocket_connection_upgraded") == 1);
  CHECK(trial.measured("probe_websocket_failed_due_to_regex") == 0);
}

TEST_CASE("websocket follows a dialogue of several turns, with what it heard in what it says") {
  fakes::ConnectedTrial trial(
      "websocket", "ws://shop.test/",
      {"query_response=[{expect: '^hello (.*)$', send: 'I am ${1}'}, {send: list}, {expect: ok}]", "ping=false",
       "basic_auth.username=a", "basic_auth.password=b", "headers.X=[1, 2]"});
  trial.connect();
  const std::string request = trial.peer.written[0];
  CHECK(request.find("X: 1\r\nX: 2\r\n") != std::string::npos);
  CHECK(request.find("Authorization: Basic YTpi\r\n") != std::string::npos);
  trial.peer.say(upgrade(request));
  CHECK(trial.peer.written.size() == 1);
  trial.peer.say(text("welcome") + text("hello you"));
  REQUIRE(trial.peer.written.size() == 3);
  CHECK(unmasked(trial.peer.written[1]) == "I am you");
  CHECK(unmasked(trial.peer.written[2]) == "list");
  CHECK(trial.answers == 0);
  trial.peer.say(text("ok"));
  REQUIRE(trial.answers == 1);
  CHECK(trial.found.up);
  CHECK(trial.measured("probe_websocket_failed_due_to_regex") == 0);
}

TEST_CASE("websocket: credentials that are refused are no mismatch") {
  fakes::ConnectedTrial trial("websocket", "ws://shop.test/", {"authorization.credentials=t0ken"});
  trial.connect();
  CHECK(trial.peer.written[0].find("Authorization: Bearer t0ken\r\n") != std::string::npos);
  trial.peer.say("HTTP/1.1 403 Forbidden\r\n\r\n");
  CHECK(trial.found.reason == Reason::auth_failed);
  CHECK(trial.found.text == "ws://shop.test/ answered with status 403: the credentials were refused");
}

TEST_CASE("websocket says what is wrong with the answer") {
  struct Row {
    const char* name;
    std::string answer;  // "": a right upgrade
    std::string frames;
    Reason reason;
    std::string text;  // after the target
    double upgraded;
  };
  const std::string head = "HTTP/1.1 101 x\r\n";
  for (const Row& row : {
           Row{"no WebSocket there", "HTTP/1.1 404 Not Found\r\n\r\n", "", Reason::status_mismatch,
               "answered with status 404, expected 101", 0},
           Row{"another protocol", "SSH-2.0-OpenSSH", "", Reason::protocol_error,
               "does not speak HTTP; it sent 'SSH-2.0-OpenSSH'", 0},
           Row{"another upgrade", head + "Upgrade: h2c\r\n\r\n", "", Reason::header_mismatch,
               "upgrades to 'h2c', not to websocket", 0},
           Row{"no proof", head + "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", "", Reason::header_mismatch,
               "has a wrong Sec-WebSocket-Accept: it did not read the request", 0},
           Row{"it closes", "", "\x88\6\x03\xf3gone"s, Reason::closed_early,
               "closed the connection with code 1011 'gone'", 1},
           Row{"it closes without a word", "", "\x88\0"s, Reason::closed_early, "closed the connection", 1},
           Row{"an extension", "", "\xc1\1x"s, Reason::protocol_error, "uses an extension that was not agreed on", 1},
           Row{"a mask", "", "\x81\x81"s, Reason::protocol_error, "masks its frames, which only clients do", 1},
           Row{"an unknown frame", "", "\x83\0"s, Reason::protocol_error, "sent a frame of an unknown kind", 1},
           Row{"a huge frame", "", "\x81\x7f\0\0\0\0\1\0\0\0"s + std::string(11'000'000, 'x'), Reason::too_large,
               "sent a message of more than 10485760 bytes", 1},
           Row{"a long ping", "", "\x89\x7e\1\0"s, Reason::protocol_error, "sent a control frame of 256 bytes", 1},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("websocket", "ws://shop.test:8080/", {"expect=x"});
    trial.connect();
    trial.peer.say((row.answer.empty() ? upgrade(trial.peer.written[0]) : row.answer) + row.frames);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == "ws://shop.test:8080/ " + row.text);
    CHECK(trial.measured("probe_websocket_connection_upgraded") == row.upgraded);
  }
}

TEST_CASE("websocket survives whatever bytes come") {
  base::Random random(3);
  for (int i = 0; i < 500; ++i) {
    fakes::ConnectedTrial trial("websocket", "ws://shop.test/", {"expect=never"});
    trial.connect();
    std::string bytes = upgrade(trial.peer.written[0]);
    for (int n = 0; n < 40; ++n) bytes += static_cast<char>(random.below(256));
    trial.peer.say(bytes);
    CHECK(trial.answers <= 1);
  }
}

TEST_CASE("websocket reads the answer to the upgrade as any other answer is read") {
  for (const bool with_cr : {true, false}) {
    fakes::ConnectedTrial trial("websocket", "ws://shop.test/", {"ping=false"});
    trial.connect();
    std::string head = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + upgrade(trial.peer.written[0]);
    head.insert(head.find("Sec-WebSocket-Accept"), "X-Policy: a;\r\n  b\r\n");
    if (!with_cr) std::erase(head, '\r');
    for (const char c : head) trial.peer.say(std::string(1, c));
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.text == "ws://shop.test/ was upgraded");
  }
}

TEST_CASE("websocket passes over what it does not wait for, however long it is") {
  const std::string book = "\x81\x7f\0\0\0\0\0\x20\0\0"s + std::string(0x20'0000, 'b');
  fakes::ConnectedTrial upgraded("websocket", "ws://shop.test/");
  upgraded.connect();
  upgraded.peer.say(upgrade(upgraded.peer.written[0]) + book.substr(0, 100'000));
  upgraded.peer.say(book.substr(100'000));
  REQUIRE(upgraded.peer.written.size() == 2);
  upgraded.peer.say("\x8a\x08" + unmasked(upgraded.peer.written[1]));
  REQUIRE(upgraded.answers == 1);
  CHECK(upgraded.found.up);
  // A long one that is waited for is read.
  fakes::ConnectedTrial waited("websocket", "ws://shop.test/", {"expect=bbb$", "ping=false"});
  waited.connect();
  waited.peer.say(upgrade(waited.peer.written[0]));
  for (std::size_t at = 0; at < book.size(); at += 60'000) waited.peer.say(book.substr(at, 60'000));
  REQUIRE(waited.answers == 1);
  CHECK(waited.found.up);
}

TEST_CASE("websocket: messages that never match are a mismatch, not a silence") {
  fakes::ConnectedTrial trial("websocket", "ws://shop.test/", {"expect=^price"});
  trial.connect();
  trial.peer.say(upgrade(trial.peer.written[0]) + text("welcome"));
  trial.peer.fail(Reason::read_timeout, "read from the test: timed out");
  CHECK(trial.found.reason == Reason::body_mismatch);
  CHECK(trial.found.text == "ws://shop.test/ sent no message that matches ^price; the last was 'welcome'");
  CHECK(trial.measured("probe_websocket_failed_due_to_regex") == 1);
}

TEST_CASE("websocket: a Host header of the configuration is the only one, and names the peer in TLS") {
  fakes::ConnectedTrial named("websocket", "wss://10.0.0.7/feed",
                              {"headers.Host=shop.test:8443", "headers.User-Agent=x"});
  named.connect();
  CHECK(named.world.dialer.desk.last().host == "10.0.0.7");
  CHECK(named.world.dialer.desk.last().tls_name == "shop.test");
  const std::string request = named.peer.written.at(0);
  CHECK(request.starts_with("GET /feed HTTP/1.1\r\nUpgrade: websocket\r\n"));
  CHECK(request.find("\r\nHost: shop.test:8443\r\n") != std::string::npos);
  CHECK(request.find("fettle") == std::string::npos);

  fakes::ConnectedTrial zoned("websocket", "ws://[fe80::1%25eth0]:8081/");
  zoned.connect();
  CHECK(zoned.world.dialer.desk.last().host == "fe80::1%eth0");
  CHECK(zoned.peer.written.at(0).find("\r\nHost: [fe80::1]:8081\r\n") != std::string::npos);
}

TEST_CASE("websocket refuses URLs that are none") {
  for (const auto& row : std::vector<std::pair<const char*, const char*>>{
           {"http://shop.test/", "url: must be ws:// or wss:// and a host, such as ws://127.0.0.1:8081/feed"},
           {"ws://shop.test/a b", "url: must not contain white space or '#'"},
           {"ws://shop.test:x/", "url: has a port that must be a number"},
           {"ws://joe:secret@shop.test/", "url: must not bring a login along; write basic_auth"},
       }) {
    const auto& [url, want] = row;
    CAPTURE(row.first);
    const auto spec = probe::spec_from_arguments("websocket", url, {});
    REQUIRE_FALSE(spec);
    CHECK(spec.error().text.find(want) != std::string::npos);
  }
}

TEST_CASE("websocket understands the real server") {
  if (std::system("/usr/bin/python3 -c 'import websockets' 2>/dev/null") != 0) {
    MESSAGE("skipped: Python's websockets is not installed (apt-get install python3-websockets)");
    return;
  }
  const fakes::RunningProgram server({"/usr/bin/python3", fakes::source_file("tests/fakes/echo_over_websocket.py")});
  const std::string port = server.first_line();
  REQUIRE_FALSE(port.empty());
  const std::string url = "ws://127.0.0.1:" + port + "/";
  fakes::ProbeKernel kernel;
  CHECK(kernel.run_until_up("websocket", url, {}).text == url + " was upgraded");
  CHECK(kernel.run("websocket", url, {"send=hello", "expect=^hello$"}).text == url + " sent what was expected");
  const auto wrong = kernel.run("websocket", url, {"send=hello", "expect=^bye$"}, 300ms);
  CHECK(wrong.reason == Reason::body_mismatch);
}
