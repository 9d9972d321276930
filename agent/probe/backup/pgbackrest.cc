// pgBackRest: the backups of a stanza. Its exit code is 0 even when the repository is gone; what it says counts.
#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "encoding/json_value.h"
#include "probe/backup/backup_probe.h"
#include "probe/common/probe_schema.h"
#include "probe/registry.h"

namespace probe {
namespace {

using nlohmann::json;

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

Backup backup_of(const json& entry) {
  Backup out;
  out.id = encoding::text_of(encoding::member(entry, "label"));
  const auto stop = encoding::number_of(encoding::member(encoding::member(entry, "timestamp"), "stop"));
  constexpr std::uint64_t kLatest = 100'000'000'000;  // in the year 5138; a later one is a mistake
  if (stop && *stop < kLatest) out.ended = base::WallTime{std::chrono::seconds{*stop}};
  else out.error = "pgBackRest tells no time of it";
  if (const auto bytes = encoding::number_of(encoding::member(encoding::member(entry, "info"), "size")))
    out.bytes = static_cast<double>(*bytes);
  // Pages with wrong checksums.
  if (const json& error = encoding::member(entry, "error"); error.is_boolean() && error.get<bool>())
    out.error = "pages with wrong checksums were found in it";
  return out;
}

// "" for a stanza that is well.
std::string trouble_of(const json& stanza, const std::string& name) {
  const json& status = encoding::member(stanza, "status");
  const auto code = encoding::number_of(encoding::member(status, "code"));
  constexpr std::uint64_t kNoValidBackups = 2;  // said by the count of them
  if (code == 0 || code == kNoValidBackups) return "";
  return fmt::format("pgBackRest says of stanza {}: {}", name,
                     code ? fmt::format("{} (code {})", encoding::text_of(encoding::member(status, "message")), *code)
                          : std::string("nothing about its status"));
}

base::Result<BackupSet> read(const std::vector<std::string>& answers, const std::string& name) {
  const json stanzas = encoding::read_json(answers[0]);
  if (!stanzas.is_array())
    return base::fail(base::Kind::protocol, "no list of stanzas came from pgBackRest for " + name);
  for (const json& stanza : stanzas) {
    if (encoding::text_of(encoding::member(stanza, "name")) != name) continue;
    BackupSet out{.trouble = trouble_of(stanza, name)};
    for (const json& each : encoding::member(stanza, "backup")) out.backups.push_back(backup_of(each));
    return out;
  }
  return BackupSet{.trouble = "pgBackRest knows no stanza " + name};
}

BackupQuestions questions_of(const PgbackrestSettings& pgbackrest) {
  return {.program = pgbackrest.program,
          .arguments = {{"--config=" + pgbackrest.config_file, "--stanza=" + pgbackrest.stanza, "--log-level-file=off",
                         "--output=json", "info"}},
          .environment = {},
          .repository = pgbackrest.stanza,
          .read = read};
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
