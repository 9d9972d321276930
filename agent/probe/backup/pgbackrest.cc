// pgBackRest: the backups of a stanza. Its exit code is 0 even when the repository is gone; what it says counts.

#include <utility>

#include "encoding/backup_list.h"
#include "probe/backup/backup_probe.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"

namespace probe {
namespace {

struct PgbackrestSettings {
  std::string program = "/usr/bin/pgbackrest";
  std::string stanza;
  std::string config_file = "/etc/pgbackrest.conf";
  BackupSettings backup{};
};

const config::Schema<PgbackrestSettings>& schema() {
  static const auto schema =
      probe_schema<PgbackrestSettings>("pgbackrest")
          .required("stanza", &PgbackrestSettings::stanza, "The stanza, as pgBackRest's configuration calls it.")
          .reach(config::Reach::listed)
          .optional("config_file", &PgbackrestSettings::config_file, "pgBackRest's configuration.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("program", &PgbackrestSettings::program, "Absolute path of the tool.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .inlined(&PgbackrestSettings::backup, backup_schema())
          .shows({"program", "stanza", "config_file"})
          .check([](const PgbackrestSettings& pgbackrest, const config::Complain& complain) {
            if (pgbackrest.stanza.empty()) complain("stanza", "must name a stanza");
          });
  return schema;
}

BackupQuestions questions_of(const PgbackrestSettings& pgbackrest) {
  return {.program = pgbackrest.program,
          .arguments = {{"--config=" + pgbackrest.config_file, "--stanza=" + pgbackrest.stanza, "--log-level-file=off",
                         "--output=json", "info"}},
          .environment = {},
          .repository = pgbackrest.stanza,
          .read = [](const std::vector<std::string>& answers, const std::string& name) {
            return encoding::read_pgbackrest_info(answers[0], name);
          }};
}

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return parse_backup_probe(schema(), questions_of, node, path, owner, errors);
}

}  // namespace

const Type pgbackrest_type{
    .name = "pgbackrest",
    .summary = "Asks pgBackRest for the backups of a stanza: its status, how old the newest is, errors in pages.",
    .example = R"yaml(name: backup
type: pgbackrest
interval: 15m
timeout: 1m
stanza: shop
max_age: 26h
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_backup_count"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"stanza", std::string(target)}};
    },
    .late = model::Reason::exec_timeout,
    .concurrency = kBackupToolsAtOnce,
    .other_measurements = kBackupMeasurements,
};

}  // namespace probe
