#include "recover/drill/restore_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/secret.h"
#include "config/request.h"
#include "os/program_file.h"

namespace recover {
namespace {

using encoding::BackupSet;
using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Those of the configuration go before what the tool gets anyhow.
Variables with(Variables configured, Variables own) {
  own.emplace("PATH", kPath);
  own.emplace("LANG", "C.UTF-8");
  own.emplace("HOME", "/nonexistent");
  configured.merge(own);
  return configured;
}

template <typename T>
auto& common(config::Schema<T>& schema) {
  return schema.optional("program", &T::program, "Absolute path of the tool.")
      .optional("environment", &T::environment,
                "Variables for the tool, such as the keys of an object store; no others are inherited.");
}

template <typename T>
void check_common(const T& tool, const config::Complain& complain) {
  if (const std::string why = config::variables_complaint(tool.environment); !why.empty()) complain("environment", why);
}

struct Restic : ResticKeys {
  std::string text() const { return "restic " + base::without_secrets(repository); }
  // Without a cache, which would answer for a repository that is damaged; without a lock, as nothing is written.
  Words list(const Scratch&) const {
    return selected({program, "snapshots", "--json", "--no-lock", "--no-cache", "--latest", "1"});
  }
  base::Result<BackupSet> read(const std::string& answer) const {
    return encoding::read_restic_snapshots(answer, base::without_secrets(repository));
  }
  Words restore(const std::string& id, const Scratch& scratch) const {
    return {program, "restore", id, "--target", scratch.data(), "--verify", "--no-lock", "--no-cache"};
  }
  Variables variables(const Scratch& scratch) const {
    Variables own{{"RESTIC_REPOSITORY", repository}, {"TMPDIR", scratch.run()}};
    if (!password_file.empty()) own.emplace("RESTIC_PASSWORD_FILE", password_file);
    return own;
  }
  static bool restores_postgres() { return false; }

 private:
  Words selected(Words words) const {
    for (const auto& [option, value] : {std::pair{"--host", &host}, {"--path", &path}, {"--tag", &tag}})
      if (!value->empty()) words.insert(words.end(), {option, *value});
    return words;
  }
};

const config::Schema<ResticKeys>& restic_schema() {
  static const auto s = [] {
    config::Schema<ResticKeys> schema("restic");
    schema.required("repository", &ResticKeys::repository, "As for restic -r.")
        .optional("password_file", &ResticKeys::password_file, "File with its password.")
        .optional("host", &ResticKeys::host, "Only snapshots of this host count.")
        .optional("path", &ResticKeys::path, "Only snapshots of this path count.")
        .optional("tag", &ResticKeys::tag, "Only snapshots with this tag count; of a,b those with both.");
    common(schema)
        .shows({"program", "repository", "host", "path", "tag"})
        .check([](const ResticKeys& restic, const config::Complain& complain) {
          check_common(restic, complain);
          const bool has_password =
              std::any_of(restic.environment.begin(), restic.environment.end(),
                          [](const auto& variable) { return variable.first.starts_with("RESTIC_PASSWORD"); });
          if (restic.password_file.empty() && !has_password) complain("", "has no password; add password_file");
        });
    return schema;
  }();
  return s;
}

struct Pgbackrest : PgbackrestKeys {
  std::string text() const { return "pgbackrest " + stanza; }
  Words list(const Scratch& scratch) const { return words(scratch, {"--output=json", "info"}); }
  base::Result<BackupSet> read(const std::string& answer) const {
    return encoding::read_pgbackrest_info(answer, stanza);
  }
  // Into the scratch folder and nowhere else: neither the data directory of the stanza nor its tablespaces; and what
  // starts from it archives nothing.
  Words restore(const std::string& id, const Scratch& scratch) const {
    return words(scratch, {"--set=" + id, "--pg1-path=" + scratch.data(),
                           "--tablespace-map-all=" + scratch.run() + "/tablespaces", "--archive-mode=off",
                           "--lock-path=" + scratch.run(), "--process-max=1", "restore"});
  }
  // Nothing is fetched ahead into a folder that the live server uses, too.
  static Variables variables(const Scratch&) { return {{"PGBACKREST_ARCHIVE_ASYNC", "n"}}; }
  static bool restores_postgres() { return true; }

