// Files that must be there: how old, how large, what they say. Of a pattern the newest file is looked at, so that the
// freshness of backups is one probe.
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/unique_fd.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/host/run_blocking.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

constexpr std::size_t kMostFiles = 10'000;
constexpr std::size_t kContentLimit = 64 * 1024;

struct FileSettings {
  std::string path;
  bool exists = true;
  base::Millis max_age{};
  base::Millis min_age{};
  std::int64_t min_size = -1;
  std::int64_t max_size = -1;
  int min_count = 1;
  Pattern matches;
  Pattern not_matches;
};

const config::Schema<FileSettings>& schema() {
  static const auto schema =
      probe_schema<FileSettings>("file")
          .required("path", &FileSettings::path,
                    "The file, or a pattern such as /var/backups/shop-*.dump; of several the newest counts. A file "
                    "system that "
                    "hangs, as NFS without its server does, fails as read_timeout.")
          .reach(config::Reach::address, config::ValueFormat::path)
          .optional("exists", &FileSettings::exists, "false: there must be none, such as a lock that was left behind.")
          .optional("max_age", &FileSettings::max_age, "Longest time since it was written; 0: any.")
          .optional("min_age", &FileSettings::min_age, "Shortest time since it was written; 0: any.")
          .optional("min_size", &FileSettings::min_size, "Smallest size in bytes; -1: any.")
          .optional("max_size", &FileSettings::max_size, "Largest size in bytes; -1: any.")
          .optional("min_count", &FileSettings::min_count, "Files that must match the pattern at least.")
          .optional("matches", &FileSettings::matches, "Regular expression that must be found in its last 64 KiB.")
          .reach(config::Reach::listed)
          .optional("not_matches", &FileSettings::not_matches,
                    "Regular expression that must not be found in its last 64 KiB.")
          .reach(config::Reach::listed)
          .check([](const FileSettings& file, const config::Complain& complain) {
            if (file.path.empty() || file.path[0] != '/') complain("path", "must be an absolute path");
            if (file.min_count < 1) complain("min_count", "must be at least 1");
            const bool more = file.max_age.count() > 0 || file.min_age.count() > 0 || file.min_size >= 0 ||
                              file.max_size >= 0 || file.matches.regex || file.not_matches.regex;
            if (!file.exists && more) complain("exists", "a file that must not be there has no age, size or content");
            if (file.min_size >= 0 && file.max_size >= 0 && file.min_size > file.max_size)
              complain("min_size", "is larger than max_size");
          });
  return schema;
}

struct Found {
  std::string path;
  struct stat status {};
};

double modified(const Found& found) {
  return static_cast<double>(found.status.st_mtim.tv_sec) + static_cast<double>(found.status.st_mtim.tv_nsec) / 1e9;
}

std::string in_words(double seconds) {
  const auto whole = std::chrono::seconds(static_cast<std::int64_t>(seconds));
  return base::format_duration(std::chrono::duration_cast<base::Millis>(whole));
}

