// Simulates fleets, seed after seed, and says what must never happen and did. A seed that fails is printed, and fails
// again when it is given alone.
//   fleet_simulation [--agents=21] [--group=7] [--faults=200] [--seeds=1] [--first-seed=1] [--pause-ms=MEAN] [--peers]
//                    [--rollouts] [--trace=GROUP]
//                    [--mutant=no_slots|no_min_healthy|no_panic|no_deadline|no_release|no_batches|no_stop]
// With a mutant the exit code is 0 if it was found.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/number.h"
#include "simulation/simulation.h"

namespace {

using simulation::Mutant;

constexpr std::pair<std::string_view, Mutant> kMutants[] = {
    {"no_slots", Mutant::no_slots},     {"no_min_healthy", Mutant::no_min_healthy},
    {"no_panic", Mutant::no_panic},     {"no_deadline", Mutant::no_deadline},
    {"no_release", Mutant::no_release}, {"no_batches", Mutant::no_batches},
    {"no_stop", Mutant::no_stop},
};

struct Options {
  simulation::Settings settings;
  int seeds = 1;
};

bool read(std::string_view word, Options& out) {
  if (word == "--peers") return out.settings.peers = true;
  if (word == "--rollouts") return out.settings.rollouts = true;
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
  if (name == "--mutant") {
    for (const auto& [known, mutant] : kMutants)
      if (known == value) out.settings.mutant = mutant;
    return out.settings.mutant != Mutant::none;
  }
  if (name == "--trace") return !(out.settings.trace = value).empty();
  const auto number = base::read_number<int>(value);
  if (!number || *number < 1) return false;
  if (name == "--agents") out.settings.agents = *number;
  else if (name == "--group") out.settings.group_size = *number;
  else if (name == "--faults") out.settings.faults = *number;
  else if (name == "--seeds") out.seeds = *number;
  else if (name == "--first-seed") out.settings.seed = static_cast<std::uint64_t>(*number);
  else if (name == "--pause-ms") out.settings.mean_pause = base::Millis(*number);
  else return false;
  return true;
}

void say(const std::string& line) { std::fputs((line + "\n").c_str(), stdout), std::fflush(stdout); }

// True if nothing happened that must not.
bool run(const simulation::Settings& settings, simulation::Figures& sum) {
  const simulation::Figures one = simulation::simulate(settings);
  say(fmt::format(
      "seed {}: {} faults, {} restarts ({} by the local budget), {} panics, {} rollouts ({} stops, {} resumed, {} "
      "aborted), {:.1f} h, requests of an agent a "
      "minute: {:.1f} at rest, {:.1f} in a storm; {} violations",
      settings.seed, one.faults, one.restarts, one.alone, one.panics, one.rollouts, one.stops, one.resumes, one.aborts,
      base::seconds(one.virtual_time) / 3600, one.rest_per_minute, one.storm_per_minute, one.violations.size()));
  for (const std::string& text : one.violations) say("  " + text);
  sum.events += one.events;
  sum.requests += one.requests;
  sum.faults += one.faults;
  sum.restarts += one.restarts;
  sum.alone += one.alone;
  sum.panics += one.panics;
  sum.rollouts += one.rollouts;
  sum.virtual_time += one.virtual_time;
  return one.violations.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i)
    if (!read(argv[i], options)) {
      say(fmt::format("unknown argument '{}'; the first lines of fleet_simulation.cc list them", argv[i]));
      return 2;
    }
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);
  const auto began = std::chrono::steady_clock::now();
  const auto first = options.settings.seed;
  simulation::Figures sum;
  std::optional<std::uint64_t> bad;
  for (int i = 0; i < options.seeds && !bad; ++i) {
    options.settings.seed = first + static_cast<std::uint64_t>(i);
    if (!run(options.settings, sum)) bad = options.settings.seed;
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  say(
      fmt::format("{} agents, {} seeds, {:.0f} h of virtual time: {} faults, {} restarts ({} by the local budget), {} "
                  "panics, {} rollouts, {} "
                  "requests, {} events in {:.1f} s: {:.0f} events a second",
                  options.settings.agents, options.settings.seed - first + 1, base::seconds(sum.virtual_time) / 3600,
                  sum.faults, sum.restarts, sum.alone, sum.panics, sum.rollouts, sum.requests, sum.events, took,
                  static_cast<double>(sum.events) / took));
  const bool mutant = options.settings.mutant != Mutant::none;
  if (mutant) say(bad ? fmt::format("the mutant was found by seed {}", *bad) : std::string("the mutant was NOT found"));
  else if (bad) say(fmt::format("FAILED: fleet_simulation --seeds=1 --first-seed={} shows it again", *bad));
  return bad.has_value() == mutant ? 0 : 1;
}
