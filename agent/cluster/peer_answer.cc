#include "cluster/peer_answer.h"

#include <algorithm>
#include <utility>

#include "cluster/json_answer.h"

namespace cluster {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kMostEntries = 10'000;
constexpr std::uint64_t kLongestTtl = 60'000;  // what `ttl` may be at most

bool is_name(const std::string& text) { return !text.empty() && text.size() <= kLongestName; }

}  // namespace

std::string write_peer_answer(const PeerAnswer& answer) {
  json entries = json::array();
  for (const PeerEntry& each : answer.entries)
    entries.push_back({{"key", each.key}, {"value", each.value}, {"acts", each.acts}});
  return json{{"node", answer.node},
              {"instance", answer.instance},
              {"ttlMs", static_cast<std::uint64_t>(answer.ttl.count())},
              {"entries", std::move(entries)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<PeerAnswer> read_peer_answer(std::string_view body) {
  const json all = read_json(body);
  const json& data = member(all, "data");
  const auto ttl = number_of(member(data, "ttlMs"));
  const json& entries = member(data, "entries");
  PeerAnswer out{text_of(member(data, "node")), text_of(member(data, "instance")),
                 base::Millis(static_cast<std::int64_t>(std::min(ttl.value_or(0), kLongestTtl)))};
  if (!is_name(out.node) || !is_name(out.instance) || !ttl || !entries.is_array() || entries.size() > kMostEntries)
    return std::nullopt;
  for (const json& each : entries) {
    PeerEntry entry{text_of(member(each, "key")), text_of(member(each, "value")), member(each, "acts") == json(true)};
    if (entry.key.empty() || text_of(member(read_json(entry.value), "node")) != out.node) continue;
    out.entries.push_back(std::move(entry));
  }
  return out;
}

}  // namespace cluster
