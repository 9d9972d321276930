// One entry of the audit trail: a change that a person made, something that a recovery did, a notification that was
// decided. Each names the hash of the one before it, so that none can be changed or taken out without a trace. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace model {

enum class AuditKind { change, recovery, notification, lost };  // lost: entries before it could not be written
std::string_view to_string(AuditKind kind);
std::optional<AuditKind> parse_audit_kind(std::string_view word);

struct AuditEntry {
  std::uint64_t number = 0;  // counts up by one, from 1
  base::WallTime at{};
  AuditKind kind = AuditKind::change;
  std::string by;              // "alice (uid 1000)", "fettle"
  std::string service;         // "" if it is about none
  std::string text;            // one sentence
  std::string previous, hash;  // lower-case hexadecimal SHA-256; the first entry of all has no previous one: ""
};

// What the hash is over: number, milliseconds since the epoch, kind, by, service, text, previous, each as
// "<bytes>:<value>,".
std::string hashed_text(const AuditEntry& entry);

using HexDigest = std::function<std::string(std::string_view text)>;
// What is wrong with these entries, which follow each other; "" if each is as it was written and none is missing
// between them.
std::string audit_mistake(const std::vector<AuditEntry>& oldest_first, const HexDigest& sha256);

}  // namespace model
