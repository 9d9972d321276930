#include "model/self_check.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Readings a second apart, as if nothing had happened; a test changes the next one.
struct Clock {
  model::SelfCheck self_check;
  model::Reading next{base::Instant{minutes{5}}, base::wall_from_ms(1'700'000'000'000), minutes{5}, {}, 3.0};

  std::string read() {
    std::string out;
    for (const model::Impairment& impairment : self_check.read(next))
      out += impairment.name + ": " + impairment.text + "\n";
    next.longest_turn = {};
    pass(seconds{1});
    return out;
  }
  void pass(base::Millis d) {
    next.now += d;
    next.wall += d;
    next.boot += d;
  }
  std::string held() const {
    std::string out;
    for (const model::Impairment& impairment : self_check.held(next.now)) out += impairment.name + " ";
    return out;
  }
};

}  // namespace

TEST_CASE("each way in which the agent can be blind has its name") {
  struct Row {
    const char* what;
    void (*change)(Clock&);
    const char* says;
  };
  const Row rows[] = {
      {"nothing", [](Clock&) {}, ""},
      {"a long turn", [](Clock& c) { c.next.longest_turn = milliseconds{700}; },
       "stall: the agent's loop stood still for 0.7s\n"},
      {"a process that was stopped", [](Clock& c) { c.pass(seconds{12}); }, "stall: the agent did not run for 12.0s\n"},
      {"an hour back", [](Clock& c) { c.next.wall -= minutes{60}; }, "clock_jump: the clock was set back by 3600.0s\n"},
      {"two seconds forward", [](Clock& c) { c.next.wall += seconds{2}; },
       "clock_jump: the clock was set forward by 2.0s\n"},
      {"a clock that is slewed", [](Clock& c) { c.next.wall += milliseconds{400}; }, ""},
      {"sleep",
       [](Clock& c) {
         c.next.boot += minutes{20};
         c.next.wall += minutes{20};
       },
       "clock_jump: the machine slept for 1200.0s\n"},
      {"a busy node on which the agent gets its share", [](Clock& c) { c.next.cpu_some_avg10 = 99; }, ""},
      {"a busy node on which it does not",
       [](Clock& c) {
         c.next.cpu_some_avg10 = 91;
         c.pass(milliseconds{800});
       },
       "agent_overloaded: CPU is short (91 % of the time somebody waits for it) and the agent itself came 0.8s late\n"},
      {"a late timer alone", [](Clock& c) { c.pass(milliseconds{800}); }, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Clock clock;
    CHECK(clock.read() == "");
    CHECK(clock.read() == "");
    row.change(clock);
    CHECK(clock.read() == row.says);
  }
}

TEST_CASE("a doubt holds from the last time that it was seen, and is told once") {
  Clock clock;
  clock.read();
  for (int i = 0; i < 3; ++i) {
    clock.next.longest_turn = seconds{1};
    CHECK((clock.read() == "") == (i > 0));
    clock.pass(seconds{19});
    clock.self_check.read(clock.next);  // on time, for the clocks
  }
  CHECK(clock.held() == "stall ");
  clock.pass(seconds{31});
  CHECK(clock.held() == "");
}

TEST_CASE("pressure is read from the kernel's words") {
  const std::string path = "/tmp/fettle-doubts-test." + std::to_string(::getpid());
  std::ofstream(path) << "some avg10=81.25 avg60=12.00 avg300=3.00 total=1\nfull avg10=0.00 avg60=0.00 total=0\n";
  CHECK(model::cpu_pressure(path) == 81.25);
  std::ofstream(path) << "nothing of the kind\n";
  CHECK_FALSE(model::cpu_pressure(path).has_value());
  std::remove(path.c_str());
  CHECK_FALSE(model::cpu_pressure(path).has_value());
  CHECK(model::since_boot() > base::Duration{});
}
