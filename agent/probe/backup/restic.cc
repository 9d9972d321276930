// restic: the snapshots of a repository, and the locks that are left on it. Nothing is locked by asking.
#include <utility>

#include "encoding/backup_list.h"
#include "probe/backup/backup_probe.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"

namespace probe {
namespace {

struct ResticSettings {
  std::string program = "/usr/bin/restic";
  std::string repository;
  std::string password_file;
  std::string host;
  std::string path;
  std::string tag;
  BackupSettings backup{};
};

const config::Schema<ResticSettings>& schema() {
  static const auto schema =
      probe_schema<ResticSettings>("restic")
          .required("repository", &ResticSettings::repository, "As for restic -r.")
          .reach(config::Reach::file, config::ValueFormat::text)
          .optional("password_file", &ResticSettings::password_file, "File with its password.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("host", &ResticSettings::host, "Only snapshots of this host count.")
          .reach(config::Reach::listed)
          .optional("path", &ResticSettings::path, "Only snapshots of this path count.")
          .optional("tag", &ResticSettings::tag, "Only snapshots with this tag count; of a,b those with both.")
          .reach(config::Reach::listed)
          .optional("program", &ResticSettings::program, "Absolute path of the tool.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .inlined(&ResticSettings::backup, backup_schema())
          .shows({"program", "repository", "host", "path", "tag"})
          .check([](const ResticSettings& restic, const config::Complain& complain) {
            if (restic.repository.empty()) complain("repository", "must name the repository");
            const bool has_password = restic.backup.environment.contains("RESTIC_PASSWORD") ||
                                      restic.backup.environment.contains("RESTIC_PASSWORD_FILE") ||
                                      restic.backup.environment.contains("RESTIC_PASSWORD_COMMAND");
            if (restic.password_file.empty() && !has_password && restic.backup.report_file.empty())
              complain("", "has no password; add password_file");
          });
  return schema;
}

base::Result<BackupSet> read(const std::vector<std::string>& answers, const std::string& repository) {
  TRY(BackupSet out, encoding::read_restic_snapshots(answers[0], repository));
  if (answers.size() < 2) return out;
  std::size_t locks = 0;  // a line each
  for (const char c : answers[1]) locks += c == '\n' ? 1 : 0;
  out.locks = locks;
  return out;
}

BackupQuestions questions_of(const ResticSettings& restic) {
  // Without a cache: it would answer for a repository that is damaged. The newest of each host and path are enough.
  std::vector<std::string> snapshots{"snapshots", "--json", "--no-lock", "--no-cache", "--latest", "20"};
  const auto add = [&snapshots](const char* option, const std::string& value) {
    if (value.empty()) return;
    snapshots.emplace_back(option);
    snapshots.push_back(value);
  };
  add("--host", restic.host);
  add("--path", restic.path);
  add("--tag", restic.tag);
  std::map<std::string, std::string> environment{{"RESTIC_REPOSITORY", restic.repository}, {"HOME", "/nonexistent"}};
  if (!restic.password_file.empty()) environment.emplace("RESTIC_PASSWORD_FILE", restic.password_file);
  return {.program = restic.program,
          .arguments = {snapshots, {"list", "locks", "--no-lock", "--no-cache", "--quiet"}},
          .environment = std::move(environment),
          .repository = restic.repository,
          .read = read};
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return parse_backup_probe(schema(), questions_of, node, path, owner, errors);
}

}  // namespace

const Type restic_type{
    .name = "restic",
    .summary = "Asks restic for the snapshots of a repository: how old the newest is, how many there are, locks.",
    .example = R"yaml(name: backup
type: restic
interval: 15m
timeout: 1m
repository: /srv/backup/shop
password_file: /etc/fettle/restic.password
path: /var/lib/order
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
