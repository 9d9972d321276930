// BorgBackup: the archives of a repository. Nothing is locked by asking.
#include <chrono>
#include <string_view>
#include <utility>

#include "base/time_zone.h"
#include "encoding/json_value.h"
#include "probe/backup/backup_probe.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"

namespace probe {
namespace {

using nlohmann::json;

struct BorgSettings {
  std::string program = "/usr/bin/borg";
  std::string repository;
  std::string passphrase_file;
  BackupSettings backup{};
};

const config::Schema<BorgSettings>& schema() {
  static const auto schema =
      probe_schema<BorgSettings>("borg")
          .required("repository", &BorgSettings::repository, "As BORG_REPO has it.")
          .reach(config::Reach::file, config::ValueFormat::text)
          .optional("passphrase_file", &BorgSettings::passphrase_file, "File with its passphrase.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("program", &BorgSettings::program, "Absolute path of the tool.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .inlined(&BorgSettings::backup, backup_schema())
          .shows({"program", "repository"})
          .check([](const BorgSettings& borg, const config::Complain& complain) {
            if (borg.repository.empty()) complain("repository", "must name the repository");
            if (borg.passphrase_file.find_first_of(" '\"\\") != std::string::npos)
              complain("passphrase_file", "must be a path without blanks, quotes and backslashes");
          });
  return schema;
}

// borg 1.2 writes "2026-11-29T18:40:00.000000", by the clock of the zone in which it ran.
base::WallTime time_of(const std::string& text) {
  const auto utc = base::parse_iso8601(text + "Z");
  if (!utc) return base::parse_iso8601(text).value_or(base::WallTime{});
  const auto day = std::chrono::floor<std::chrono::days>(*utc);
  const auto minute = std::chrono::floor<std::chrono::minutes>(*utc - day);
  return base::TimeZone().first(day, static_cast<int>(minute.count())) + (*utc - day - minute);
}

Backup backup_of(const json& archive) {
  Backup out;
  out.id = encoding::text_of(encoding::member(archive, "name"));
  out.ended = time_of(encoding::text_of(encoding::member(archive, "end")));
  if (out.ended == base::WallTime{}) out.error = "borg tells no time of it";
  if (const auto bytes = encoding::number_of(encoding::member(encoding::member(archive, "stats"), "original_size")))
    out.bytes = static_cast<double>(*bytes);
  // What it calls a checkpoint is the part of a backup that was interrupted.
  if (out.id.find(".checkpoint") != std::string::npos) out.error = "it was interrupted";
  return out;
}

base::Result<BackupSet> read(const std::vector<std::string>& answers, const std::string& repository) {
  const json answer = encoding::read_json(answers[0]);
  const json& archives = encoding::member(answer, "archives");
  if (!archives.is_array())
    return base::fail(base::Kind::protocol, "no list of archives came from borg for " + repository);
  BackupSet out;
  for (const json& each : archives) out.backups.push_back(backup_of(each));
  return out;
}

BackupQuestions questions_of(const BorgSettings& borg) {
  std::map<std::string, std::string> environment{{"BORG_REPO", borg.repository},
                                                 // For what it keeps of repositories: the unit's RuntimeDirectory=.
                                                 {"BORG_BASE_DIR", "/run/fettle/borg"},
                                                 {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes"},
                                                 {"BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes"}};
  if (!borg.passphrase_file.empty()) environment.emplace("BORG_PASSCOMMAND", "cat " + borg.passphrase_file);
  return {.program = borg.program,
          .arguments = {{"--bypass-lock", "info", "--json", "--last", "20"}},
          .environment = std::move(environment),
          .repository = borg.repository,
          .read = read};
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return parse_backup_probe(schema(), questions_of, node, path, owner, errors);
}

}  // namespace

const Type borg_type{
    .name = "borg",
    .summary = "Asks BorgBackup for the archives of a repository: how old the newest is, how many there are.",
    .example = R"yaml(name: backup
type: borg
interval: 15m
timeout: 1m
repository: /srv/backup/shop
passphrase_file: /etc/fettle/borg.passphrase
max_age: 26h
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_backup_count"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"repository", std::string(target)}};
    },
    .late = model::Reason::exec_timeout,
    .concurrency = kBackupToolsAtOnce,
    .other_measurements = kBackupMeasurements,
};

}  // namespace probe
