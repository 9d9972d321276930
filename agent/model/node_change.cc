#include "model/node_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kKinds{
    std::pair{ChangeKind::unit, "unit"},
    std::pair{ChangeKind::program, "program"},
    std::pair{ChangeKind::configuration, "configuration"},
    std::pair{ChangeKind::certificate, "certificate"},
    std::pair{ChangeKind::package, "package"},
    std::pair{ChangeKind::reload, "reload"},
    std::pair{ChangeKind::boot, "boot"},
    std::pair{ChangeKind::clock, "clock"},
};

const FileStamp* find(const std::vector<FileStamp>& stamps, const std::string& path) {
  const auto found = std::find_if(stamps.begin(), stamps.end(), [&](const auto& each) { return each.path == path; });
  return found == stamps.end() ? nullptr : &*found;
}

bool same_file(const FileStamp& a, const FileStamp& b) {
  return a.exists == b.exists && a.modified_ns == b.modified_ns && a.size == b.size && a.inode == b.inode;
}

// Seconds by which a change may be later than the fault that it caused: probes see a fault late, and a file's time and
// the agent's are not read together.
constexpr base::Millis kLate{2'000};

}  // namespace

std::string_view to_string(ChangeKind kind) { return base::name_in(kKinds, kind); }
std::optional<ChangeKind> parse_change_kind(std::string_view name) { return base::value_in(kKinds, name); }

std::vector<NodeChange> changes_between(const std::string& service, const std::vector<FileStamp>& before,
                                        const std::vector<FileStamp>& after, base::WallTime since, base::WallTime now) {
  std::vector<NodeChange> out;
  for (const FileStamp& stamp : after) {
    const FileStamp* known = find(before, stamp.path);
    const bool changed = known != nullptr ? !same_file(*known, stamp) : stamp.exists && stamp.changed > since;
    if (!changed) continue;
    const bool dated = stamp.exists && stamp.changed <= now;
    out.push_back(
        {dated ? stamp.changed : now, service, stamp.kind, stamp.path + (stamp.exists ? "" : " was removed")});
  }
  return out;
}

std::vector<NodeChange> suspects(const std::vector<NodeChange>& changes, const std::string& service,
                                 const std::vector<std::string>& depends_on, base::WallTime started) {
  const auto rank = [&](const NodeChange& change) {
    if (change.service == service) return 0;
    if (change.service.empty()) return 2;
    return std::find(depends_on.begin(), depends_on.end(), change.service) == depends_on.end() ? 3 : 1;
  };
  std::vector<NodeChange> out;
  std::copy_if(changes.begin(), changes.end(), std::back_inserter(out), [&](const NodeChange& change) {
    return rank(change) < 3 && change.at <= started + kLate && change.at >= started - kSuspected;
  });
  std::stable_sort(out.begin(), out.end(), [&](const NodeChange& a, const NodeChange& b) {
    return std::pair(rank(a), b.at) < std::pair(rank(b), a.at);
  });
  return out;
}

std::optional<NodeChange> recent_change(const std::vector<NodeChange>& changes, const std::string& service,
                                        base::WallTime now) {
  const NodeChange* newest = nullptr;
  for (const NodeChange& change : changes) {
    const bool deployed = change.kind == ChangeKind::unit || change.kind == ChangeKind::program ||
                          change.kind == ChangeKind::configuration;
    if (!deployed || change.service != service || change.at < now - kSuspected) continue;
    if (newest == nullptr || change.at >= newest->at) newest = &change;
  }
  return newest == nullptr ? std::nullopt : std::optional(*newest);
}

std::string changed_text(const std::vector<NodeChange>& suspects, base::WallTime started) {
  if (suspects.empty()) return "";
  const NodeChange& first = suspects.front();
  const auto ago = std::chrono::floor<std::chrono::seconds>(std::max(started - first.at, base::Millis{0}));
  return fmt::format("changed {} s before: {} ({})", ago.count(), first.what, to_string(first.kind));
}

}  // namespace model
