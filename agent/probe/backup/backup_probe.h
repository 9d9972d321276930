// What the probes of backup tools share: the tool is run, or a report that it wrote is read, and its JSON is judged.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/schema.h"
#include "probe/backup/backup_set.h"
#include "probe/probe.h"

namespace probe {

struct BackupSettings {
  std::map<std::string, std::string> environment{};
  std::string report_file{};
  base::Millis max_age = BackupDemands{}.max_age;
  int min_count = BackupDemands{}.min_count;
  double min_size = BackupDemands{}.min_size;
};

// The keys of all backup tools; a type has them inlined.
const config::Schema<BackupSettings>& backup_schema();

// How one tool is asked, and what it answers. Any thread.
struct BackupQuestions {
  std::string program;                              // absolute path
  std::vector<std::vector<std::string>> arguments;  // of each question, asked in turn; the first is for the backups
  std::map<std::string, std::string> environment;   // without that of the settings, which goes before it
  std::string repository;                           // as people may see it
  // Reads the answers, one to each question; where a report is read, there is one to the first only. An error is text
  // of the tool that cannot be understood.
  base::Result<BackupSet> (*read)(const std::vector<std::string>& answers, const std::string& repository);
};

std::unique_ptr<const Settings> make_backup_probe(const config::Node& node, const std::string& path, const Owner& owner,
                                                  BackupSettings settings, BackupQuestions questions,
                                                  config::Errors& errors);

// Type::parse of a tool whose keys are `Keys`, with its BackupSettings as `backup`. Null after a mistake.
template <typename Keys>
std::unique_ptr<const Settings> parse_backup_probe(const config::Schema<Keys>& schema,
                                                   BackupQuestions (*questions_of)(const Keys&),
                                                   const config::Node& node, const std::string& path,
                                                   const Owner& owner, config::Errors& errors) {
  const std::size_t before = errors.size();
  Keys keys = schema.parse(node, path, errors);
  if (errors.size() > before) return nullptr;
  BackupQuestions questions = questions_of(keys);
  return make_backup_probe(node, path, owner, std::move(keys.backup), std::move(questions), errors);
}

// Runs of a tool at the same time, over all probes of its type: a repository may be far away and large.
inline constexpr std::size_t kBackupToolsAtOnce = 2;

// All that a run can measure; Type::measurements has the first of them.
inline const std::vector<std::string_view> kBackupMeasurements{
    "probe_backup_broken", "probe_backup_locks", "probe_backup_last_success_timestamp_seconds",
    "probe_backup_last_size_bytes", "probe_backup_median_size_bytes"};

}  // namespace probe
