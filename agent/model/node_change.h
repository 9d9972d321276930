// Something that was changed on the node, and perhaps broke a service. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace model {

// The first four are files of one service.
enum class ChangeKind { unit, program, configuration, certificate, package, reload, boot, clock };
std::string_view to_string(ChangeKind kind);
std::optional<ChangeKind> parse_change_kind(std::string_view name);

struct NodeChange {
  base::WallTime at{};
  std::string service;  // "": of the whole node
  ChangeKind kind = ChangeKind::configuration;
  std::string what;  // a path, "upgrade libssl3:amd64 3.0.13 to 3.0.14"
};

// A file as it was seen: it is another one when size, number or time of it are others.
struct FileStamp {
  std::string path;
  ChangeKind kind = ChangeKind::configuration;
  std::int64_t modified_ns = 0;
  std::uint64_t size = 0, inode = 0;
  base::WallTime changed{};  // when the node says that it was (st_ctime)
  bool exists = false;
};

// What happened to the service's files between two looks. Those that were not known before count only if they were made
// after the look before, which was at `since`.
std::vector<NodeChange> changes_between(const std::string& service, const std::vector<FileStamp>& before,
                                        const std::vector<FileStamp>& after, base::WallTime since, base::WallTime now);

// The changes that may have caused a fault of the service that began at `started`, the likeliest first: those of its
// own files, then those of what it depends on, then those of the node; of each the newest. Not those that are older
// than kSuspected, nor those of other services.
inline constexpr base::Millis kSuspected{3'600'000};
std::vector<NodeChange> suspects(const std::vector<NodeChange>& changes, const std::string& service,
                                 const std::vector<std::string>& depends_on, base::WallTime started);

// Of its unit, program and configuration alone, the newest of the last kSuspected.
std::optional<NodeChange> recent_change(const std::vector<NodeChange>& changes, const std::string& service,
                                        base::WallTime now);

// "changed 94 s before: /etc/order.yml (configuration)"; "" for none.
std::string changed_text(const std::vector<NodeChange>& suspects, base::WallTime started);

}  // namespace model
