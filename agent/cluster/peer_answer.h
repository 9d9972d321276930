// What agents without a store tell each other: the entries that each has of its own, as JSON. It is read without trust:
// a peer speaks for its own node only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace cluster {

struct PeerEntry {
  std::string key, value;
  bool acts = false;  // false: announced only
  bool operator==(const PeerEntry&) const = default;
};

struct PeerAnswer {
  std::string node;
  std::string instance;  // of this run of the agent; no other one has it
  base::Millis ttl{};    // so long after its last contact with the majority it may still act
  std::vector<PeerEntry> entries{};
};

// The `data` of GET /api/v1/fleet/entries.
std::string write_peer_answer(const PeerAnswer& answer);
// Of the whole body of its answer; nothing if that is none. Entries that are not of the peer's own node are left out.
std::optional<PeerAnswer> read_peer_answer(std::string_view body);

}  // namespace cluster