 private:
  Words words(const Scratch&, Words more) const {
    Words out{program,
              "--config=" + config_file,
              "--stanza=" + stanza,
              "--log-level-file=off",
              "--log-level-console=off",
              "--log-level-stderr=warn"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

const config::Schema<PgbackrestKeys>& pgbackrest_schema() {
  static const auto s = [] {
    config::Schema<PgbackrestKeys> schema("pgbackrest");
    schema.required("stanza", &PgbackrestKeys::stanza, "The stanza, as pgBackRest's configuration calls it.")
        .optional("config_file", &PgbackrestKeys::config_file, "pgBackRest's configuration.");
    common(schema).shows({"program", "stanza", "config_file"}).check(check_common<PgbackrestKeys>);
    return schema;
  }();
  return s;
}

struct Borg : BorgKeys {
  std::string text() const { return "borg " + base::without_secrets(repository); }
  Words list(const Scratch&) const { return {program, "--bypass-lock", "info", "--json", "--last", "1"}; }
  base::Result<BackupSet> read(const std::string& answer) const {
    return encoding::read_borg_info(answer, base::without_secrets(repository));
  }
  Words restore(const std::string& id, const Scratch&) const {
    return {program, "--bypass-lock", "extract", "::" + id};
  }
  // A cache of its own, which is as empty as the scratch folder.
  Variables variables(const Scratch& scratch) const {
    Variables own{{"BORG_REPO", repository},
                  {"BORG_BASE_DIR", scratch.run() + "/borg"},
                  {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes"},
                  {"BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes"}};
    if (!passphrase_file.empty()) own.emplace("BORG_PASSCOMMAND", "cat " + passphrase_file);
    return own;
  }
  static bool restores_postgres() { return false; }
};

const config::Schema<BorgKeys>& borg_schema() {
  static const auto s = [] {
    config::Schema<BorgKeys> schema("borg");
    schema.required("repository", &BorgKeys::repository, "As BORG_REPO has it.")
        .optional("passphrase_file", &BorgKeys::passphrase_file, "File with its passphrase.");
    common(schema).shows({"program", "repository"}).check([](const BorgKeys& borg, const config::Complain& complain) {
      check_common(borg, complain);
      if (borg.passphrase_file.find_first_of(" '\"\\") != std::string::npos)
        complain("passphrase_file", "must be a path without blanks, quotes and backslashes");
    });
    return schema;
  }();
  return s;
}

// Whatever else restores: it is started in the folder into which it is to restore.
struct Other : RestoreCommandKeys {
  std::string program = argv.front();

  std::string text() const { return "command " + argv.front(); }
  static Words list(const Scratch&) { return {}; }
  static base::Result<BackupSet> read(const std::string&) { return BackupSet{}; }
  Words restore(const std::string&, const Scratch&) const { return argv; }
  static Variables variables(const Scratch& scratch) {
    return {{"FETTLE_SCRATCH", scratch.data()}, {"TMPDIR", scratch.run()}};
  }
  static bool restores_postgres() { return false; }
};

const config::Schema<RestoreCommandKeys>& command_schema() {
  static const auto s =
      config::Schema<RestoreCommandKeys>("command")
          .required("argv", &RestoreCommandKeys::argv,
                    "Absolute path of a program, then its arguments. It restores the newest backup into the folder in "
                    "which it is started, which FETTLE_SCRATCH names, too.")
          .optional("environment", &RestoreCommandKeys::environment,
                    "Variables for the program; no others are inherited.")
          .check([](const RestoreCommandKeys& command, const config::Complain& complain) {
            check_common(command, complain);
            if (command.argv.empty()) complain("argv", "must name a program");
          });
  return s;
}

template <typename T>
class Tool final : public RestoreTool {
 public:
  explicit Tool(T settings) : settings_(std::move(settings)) {}
  std::string text() const override { return settings_.text(); }
  Words list(const Scratch& scratch) const override { return settings_.list(scratch); }
  base::Result<BackupSet> read(const std::string& answer) const override { return settings_.read(answer); }
  Words restore(const std::string& id, const Scratch& scratch) const override { return settings_.restore(id, scratch); }
  Variables environment(const Scratch& scratch) const override {
    return with(settings_.environment, settings_.variables(scratch));
  }
  bool restores_postgres() const override { return settings_.restores_postgres(); }

 private:
  T settings_;
};

template <typename T, typename Keys>
std::unique_ptr<const RestoreTool> make(Keys keys, const config::Node& node, const std::string& path,
                                        config::Errors& errors) {
  T settings{std::move(keys)};
  if (const auto good = os::check_program(settings.program); !good) {
    const config::Node program = node.find(std::is_same_v<T, Other> ? "argv" : "program");
    const config::Mark at = program.is_null() ? node.mark() : program.mark();
    if (good.error().kind == base::Kind::invalid) errors.add(at, path, good.error().text);
    else errors.warn(at, path, good.error().text + "; until that is mended no drill of it succeeds");
  }
  return std::make_unique<Tool<T>>(std::move(settings));
}

}  // namespace

const config::Schema<RestoreToolKeys>& restore_tool_schema() {
  static const auto s =
      config::Schema<RestoreToolKeys>("restore tool")
          .optional("restic", &RestoreToolKeys::restic, restic_schema(), "A restic repository.")
          .optional("pgbackrest", &RestoreToolKeys::pgbackrest, pgbackrest_schema(), "A stanza of pgBackRest.")
          .optional("borg", &RestoreToolKeys::borg, borg_schema(), "A repository of BorgBackup.")
          .optional("command", &RestoreToolKeys::command, command_schema(),
                    "A program that restores the newest backup into the folder in which it is started.")
          .check([](const RestoreToolKeys& keys, const config::Complain& complain) {
            const int given =
                (keys.restic ? 1 : 0) + (keys.pgbackrest ? 1 : 0) + (keys.borg ? 1 : 0) + (keys.command ? 1 : 0);
            if (given != 1)
              complain("", "needs one of restic, pgbackrest, borg and command, which restores the backup");
          });
  return s;
}

std::unique_ptr<const RestoreTool> make_restore_tool(RestoreToolKeys keys, const config::Node& drill,
                                                     const std::string& path, config::Errors& errors) {
  if (keys.restic) return make<Restic>(*std::move(keys.restic), drill.find("restic"), path + ".restic", errors);
  if (keys.pgbackrest)
    return make<Pgbackrest>(*std::move(keys.pgbackrest), drill.find("pgbackrest"), path + ".pgbackrest", errors);
  if (keys.borg) return make<Borg>(*std::move(keys.borg), drill.find("borg"), path + ".borg", errors);
  return make<Other>(*std::move(keys.command), drill.find("command"), path + ".command", errors);
}

}  // namespace recover
