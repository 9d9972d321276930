// udp: answers, silence, and ports that refuse, on real datagrams.
#include <doctest/doctest.h>

#include <string>

#include "fakes/probe_kernel.h"
#include "fakes/probe_trial.h"
#include "fakes/udp_peer.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

}  // namespace

TEST_CASE("udp judges the first answer") {
  struct Row {
    const char* name;
    std::vector<std::string> settings;
    std::string answer;
    Reason reason;
    const char* text;
    double by_regex;
    double by_bytes;
  };
  for (const Row& row : {
           Row{"any", {}, "x", Reason::none, "answered 1 bytes", 0, 0},
           Row{"a match", {"expect=^PONG"}, "PONG\n", Reason::none, "answered 5 bytes", 0, 0},
           Row{"no match",
               {"expect=^PONG"},
               std::string("\0PING", 5),
               Reason::body_mismatch,
               "the answer '.PING' does not match ^PONG",
               1,
               0},
           Row{"bytes", {"expect_bytes=bc"}, "abc", Reason::none, "answered 3 bytes", 0, 0},
           Row{"other bytes", {"expect_bytes=abc"}, "ab", Reason::body_mismatch, "the answer 'ab' has no 'abc'", 0, 1},
       }) {
    CAPTURE(row.name);
    std::vector<std::string> settings = row.settings;
    settings.emplace_back("send=hello");
    fakes::ConnectedTrial trial("udp", "10.0.0.1:11211", settings);
    trial.connect();
    REQUIRE(trial.world.dialer.desk.last().udp);
    REQUIRE(trial.peer.written.size() == 1);
    CHECK(trial.peer.written[0] == "hello");
    trial.peer.say(row.answer);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK(trial.measured("probe_failed_due_to_regex") == row.by_regex);
    CHECK(trial.measured("probe_failed_due_to_bytes") == row.by_bytes);
  }
}

TEST_CASE("udp: silence is a failure, a port that nobody has is refused") {
  fakes::ProbeKernel kernel;
  const fakes::UdpPeer echo([](const std::string& datagram) { return datagram; });
  const auto up = kernel.run("udp", echo.address(), {"send=hello", "expect=^hello$"});
  CHECK(up.text == "answered 5 bytes");
  CHECK(fakes::measured(up, "probe_udp_duration_seconds", "phase", "request") > 0);

  const fakes::UdpPeer silent([](const std::string&) { return std::string(); });
  const auto unheard = kernel.run("udp", silent.address(), {"send=hello"}, 50ms);
  CHECK_FALSE(unheard.up);
  CHECK(unheard.reason == Reason::read_timeout);
  CHECK(unheard.text == "read from " + silent.address() + ": timed out");

  std::uint16_t port = 0;
  fakes::UdpPeer::bind_loopback(port).reset();
  const std::string nobody = "127.0.0.1:" + std::to_string(port);
  const auto refused = kernel.run("udp", nobody, {"send=hello"});
  CHECK(refused.reason == Reason::refused);
  CHECK(refused.text == "read from " + nobody + ": Connection refused");
}
