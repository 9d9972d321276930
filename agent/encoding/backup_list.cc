#include "encoding/backup_list.h"

#include <fmt/format.h>

#include <chrono>

#include "base/ascii.h"
#include "base/time_zone.h"
#include "encoding/json_value.h"

namespace encoding {
namespace {

// restic 0.17 says when a backup ended and what it holds; before, the time is that of its beginning.
Backup snapshot_of(const json& snapshot) {
  Backup out;
  out.id = text_of(member(snapshot, "short_id"));
  const json& summary = member(snapshot, "summary");
  for (const json* time : {&member(summary, "backup_end"), &member(snapshot, "time")})
    if (const auto at = base::parse_iso8601(text_of(*time)); at && out.ended == base::WallTime{}) out.ended = *at;
  if (const auto bytes = number_of(member(summary, "total_bytes_processed"))) out.bytes = static_cast<double>(*bytes);
  if (out.ended == base::WallTime{}) out.error = "restic tells no time of it";
  return out;
}

Backup backup_of(const json& entry) {
  Backup out;
  out.id = text_of(member(entry, "label"));
  const auto stop = number_of(member(member(entry, "timestamp"), "stop"));
  constexpr std::uint64_t kLatest = 100'000'000'000;  // in the year 5138; a later one is a mistake
  if (stop && *stop < kLatest) out.ended = base::WallTime{std::chrono::seconds{*stop}};
  else out.error = "pgBackRest tells no time of it";
  if (const auto bytes = number_of(member(member(entry, "info"), "size"))) out.bytes = static_cast<double>(*bytes);
  // Pages with wrong checksums.
  if (const json& error = member(entry, "error"); error.is_boolean() && error.get<bool>())
    out.error = "pages with wrong checksums were found in it";
  return out;
}

// "" for a stanza that is well.
std::string trouble_of(const json& stanza, const std::string& name) {
  const json& status = member(stanza, "status");
  const auto code = number_of(member(status, "code"));
  constexpr std::uint64_t kNoValidBackups = 2;  // said by the count of them
  if (code == 0 || code == kNoValidBackups) return "";
  return fmt::format("pgBackRest says of stanza {}: {}", name,
                     code ? fmt::format("{} (code {})", text_of(member(status, "message")), *code)
                          : std::string("nothing about its status"));
}

// borg 1.2 writes "2026-11-29T18:40:00.000000", by the clock of the zone in which it ran.
base::WallTime time_of(const std::string& text) {
  const auto utc = base::parse_iso8601(text + "Z");
  if (!utc) return base::parse_iso8601(text).value_or(base::WallTime{});
  const auto day = std::chrono::floor<std::chrono::days>(*utc);
  const auto minute = std::chrono::floor<std::chrono::minutes>(*utc - day);
  return base::TimeZone().first(day, static_cast<int>(minute.count())) + (*utc - day - minute);
}

Backup archive_of(const json& archive) {
  Backup out;
  out.id = text_of(member(archive, "name"));
  out.ended = time_of(text_of(member(archive, "end")));
  if (out.ended == base::WallTime{}) out.error = "borg tells no time of it";
  if (const auto bytes = number_of(member(member(archive, "stats"), "original_size")))
    out.bytes = static_cast<double>(*bytes);
  // What it calls a checkpoint is the part of a backup that was interrupted.
  if (out.id.find(".checkpoint") != std::string::npos) out.error = "it was interrupted";
  return out;
}

}  // namespace

base::Result<BackupSet> read_restic_snapshots(std::string_view answer, const std::string& repository) {
  const json snapshots = read_json(answer);
  const bool none = base::trim(answer, " \t\r\n") == "null";  // what some versions print for an empty list
  if (!snapshots.is_array() && !none)
    return base::fail(base::Kind::protocol, "no list of snapshots came from restic for " + repository);
  BackupSet out;
  for (const json& each : snapshots) out.backups.push_back(snapshot_of(each));
  return out;
}

base::Result<BackupSet> read_pgbackrest_info(std::string_view answer, const std::string& name) {
  const json stanzas = read_json(answer);
  if (!stanzas.is_array())
    return base::fail(base::Kind::protocol, "no list of stanzas came from pgBackRest for " + name);
  for (const json& stanza : stanzas) {
    if (text_of(member(stanza, "name")) != name) continue;
    BackupSet out{.trouble = trouble_of(stanza, name)};
    for (const json& each : member(stanza, "backup")) out.backups.push_back(backup_of(each));
    return out;
  }
  return BackupSet{.trouble = "pgBackRest knows no stanza " + name};
}

base::Result<BackupSet> read_borg_info(std::string_view text, const std::string& repository) {
  const json answer = read_json(text);
  const json& archives = member(answer, "archives");
  if (!archives.is_array())
    return base::fail(base::Kind::protocol, "no list of archives came from borg for " + repository);
  BackupSet out;
  for (const json& each : archives) out.backups.push_back(archive_of(each));
  return out;
}

}  // namespace encoding
