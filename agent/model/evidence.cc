#include "model/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kKinds{
    std::pair{FaultKind::unknown, "unknown"},     std::pair{FaultKind::dependency, "dead dependency"},
    std::pair{FaultKind::crash, "crash"},         std::pair{FaultKind::leak, "leak"},
    std::pair{FaultKind::lock, "hang in a lock"}, std::pair{FaultKind::io, "hang in I/O"},
    std::pair{FaultKind::queue, "full queue"},    std::pair{FaultKind::hang, "hang"},
};

constexpr std::array kWaitWords{
    std::pair{Wait::runs, "runs"},
    std::pair{Wait::lock, "waits for another thread"},
    std::pair{Wait::io, "reads or writes"},
    std::pair{Wait::disk, "waits for a disk"},
    std::pair{Wait::stopped, "is stopped"},
    std::pair{Wait::peer, "waits for a peer"},
    std::pair{Wait::work, "waits for work"},
    std::pair{Wait::sleep, "sleeps"},
    std::pair{Wait::hidden, "sleeps, where is not shown"},
};

// Of what it may have, this much is all of it.
constexpr double kFullPercent = 90;

bool is_full(const Level& level) {
  return level.limit > 0 && static_cast<double>(level.used) * 100 >= static_cast<double>(level.limit) * kFullPercent;
}

// It was reached, and did not answer in time.
bool is_silent(Reason reason) {
  switch (reason) {
    case Reason::connect_timeout:
    case Reason::send_timeout:
    case Reason::read_timeout:
    case Reason::tls_handshake:
    case Reason::too_slow:
    case Reason::heartbeat_missed:
    case Reason::exec_timeout: return true;
    default: return false;
  }
}

std::string threads_that(const FaultSigns& signs, std::initializer_list<Wait> waits) {
  const std::size_t all = std::accumulate(signs.threads.begin(), signs.threads.end(), std::size_t{0});
  std::string out;
  for (const Wait wait : waits)
    if (const std::size_t count = signs.threads[static_cast<std::size_t>(wait)]; count > 0)
      out += fmt::format("{}{} of {} threads: {}", out.empty() ? "" : ", ", count, all, to_string(wait));
  return out;
}

std::size_t count(const FaultSigns& signs, Wait wait) { return signs.threads[static_cast<std::size_t>(wait)]; }

FaultName name_hang(const FaultSigns& signs) {
  using enum Wait;
  // A lock that the main thread waits for is no idle worker of a pool, which waits in the same way.
  const bool main_locked = signs.main == lock && count(signs, disk) + count(signs, stopped) == 0;
  if (main_locked) return {FaultKind::lock, "the main thread waits for another thread; " + threads_that(signs, {lock})};
  if (count(signs, disk) + count(signs, stopped) + count(signs, io) > 0)
    return {FaultKind::io, threads_that(signs, {stopped, disk, io})};
  if (signs.accept_queue > 0 && signs.reason != Reason::read_timeout)
    return {FaultKind::queue, fmt::format("{} connections wait to be accepted", signs.accept_queue)};
  if (count(signs, lock) > 0 && count(signs, runs) == 0 && count(signs, peer) == 0)
    return {FaultKind::lock, threads_that(signs, {lock})};
  if (signs.accept_queue > 0)
    return {FaultKind::queue, fmt::format("{} connections wait to be accepted", signs.accept_queue)};
  const std::string rest = threads_that(signs, {runs, lock, peer, work, sleep, hidden});
  return {FaultKind::hang, rest.empty() ? "it does not answer" : rest};
}

}  // namespace

std::string_view to_string(FaultKind kind) { return base::name_in(kKinds, kind); }
std::optional<FaultKind> parse_fault_kind(std::string_view name) { return base::value_in(kKinds, name); }
std::string_view to_string(Wait wait) { return base::name_in(kWaitWords, wait); }

FaultName name_fault(const FaultSigns& signs) {
  if (!signs.dependency.empty()) return {FaultKind::dependency, signs.dependency};
  if (signs.unit_result == "oom-kill") return {FaultKind::leak, "the kernel killed it for the memory it used"};
  const auto full = std::find_if(signs.levels.begin(), signs.levels.end(), is_full);
  if (full != signs.levels.end())
    return {FaultKind::leak, fmt::format("{}: {} of {}", full->name, full->used, full->limit)};
  if (signs.oom_kills > 0)
    return {FaultKind::leak, fmt::format("the kernel killed {} of its processes for memory", signs.oom_kills)};
  if (signs.unit_result == "watchdog") return {FaultKind::hang, "systemd's watchdog heard nothing of it"};
  if (signs.unit_result == "exit-code" || signs.unit_result == "signal" || signs.unit_result == "core-dump")
    return {FaultKind::crash, signs.death.empty() ? fmt::format("systemd says {}", signs.unit_result) : signs.death};
  if (!signs.process && !signs.death.empty()) return {FaultKind::crash, signs.death};
  if (signs.reason == Reason::process_gone || (signs.looked && !signs.process && signs.reason == Reason::refused))
    return {FaultKind::crash, "no process of it is there"};
  if (!signs.process && signs.reason == Reason::refused)
    return {FaultKind::crash, "nothing listens where it is probed"};
  if (signs.reason == Reason::queue_saturated) return {FaultKind::queue, "its queue is longer than it may be"};
  if (is_silent(signs.reason) && (signs.process || signs.accept_queue > 0)) return name_hang(signs);
  if (!signs.death.empty()) return {FaultKind::crash, signs.death};
  return {FaultKind::unknown, "no sign is clear"};
}

std::size_t Evidence::bytes() const {
  std::size_t sum = fault.why.size();
  for (const EvidenceSection& section : sections) {
    sum += section.name.size() + section.missing.size();
    for (const std::string& line : section.lines) sum += line.size() + 1;
  }
  return sum;
}

void Evidence::cut(std::size_t limit) {
  const auto size = [](const EvidenceSection& section) {
    return std::accumulate(section.lines.begin(), section.lines.end(), std::size_t{0},
                           [](std::size_t sum, const std::string& line) { return sum + line.size() + 1; });
  };
  while (bytes() > limit) {
    const auto longest = std::max_element(sections.begin(), sections.end(),
                                          [&](const auto& a, const auto& b) { return size(a) < size(b); });
    if (longest == sections.end() || longest->lines.empty()) return;
    longest->lines.resize(longest->lines.size() / 2);
    longest->missing = "the rest is more than evidence.max_size allows";
  }
}

std::string Evidence::headline() const { return fmt::format("{}: {}", to_string(fault.kind), fault.why); }

}  // namespace model
