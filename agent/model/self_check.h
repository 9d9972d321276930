// Whether the agent may trust what it saw lately. One that stood still, slept with the machine, had its clock set or
// waits for CPU itself sees failures that are its own: it says so by name, and nothing acts on them for a while. Pure:
// a reading a second comes in. Loop thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace model {

struct Impairment {
  std::string name;  // stall, clock_jump, agent_overloaded
  std::string text;
  base::Instant until;  // holds so long, from the last time that it was seen
};

struct Reading {
  base::Instant now{};
  base::WallTime wall{};
  base::Duration boot{};                   // CLOCK_BOOTTIME: goes on while the machine sleeps, where `now` stands still
  base::Duration longest_turn{};           // of the loop since the last reading
  std::optional<double> cpu_some_avg10{};  // per cent; absent: the kernel does not say
};

class SelfCheck {
 public:
  static constexpr base::Millis kEvery{1'000};
  static constexpr base::Millis kStall{500};     // of one turn
  static constexpr base::Millis kGap{2'000};     // between two readings, beyond kEvery: the process did not run
  static constexpr base::Millis kJump{1'000};    // of the wall clock against the monotonic one, or of sleep
  static constexpr base::Millis kHold{30'000};   // how long the probes need to say something new
  static constexpr base::Millis kLate{500};      // CPU is short, and our own timers are as late as this
  static constexpr base::Millis kShort{10'000};  // hold of that: pressure is an average over as long
  static constexpr double kPressure = 80;        // per cent of the time that some task of the node waits for CPU

  // A pressure of the whole node is no impairment of its own: a shop may use all of its CPU, while the agent still gets
  // its share. Returns those that were not held before.
  std::vector<Impairment> read(const Reading& reading);
  // Those that hold at `now`.
  std::vector<Impairment> held(base::Instant now) const;

 private:
  void raise(std::string_view name, std::string text, base::Instant now, base::Millis hold,
             std::vector<Impairment>& fresh);

  std::optional<Reading> last_;
  std::map<std::string, Impairment, std::less<>> held_;
};

base::Duration since_boot();
// "some avg10" of a pressure file (Documentation/accounting/psi.rst), in per cent; nullopt if there is none.
std::optional<double> cpu_pressure(const std::string& path = "/proc/pressure/cpu");

}  // namespace model
