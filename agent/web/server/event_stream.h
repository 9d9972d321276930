// The event streams of status pages: who waits, and what changed since he was told. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/time.h"
#include "web/pages/overview.h"
#include "web/snapshot.h"

namespace web {

// Counts open streams and wakes them. Streams are few: each holds a thread.
class EventStreams {
 public:
  explicit EventStreams(std::size_t most) : most_(most) {}

  bool enter();  // false when all places are taken
  void leave();
  std::size_t open() const;

  void snapshot_changed();
  void stop();  // all waits end, now and later
  enum class Woken { changed, quiet, stopping };
  // Until something changed after `seen` (updated), `quiet` passed, or the server stops.
  Woken wait(std::uint64_t& seen, std::chrono::milliseconds quiet);
  // The same length of time without looking for changes; false when the server stops meanwhile.
  bool pause(std::chrono::milliseconds length);

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;
  std::uint64_t generation_ = 0;
  bool stopping_ = false;
};

// What one page was told already.
class EventWriter {
 public:
  // Longest time without a word: the page says so of an agent that is silent for three.
  static constexpr std::chrono::seconds kHeartbeat{1};
  // How long what a run measured may wait; what changes in words never does.
  static constexpr std::chrono::seconds kMeasurements{5};

  explicit EventWriter(View view = {}) : view_(std::move(view)) {}

  static std::string greeting();  // how long to wait before trying again
  // What to send now: the fragments that changed, or after kHeartbeat without any a heartbeat, or nothing.
  std::string news(const Snapshot& snapshot, base::Instant now);

 private:
  struct Told {
    std::uint64_t html = 0, state = 0;  // hashes
    base::Instant at{};
  };
  // The fragments that differ from the last ones, as one event; "" if none does.
  std::string patch(const Snapshot& snapshot, base::Instant now);

  base::Instant spoke_{};
  std::map<std::string, Told> told_;  // by fragment
  View view_;
};

}  // namespace web
