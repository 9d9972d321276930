#include "state/audit_trail.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "loop/scheduler.h"

namespace state {
namespace {

using model::AuditEntry;
using nlohmann::json;

// Where the chain ends, and the newest entry that went because it was old. With them it shows that none was taken off
// an end.
constexpr const char* kHead = "head";
constexpr const char* kBase = "base";

std::string sha256_hex(std::string_view text) { return crypto::hex(crypto::sha256(text)); }

std::string key_of(std::uint64_t number) { return fmt::format("{:016}", number); }

std::string to_record(const AuditEntry& entry) {
  const json out{{"at_ms", base::to_ms(entry.at)},
                 {"kind", to_string(entry.kind)},
                 {"by", entry.by},
                 {"service", entry.service},
                 {"text", entry.text},
                 {"previous", entry.previous},
                 {"hash", entry.hash}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<AuditEntry> parse_record(const std::string& key, const std::string& text) {
  const auto number = base::leading_number<std::uint64_t>(key);
  const json in = json::parse(text, nullptr, false);
  if (!number || !in.is_object()) return std::nullopt;
  try {
    AuditEntry entry;
    entry.number = *number;
    entry.at = base::wall_from_ms(in.at("at_ms").get<std::int64_t>());
    const auto kind = model::parse_audit_kind(in.at("kind").get<std::string>());
    if (!kind) return std::nullopt;
    entry.kind = *kind;
    entry.by = in.at("by");
    entry.service = in.at("service");
    entry.text = in.at("text");
    entry.previous = in.at("previous");
    entry.hash = in.at("hash");
    return entry;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

bool is_entry(const std::string& key) { return !key.empty() && key.front() >= '0' && key.front() <= '9'; }

}  // namespace

AuditTrail::AuditTrail(State& state, loop::Scheduler& scheduler) : state_(state), scheduler_(scheduler) { load(); }

void AuditTrail::load() {
  if (state_.damage().forgotten) {
    // Entries may still stand in the file, and must not be written over: a number that is larger than all of theirs.
    head_ = {static_cast<std::uint64_t>(base::to_ms(scheduler_.wall_now())), ""};
    waiting_.push_back({scheduler_.wall_now(), model::AuditKind::lost, "fettle", "",
                        "a chain begins: at the start of the agent the entries before could not be read"});
    return write();
  }
  const auto link = [&](const char* key) -> std::optional<Link> {
    const auto found = state_.read(Table::audit).find(key);
    if (found == state_.read(Table::audit).end()) return std::nullopt;
    const std::size_t blank = found->second.find(' ');
    const auto number = base::leading_number<std::uint64_t>(found->second);
    if (!number || blank == std::string::npos) return std::nullopt;
    return Link{*number, found->second.substr(blank + 1)};
  };
  std::vector<AuditEntry> all;
  for (const auto& [key, text] : state_.read(Table::audit)) {
    if (!is_entry(key)) continue;
    if (auto entry = parse_record(key, text)) all.push_back(std::move(*entry));
    else mistake_ = fmt::format("entry {} cannot be read", key);
  }
  if (mistake_.empty()) mistake_ = audit_mistake(all, sha256_hex);
  const auto head = link(kHead), first = link(kBase);
  if (!all.empty()) head_ = {all.back().number, all.back().hash};
  const Link before = first.value_or(Link{});
  const bool begins = !all.empty() && all.front().kind == model::AuditKind::lost && all.front().previous.empty();
  if (mistake_.empty() && !all.empty() && !begins &&
      (before.number + 1 != all.front().number || before.hash != all.front().previous))
    mistake_ = fmt::format("entries before {} are missing", all.front().number);
  if (head && (head->number != head_.number || head->hash != head_.hash)) {
    if (mistake_.empty()) mistake_ = fmt::format("entries up to {} are missing at the end", head->number);
    if (head->number > head_.number) head_ = *head;  // no number twice
  }
  if (!mistake_.empty())
    base::log::error("the audit trail was changed by something else than fettle, or is damaged; it goes on",
                     {{"error", mistake_}});
  // What is outside of the file can prove later that its end was not replaced as a whole.
  if (head_.number > 0)
    base::log::info("the audit trail goes on", {{"entries", fmt::to_string(head_.number)}, {"hash", head_.hash}});
}

void AuditTrail::add(model::AuditKind kind, std::string by, std::string service, std::string text) {
  if (waiting_.size() >= kWaiting) {
    ++dropped_;
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(writing_, waiting_.size() - 1)));
  }
  waiting_.push_back({scheduler_.wall_now(), kind, base::foreign_text(by, kLongestText),
                      base::foreign_text(service, kLongestText), base::foreign_text(text, kLongestText)});
  write();
}

// One call at a time: an entry names the hash of one that is durable, so that a call which fails leaves no gap.
void AuditTrail::write() {
  if (writing_ > 0 || waiting_.empty() || again_) return;
  std::vector<Change> changes;
  Link head = head_;
  const auto append = [&](const Waiting& one) {
    AuditEntry entry{head.number + 1, one.at, one.kind, one.by, one.service, one.text, head.hash, ""};
    entry.hash = sha256_hex(hashed_text(entry));
    head = {entry.number, entry.hash};
    changes.push_back(Change::put(Table::audit, key_of(entry.number), to_record(entry)));
  };
  telling_ = dropped_;
  if (telling_ > 0)
    append({waiting_.front().at, model::AuditKind::lost, "fettle", "",
            fmt::format("{} entries before this one could not be written and are lost", telling_)});
  writing_ = std::min(waiting_.size(), kBatch);
  for (std::size_t i = 0; i < writing_; ++i) append(waiting_[i]);
  changes.push_back(Change::put(Table::audit, kHead, fmt::format("{} {}", head.number, head.hash)));
  drop_old(writing_ + (telling_ > 0 ? 1 : 0), scheduler_.wall_now(), changes);
  state_.commit(std::move(changes), [this, still = std::weak_ptr(alive_), head](const base::Result<>& result) {
    if (!still.expired()) written(result, head);
  });
}

void AuditTrail::written(const base::Result<>& result, const Link& head) {
  const std::size_t entries = std::exchange(writing_, 0);
  if (result) {
    head_ = head;
    dropped_ -= telling_;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(entries));
    return write();
  }
  again_ = scheduler_.after(kAgain, [this] {
    const loop::Handle own = std::move(again_);
    write();
  });
}

void AuditTrail::drop_old(std::size_t coming, base::WallTime now, std::vector<Change>& changes) const {
  const auto& table = state_.read(Table::audit);
  std::size_t kept = table.size() - table.count(kHead) - table.count(kBase);
  std::optional<AuditEntry> last;
  for (const auto& [key, text] : table) {
    if (!is_entry(key)) continue;
    const auto entry = parse_record(key, text);
    const bool old = !entry || entry->at + kOldest < now;
    if (kept + coming <= kKeep && !old) break;
    changes.push_back(Change::remove(Table::audit, key));
    if (entry) last = entry;
    --kept;
  }
  if (last) changes.push_back(Change::put(Table::audit, kBase, fmt::format("{} {}", last->number, last->hash)));
}

std::vector<AuditEntry> AuditTrail::entries(std::size_t limit, std::optional<std::uint64_t> before,
                                            const std::string& service) const {
  const auto& table = state_.read(Table::audit);
  std::vector<AuditEntry> out;
  auto at = before ? table.lower_bound(key_of(*before)) : table.lower_bound(kBase);
  while (at != table.begin() && out.size() < limit) {
    --at;
    if (!is_entry(at->first) || at->second.find(service) == std::string::npos) continue;
    auto entry = parse_record(at->first, at->second);
    if (entry && (service.empty() || entry->service == service)) out.push_back(std::move(*entry));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace state
