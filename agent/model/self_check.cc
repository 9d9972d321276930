#include "model/self_check.h"

#include <fmt/format.h>
#include <time.h>

#include <cstdlib>

#include "base/file.h"

namespace model {
namespace {

std::string rough(base::Duration d) { return fmt::format("{:.1f}s", base::seconds(d)); }

}  // namespace

void SelfCheck::raise(std::string_view name, std::string text, base::Instant now, base::Millis hold,
                      std::vector<Impairment>& fresh) {
  const auto known = held_.find(name);
  const bool is_new = known == held_.end() || known->second.until <= now;
  Impairment impairment{std::string(name), std::move(text), now + hold};
  if (is_new) fresh.push_back(impairment);
  held_.insert_or_assign(std::string(name), std::move(impairment));
}

std::vector<Impairment> SelfCheck::read(const Reading& reading) {
  std::vector<Impairment> fresh;
  const base::Instant now = reading.now;
  base::Duration late{};
  if (last_) {
    const base::Duration passed = now - last_->now;
    late = passed - kEvery;
    const base::Duration set = (reading.wall - last_->wall) - passed;
    const base::Duration slept = (reading.boot - last_->boot) - passed;
    // Asleep the wall clock goes on too: one reason is enough.
    if (slept >= kJump) raise("clock_jump", fmt::format("the machine slept for {}", rough(slept)), now, kHold, fresh);
    else if (set >= kJump || set <= -kJump)
      raise("clock_jump",
            fmt::format("the clock was set {} by {}", set > base::Duration{} ? "forward" : "back",
                        rough(set > base::Duration{} ? set : -set)),
            now, kHold, fresh);
    if (late >= kGap) raise("stall", fmt::format("the agent did not run for {}", rough(late)), now, kHold, fresh);
  }
  if (reading.longest_turn >= kStall)
    raise("stall", fmt::format("the agent's loop stood still for {}", rough(reading.longest_turn)), now, kHold, fresh);
  if (reading.cpu_some_avg10.value_or(0) > kPressure && late >= kLate)
    raise("agent_overloaded",
          fmt::format("CPU is short ({:.0f} % of the time somebody waits for it) and the agent itself came {} late",
                      *reading.cpu_some_avg10, rough(late)),
          now, kShort, fresh);
  last_ = reading;
  return fresh;
}

std::vector<Impairment> SelfCheck::held(base::Instant now) const {
  std::vector<Impairment> out;
  for (const auto& [name, impairment] : held_)
    if (impairment.until > now) out.push_back(impairment);
  return out;
}

base::Duration since_boot() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
}

std::optional<double> cpu_pressure(const std::string& path) {
  const auto text = base::read_file(path, 4096);
  constexpr std::string_view kKey = "some avg10=";
  if (!text) return std::nullopt;
  const std::size_t at = text->find(kKey);
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(text->c_str() + at + kKey.size(), nullptr);
}

}  // namespace model
