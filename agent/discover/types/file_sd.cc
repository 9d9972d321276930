// Targets that files list, in Prometheus' file_sd format: patterns, watched folders, and a look from time to time for
// what no watch sees. A file that cannot be read or understood keeps what it said when it last could; one that is gone
// has no targets any more.
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/log.h"
#include "discover/registry.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

using namespace std::chrono_literals;

// Some programs write a file in several steps, or several files at once.
constexpr base::Duration kSettle = 50ms;
constexpr std::size_t kLargestFile = kMostBytes;

struct FileSdSettings {
  std::vector<std::string> files;  // patterns, relative to the configuration file's folder; absolute once parsed
  base::Millis refresh_interval{300'000};
};

bool is_sd_file(const std::string& pattern) {
  const std::string extension = base::lower_case(std::filesystem::path(pattern).extension().string());
  return extension == ".json" || extension == ".yml" || extension == ".yaml";
}

const config::Schema<FileSdSettings>& schema() {
  static const auto schema =
      config::Schema<FileSdSettings>("file_sd_configs")
          .required("files", &FileSdSettings::files,
                    "Files in Prometheus' file_sd format, .json, .yml or .yaml; shell patterns, relative to this "
                    "file's folder. Read again when they change; one with mistakes keeps what it said before.")
          .optional("refresh_interval", &FileSdSettings::refresh_interval,
                    "Look at the files this often besides, for changes that the kernel does not tell.")
          .beside(config::target_template_schema())
          .check([](const FileSdSettings& sd, const config::Complain& complain) {
            if (sd.files.empty()) complain("files", "must name a file or a pattern");
            for (const std::string& pattern : sd.files)
              if (!is_sd_file(pattern)) complain("files", "must end in .json, .yml or .yaml");
            if (sd.refresh_interval < base::Millis{1000}) complain("refresh_interval", "must be at least 1s");
          });
  return schema;
}

class FileSd final : public Source {
 public:
  FileSd(FileSdSettings settings, const Context& context, std::function<void()> changed)
      : settings_(std::move(settings)), context_(context), changed_(std::move(changed)) {
    FileSd::refresh();
    arm();
  }

  std::vector<const TargetList*> lists() const override {
    std::vector<const TargetList*> all;
    for (const auto& [path, file] : files_) all.push_back(&file.list);
    return all;
  }

  void refresh() override { (void)look(); }

 private:
  struct File {
    std::string text;
    TargetList list;
  };

  // True if others see another list than before.
  bool look() {
    soon_.reset();
    watch_folders();  // before the files: what changes in between is seen
    std::set<std::string> present;
    for (const std::string& pattern : settings_.files)
      for (std::string& path : base::glob(pattern)) present.insert(std::move(path));
    bool others = std::erase_if(files_, [&](const auto& file) { return !present.contains(file.first); }) > 0;
    for (const std::string& path : present) {
      const auto [at, is_new] = files_.try_emplace(path, File{"", {path}});
      others = read(at->second) || is_new || others;
    }
    return others;
  }

  bool read(File& file) const {
    const base::WallTime now = context_.scheduler.wall_now();
    auto text = base::read_file(file.list.name, kLargestFile);
    if (!text) return file.list.keep(text.error().text, now);
    if (*text == file.text && file.list.refreshed && file.list.error.empty()) {
      file.list.refreshed = now;
      return false;
    }
    config::Errors errors;
    std::vector<Target> targets = parse_targets(*text, file.list.name, errors);
    file.text = *std::move(text);
    return errors.empty() ? file.list.take(std::move(targets), now) : file.list.keep(errors.text(), now);
  }

  void watch_folders() {
    std::erase_if(watches_, [](const auto& watch) {
      std::error_code ignored;  // what this user may not look into is no folder here
      return !std::filesystem::is_directory(watch.first, ignored);
    });
    for (const std::string& pattern : settings_.files) {
      const std::string folder = std::filesystem::path(pattern).parent_path().string();
      if (watches_.contains(folder)) continue;
      auto watch = context_.folders.watch(folder, [this] { look_soon(); });
      if (watch) watches_.emplace(folder, *std::move(watch));
      else base::log::debug("looked at from time to time only", {{"folder", folder}, {"error", watch.error().text}});
    }
  }

  void look_soon() {
    if (soon_) return;
    soon_ = context_.scheduler.after(kSettle, [this] {
      if (look()) changed_();
    });
  }

  void arm() {
    timer_ = context_.scheduler.after(settings_.refresh_interval, [this] {
      arm();
      if (look()) changed_();
    });
  }

  FileSdSettings settings_;
  Context context_;
  std::function<void()> changed_;
  std::map<std::string, File> files_;  // by path
  std::map<std::string, loop::Handle> watches_;
  loop::Handle timer_, soon_;
};

class FileSdEntry final : public Settings {
 public:
  explicit FileSdEntry(FileSdSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Source> make(const Context& context, std::function<void()> changed) const override {
    return std::make_unique<FileSd>(settings_, context, std::move(changed));
  }

 private:
  FileSdSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  FileSdSettings settings = schema().parse(entry, path, errors);
  for (std::string& pattern : settings.files) pattern = (std::filesystem::path(owner.folder) / pattern).string();
  return std::make_unique<FileSdEntry>(std::move(settings));
}

}  // namespace

const Type file_sd_source{
    .key = "file_sd_configs",
    .summary = "More probes, one for each target that these files list, as in Prometheus.",
    .example = R"(file_sd_configs:
  - files: [targets/*.json]
    probe: {type: http, interval: 5s, timeout: 1s}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
