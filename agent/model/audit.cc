#include "model/audit.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/enum_names.h"

namespace model {
namespace {

constexpr std::array kKinds{
    std::pair{AuditKind::change, "change"},
    std::pair{AuditKind::recovery, "recovery"},
    std::pair{AuditKind::notification, "notification"},
    std::pair{AuditKind::lost, "lost"},
};

}  // namespace

std::string_view to_string(AuditKind kind) { return base::name_in(kKinds, kind); }
std::optional<AuditKind> parse_audit_kind(std::string_view word) { return base::value_in(kKinds, word); }

std::string hashed_text(const AuditEntry& entry) {
  std::string out;
  const auto add = [&](std::string_view value) { out += fmt::format("{}:{},", value.size(), value); };
  add(fmt::format("{}", entry.number));
  add(fmt::format("{}", base::to_ms(entry.at)));
  for (const std::string_view value :
       {to_string(entry.kind), std::string_view(entry.by), std::string_view(entry.service),
        std::string_view(entry.text), std::string_view(entry.previous)})
    add(value);
  return out;
}

std::string audit_mistake(const std::vector<AuditEntry>& oldest_first, const HexDigest& sha256) {
  const AuditEntry* before = nullptr;
  for (const AuditEntry& entry : oldest_first) {
    if (sha256(hashed_text(entry)) != entry.hash)
      return fmt::format("entry {} is not as it was written: its hash is not that of what it says", entry.number);
    // What was before it could not be read; it says so, and a chain begins with it.
    const bool begins = entry.kind == AuditKind::lost && entry.previous.empty();
    if (begins && before != nullptr && before->number < entry.number) before = nullptr;
    if (before != nullptr && before->number + 1 != entry.number)
      return fmt::format("entries between {} and {} are missing", before->number, entry.number);
    if (before != nullptr && before->hash != entry.previous)
      return fmt::format("entry {} does not follow entry {}: it names another hash", entry.number, before->number);
    before = &entry;
  }
  return "";
}

}  // namespace model
