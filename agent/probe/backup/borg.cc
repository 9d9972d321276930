// BorgBackup: the archives of a repository. Nothing is locked by asking.
#include <string_view>
#include <utility>

#include "encoding/backup_list.h"
#include "probe/backup/backup_probe.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"

namespace probe {
namespace {

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
          .read = [](const std::vector<std::string>& answers, const std::string& repository) {
            return encoding::read_borg_info(answers[0], repository);
          }};
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
