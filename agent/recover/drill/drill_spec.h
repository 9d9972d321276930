// A drill as it is configured: which backup is restored when and where, and what proves it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/time.h"
#include "config/schema.h"
#include "recover/drill/restore_tool.h"
#include "recover/drill/scratch.h"
#include "recover/plan/maintenance_window.h"

namespace recover {

// What a throw-away PostgreSQL is asked, on a unix socket in the scratch folder.
struct PostgresCheck {
  std::string data{};                  // its data directory, below the restored files
  std::string dump{};                  // or a file of pg_dump there, which is loaded into an empty server
  std::string database = "postgres";   // that is asked
  std::string user = "postgres";       // a superuser of it
  std::string bin_dir{};               // with initdb, postgres, psql; "": Debian's, of the version of the data
  std::vector<std::string> queries{};  // of a number each: rows, say
  std::string live{};                  // connection string of the live server, as for psql; "": numbers must not be 0
  double tolerance = 0.05;             // of the live number
  std::string newest{};                // query of the time of the newest row
};

struct DrillSpec {
  std::string name;
  std::string service;
  base::Millis every{7LL * 86'400'000};
  std::vector<MaintenanceWindow> windows;  // empty: at any time
  base::Millis timeout{3'600'000};         // of a run
  base::Millis max_age{0};                 // of the last proof; 0: a day more than `every`
  Scratch scratch{"", 10'737'418'240};
  std::unique_ptr<const RestoreTool> tool;
  std::string manifest;  // below the restored files; "": none
  std::optional<PostgresCheck> postgres;
  base::KnownSecrets secrets;  // of its keys: what tools say is shown without them

  base::Millis longest_without() const { return max_age.count() > 0 ? max_age : every + base::Millis{86'400'000}; }
  bool open(base::WallTime now) const;  // a window is, or there is none
};
using Drill = std::shared_ptr<const DrillSpec>;

// From the begin of one that succeeded until the next may begin. With windows that is earlier than after `every`, so
// that a run which began late in one, or a change of the clock, does not cost the next window.
base::Millis between_drills(base::Millis every, bool has_windows);

const std::vector<config::KeyReference>& drill_reference();  // the keys of a drill

// `drills` of the configuration without the faults; those with a mistake are left out. `known`: whether there is a
// service of the name.
std::vector<Drill> parse_drills(const config::Node& drills, const std::function<bool(const std::string&)>& known,
                                config::Errors& errors);

}  // namespace recover
