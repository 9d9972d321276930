#include "recover/drill/drill_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/redact.h"
#include "recover/drill/fault_drill_spec.h"

namespace recover {
namespace {

struct Verify {
  std::string manifest;
  std::optional<PostgresCheck> postgres;
};

struct Settings {
  std::string service;
  base::Millis every = DrillSpec{}.every;
  std::vector<MaintenanceWindow> windows;
  base::Millis timeout = DrillSpec{}.timeout;
  base::Millis max_age = DrillSpec{}.max_age;
  std::string scratch;
  std::size_t max_bytes = DrillSpec{}.scratch.max_bytes;
  RestoreToolKeys tool;
  Verify verify;
};

// Below the restored files: no way out of them.
bool is_inside(const std::string& path) {
  const std::filesystem::path parts(path);
  return !parts.is_absolute() && std::find(parts.begin(), parts.end(), "..") == parts.end();
}

const config::Schema<PostgresCheck>& postgres_schema() {
  static const auto s =
      config::Schema<PostgresCheck>("postgres")
          .optional("data", &PostgresCheck::data,
                    "Its data directory, relative to what was restored; empty with pgbackrest: all of it.")
          .optional("dump", &PostgresCheck::dump,
                    "Instead of data: a file of pg_dump, plain or custom, relative to what was restored.")
          .optional("database", &PostgresCheck::database, "The database that is asked; a dump is loaded into it.")
          .optional("user", &PostgresCheck::user, "A superuser of the server whose data was restored.")
          .optional("bin_dir", &PostgresCheck::bin_dir,
                    "Folder with postgres, psql and initdb; empty: /usr/lib/postgresql/VERSION/bin.")
          .optional("queries", &PostgresCheck::queries,
                    "Queries of one number each, such as SELECT count(*) FROM orders. With live the number must be "
                    "that of the live server within the tolerance, without it more than 0.")
          .optional("live", &PostgresCheck::live,
                    "The live server, as a connection string of psql: host=/run/postgresql dbname=order user=fettle. "
                    "Keep its password in a file (passfile=).")
          .optional("tolerance", &PostgresCheck::tolerance,
                    "How far a number may be from the live one, as a share of that.")
          .optional("newest", &PostgresCheck::newest,
                    "Query of the time of the newest row, such as SELECT max(created_at) FROM orders; empty: the last "
                    "commit that was replayed, or else the end of the backup.")
          .shows({"data", "dump", "database", "user", "bin_dir", "queries", "newest"})
          .check([](const PostgresCheck& check, const config::Complain& complain) {
            if (!is_inside(check.data)) complain("data", "must be a path below what was restored");
            if (!is_inside(check.dump)) complain("dump", "must be a path below what was restored");
            if (!check.data.empty() && !check.dump.empty()) complain("dump", "stands instead of data; write one");
            if (!check.bin_dir.empty() && check.bin_dir[0] != '/') complain("bin_dir", "must be an absolute path");
            if (!(check.tolerance >= 0 && check.tolerance <= 1)) complain("tolerance", "must be from 0 to 1");
            if (!check.live.empty() && check.queries.empty()) complain("queries", "must have what live is asked");
          });
  return s;
}

const config::Schema<Verify>& verify_schema() {
  static const auto s =
      config::Schema<Verify>("verify")
          .optional("manifest", &Verify::manifest,
                    "File with checksums as sha256sum writes them, relative to what was restored; its names are "
                    "relative to its own folder.")
          .optional("postgres", &Verify::postgres, postgres_schema(),
                    "A throw-away PostgreSQL is started from what was restored, and asked.")
          .shows({"manifest"})
          .check([](const Verify& verify, const config::Complain& complain) {
            if (!is_inside(verify.manifest)) complain("manifest", "must be a path below what was restored");
          });
  return s;
}

const config::Schema<Settings>& drill_schema() {
  static const auto s =
      config::Schema<Settings>("drill")
          .required("service", &Settings::service, "Whose backup it is: its objectives rpo and rto are judged by it.")
          .optional("every", &Settings::every,
                    "How often a restore is proven. One that failed is tried again after a "
                    "day at the latest.")
          .custom("windows",
                  "Times of the week in which it may begin: \"Sun 02:00-05:00\", or a list of such. None: at any time.",
                  "[]",
                  [](const config::Node& node, Settings& drill, const std::string& path, config::Errors& errors) {
                    drill.windows = read_windows(node, path, errors);
                  })
          .optional("timeout", &Settings::timeout, "How long a run may take; then all of it is ended.")
          .optional("max_age", &Settings::max_age,
                    "Longest time since a restore was proven before an alert says so; 0s: a day more than every.")
          .required("scratch", &Settings::scratch,
                    "Folder into which is restored: made, or empty, and of the agent's user. All in it is removed "
                    "after each run.")
          .optional("max_bytes", &Settings::max_bytes,
                    "What the scratch folder may hold; the run is ended beyond it. Of the disk a twentieth stays free.")
          .inlined(&Settings::tool, restore_tool_schema())
          .optional("verify", &Settings::verify, verify_schema(),
                    "What proves the restore, beside that files came back; without it a damaged file may pass.")
          .shows({"scratch"})
          .check([](const Settings& drill, const config::Complain& complain) {
            if (drill.every < base::Millis{3'600'000}) complain("every", "must be at least 1h");
            if (drill.timeout < base::Millis{1'000}) complain("timeout", "must be at least 1s");
            if (drill.max_age < base::Millis{0}) complain("max_age", "must not be negative");
            if (drill.max_bytes == 0) complain("max_bytes", "must be more than 0");
            const std::filesystem::path scratch(drill.scratch);
            if (!scratch.is_absolute() || scratch.lexically_normal() != scratch || scratch == scratch.root_path())
              complain("scratch", "must be an absolute path of a folder");
          });
  return s;
}

Drill make(const std::string& name, Settings settings, const config::Node& node, const std::string& path,
           config::Errors& errors) {
  auto spec = std::make_shared<DrillSpec>();
  spec->tool = make_restore_tool(std::move(settings.tool), node, path, errors);
  spec->name = name;
  spec->service = std::move(settings.service);
  spec->every = settings.every;
  spec->windows = std::move(settings.windows);
  spec->timeout = settings.timeout;
  spec->max_age = settings.max_age;
  spec->scratch = {std::move(settings.scratch), settings.max_bytes};
  spec->manifest = std::move(settings.verify.manifest);
  spec->postgres = std::move(settings.verify.postgres);
  spec->secrets = config::secrets_of(node);
  if (spec->tool && spec->postgres && spec->postgres->data.empty() && spec->postgres->dump.empty() &&
      !spec->tool->restores_postgres())
    errors.add(node.find("verify").mark(), path + ".verify.postgres",
               "does not say where the data is; write data, or dump");
  return spec;
}

}  // namespace

bool DrillSpec::open(base::WallTime now) const { return windows.empty() || is_within(windows, now); }

base::Millis between_drills(base::Millis every, bool has_windows) {
  constexpr base::Millis kEarly{12LL * 3'600'000};
  return has_windows ? every - std::min(every / 2, kEarly) : every;
}

const std::vector<config::KeyReference>& drill_reference() { return drill_schema().reference(); }

std::vector<Drill> parse_drills(const config::Node& drills, const std::function<bool(const std::string&)>& known,
                                config::Errors& errors) {
  std::vector<Drill> out;
  if (drills.is_null()) return out;
  if (!drills.is_mapping()) {
    errors.add(drills.mark(), "drills", config::expected("a mapping of names to drills", drills));
    return out;
  }
  for (const auto& [key, node] : drills.entries()) {
    if (is_fault_drill(node)) continue;
    const std::string name = key.scalar(), path = config::detail::join_path("drills", name);
    const std::size_t before = errors.size();
    Settings settings = drill_schema().parse(node, path, errors);
    if (errors.size() == before && !known(settings.service))
      errors.add(node.find("service").mark(), path + ".service",
                 fmt::format("no service is named '{}'", settings.service));
    if (name.empty() || name.find_first_of("/ ") != std::string::npos)
      errors.add(key.mark(), path, "the name of a drill has no blank and no slash");
    if (errors.size() > before) continue;
    Drill drill = make(name, std::move(settings), node, path, errors);
    const auto twin = std::find_if(out.begin(), out.end(),
                                   [&](const Drill& other) { return other->scratch.folder == drill->scratch.folder; });
    if (twin != out.end())
      errors.add(node.find("scratch").mark(), path + ".scratch",
                 fmt::format("is that of the drill {}, too; each has its own", (*twin)->name));
    if (errors.size() == before) out.push_back(std::move(drill));
  }
  return out;
}

}  // namespace recover