// The end of a regular file; anything else (a pipe, a device) is not opened, because reading it may block.
base::Result<std::string> tail_of(const Found& found) {
  if (!S_ISREG(found.status.st_mode)) return base::fail(base::Kind::invalid, found.path + " is no regular file");
  const base::UniqueFd fd(::open(found.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return base::fail_errno(errno, "open " + found.path);
  const auto size = static_cast<std::size_t>(found.status.st_size);
  std::string text(kContentLimit, '\0');
  const ssize_t got = ::pread(fd.value(), text.data(), text.size(),
                              static_cast<off_t>(size > kContentLimit ? size - kContentLimit : 0));
  if (got < 0) return base::fail_errno(errno, "read " + found.path);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

// Of the folder that could not be looked into, if there was one; on this thread only.
thread_local int glob_error = 0;

std::vector<std::string> glob(const std::string& pattern, int& error) {
  glob_error = 0;
  ::glob_t found{};
  const auto note = [](const char*, int code) {
    if (code != ENOENT && code != ENOTDIR) glob_error = code;
    return 0;  // and on with the others
  };
  std::vector<std::string> paths;
  const int ended = ::glob(pattern.c_str(), 0, note, &found);
  for (std::size_t i = 0; ended == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (ended == GLOB_NOSPACE) glob_error = ENOMEM;
  if (glob_error != 0) error = glob_error;
  return paths;
}

// One look at the files. It owns its settings with the target: it may go on when both its probe and that are gone.
class Look {
 public:
  Look(std::shared_ptr<const FileSettings> settings, base::WallTime now) : owned_(std::move(settings)), now_(now) {}

  Outcome operator()() const {
    Found newest;
    std::size_t count = 0;
    int error = ENOENT;
    const bool pattern = settings_.path.find_first_of("*?[") != std::string::npos;
    for (const std::string& path : pattern ? glob(settings_.path, error) : std::vector{settings_.path}) {
      Found found{path, {}};
      if (::stat(path.c_str(), &found.status) != 0) {
        error = errno;
        continue;
      }
      if (++count > kMostFiles)
        return Outcome::failure(Reason::too_large,
                                "more than " + std::to_string(kMostFiles) + " files match " + settings_.path);
      if (count == 1 || modified(found) > modified(newest)) newest = std::move(found);
    }
    Outcome outcome = judge(newest, count, error);
    outcome.measurements.push_back({"probe_file_count", static_cast<double>(count), {}});
    if (count == 0) return outcome;
    outcome.measurements.push_back({"probe_file_modified_timestamp_seconds", modified(newest), {}});
    outcome.measurements.push_back({"probe_file_age_seconds", age(newest), {}});
    outcome.measurements.push_back({"probe_file_size_bytes", static_cast<double>(newest.status.st_size), {}});
    return outcome;
  }

 private:
  double age(const Found& found) const { return base::seconds(now_) - modified(found); }

  // No file was found, and it may be there all the same; else an empty Outcome.
  Outcome cannot_look(std::size_t count, int error) const {
    if (count > 0) return {};
    const base::Error why = base::fail_errno(error, settings_.path).value();
    Outcome outcome = failure_at(settings_.path, why, Reason::unreachable);
    return outcome.reason == Reason::agent_overloaded ? outcome : Outcome{};
  }

  Outcome judge(const Found& found, std::size_t count, int error) const {
    if (const Outcome blind = cannot_look(count, error); !blind.text.empty()) return blind;
    if (!settings_.exists)
      return count == 0 ? Outcome::success("there is no " + settings_.path)
                        : Outcome::failure(Reason::body_mismatch, found.path + " is there, and must not be");
    if (count == 0 && error != ENOENT)
      return failure_of(base::fail_errno(error, settings_.path).value(), Reason::unreachable);
    if (count < static_cast<std::size_t>(settings_.min_count))
      return Outcome::failure(Reason::body_mismatch, count == 0 ? "there is no " + settings_.path
                                                                : std::to_string(count) + " of " +
                                                                      std::to_string(settings_.min_count) +
                                                                      " files match " + settings_.path);
    const std::string written = found.path + " was written " + in_words(std::max(0.0, age(found))) + " ago";
    if (settings_.max_age.count() > 0 && age(found) > static_cast<double>(settings_.max_age.count()) / 1e3)
      return Outcome::failure(Reason::heartbeat_missed,
                              written + "; max_age is " + base::format_duration(settings_.max_age));
    if (age(found) < static_cast<double>(settings_.min_age.count()) / 1e3 && settings_.min_age.count() > 0)
      return Outcome::failure(Reason::body_mismatch,
                              written + "; min_age is " + base::format_duration(settings_.min_age));
    const std::string size = found.path + " has " + std::to_string(found.status.st_size) + " bytes";
    if (settings_.min_size >= 0 && found.status.st_size < settings_.min_size)
      return Outcome::failure(Reason::body_mismatch, size + "; min_size is " + std::to_string(settings_.min_size));
    if (settings_.max_size >= 0 && found.status.st_size > settings_.max_size)
      return Outcome::failure(Reason::too_large, size + "; max_size is " + std::to_string(settings_.max_size));
    if (settings_.matches.regex || settings_.not_matches.regex) return judge_content(found, written);
    return Outcome::success(written);
  }

  Outcome judge_content(const Found& found, const std::string& written) const {
    const auto text = tail_of(found);
    if (!text) return failure_of(text.error(), Reason::unreachable);
    if (settings_.matches.regex && !settings_.matches.regex->found_in(*text))
      return Outcome::failure(Reason::body_mismatch,
                              found.path + " does not match " + settings_.matches.regex->pattern());
    if (settings_.not_matches.regex && settings_.not_matches.regex->found_in(*text))
      return Outcome::failure(Reason::body_mismatch, found.path + " matches " + settings_.not_matches.regex->pattern());
    return Outcome::success(written);
  }

  std::shared_ptr<const FileSettings> owned_;
  const FileSettings& settings_ = *owned_;
  base::WallTime now_;
};

class FileProbe final : public Probe {
 public:
  FileProbe(const Context& context, const std::string& name, std::shared_ptr<const FileSettings> settings)
      : context_(context), name_(name), settings_(std::move(settings)) {}
  void start(base::Instant deadline, Done done) override {
    looking_ = run_blocking(context_, deadline, name_, settings_->path, Look(settings_, context_.scheduler.wall_now()),
                            std::move(done));
  }

 private:
  const Context& context_;
  const std::string& name_;
  std::shared_ptr<const FileSettings> settings_;
  loop::Handle looking_;
};

class FileTarget final : public Settings {
 public:
  FileTarget(const Owner& owner, FileSettings settings)
      : name_(name_of(owner)), settings_(std::make_shared<const FileSettings>(std::move(settings))) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<FileProbe>(context, name_, settings_);
  }
  std::string target() const override { return settings_->path; }

 private:
  std::string name_;
  std::shared_ptr<const FileSettings> settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return std::make_unique<FileTarget>(owner, schema().parse(node, path, errors));
}

}  // namespace

const Type file_type{
    .name = "file",
    .summary = "Checks that a file is there, and the age, size and content of the newest that a pattern names.",
    .example = R"yaml(name: backup
type: file
interval: 5m
timeout: 5s
path: /var/backups/shop/shop-*.dump
max_age: 26h
min_size: 1000000
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_file_count", "probe_file_age_seconds", "probe_file_size_bytes",
                     "probe_file_modified_timestamp_seconds"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"path", std::string(target)}};
    },
    .other_measurements = std::vector<std::string_view>{},
};

}  // namespace probe
