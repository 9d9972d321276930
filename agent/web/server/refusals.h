// Who was not served and why: counted for the metrics, and logged at most once a minute for each reason. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/time.h"

namespace web {

class Refusals {
 public:
  enum class Reason {
    deadline,       // the request did not come in time
    slow_reader,    // the answer was not taken in time
    handshake,      // TLS was not agreed upon: no certificate of ours, no TLS at all
    address_limit,  // too many connections from one address
    limit,          // too many connections, or no worker in time
    bad_request,
    too_large,
    unauthorized,
    password_limit,  // too many passwords wait for their check
    probe_limit,     // too many runs of /probe
  };
  static constexpr std::array<const char*, 10> kNames{"deadline",       "slow_reader", "handshake", "address_limit",
                                                      "limit",          "bad_request", "too_large", "unauthorized",
                                                      "password_limit", "probe_limit"};
  static constexpr std::chrono::minutes kLogEvery{1};

  // `who`: address of the client, "" if unknown, or the target that it asked for.
  void count(Reason reason, std::string_view who);
  std::uint64_t so_far(Reason reason) const { return counts_.at(static_cast<std::size_t>(reason)); }

 private:
  struct Told {
    base::Instant at{};
    std::uint64_t count = 0;
  };
  std::array<std::atomic<std::uint64_t>, kNames.size()> counts_{};
  std::mutex mutex_;
  std::array<Told, kNames.size()> told_{};  // what the log knows already
};

}  // namespace web
