#include "discover/file_sd.h"

#include <filesystem>
#include <set>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace discover {
namespace {

using namespace std::chrono_literals;

// Some programs write a file in several steps, or several files at once.
constexpr base::Duration kSettle = 50ms;
constexpr std::size_t kLargestFile = kMostBytes;

}  // namespace

FileSd::FileSd(FileSdSettings settings, loop::Scheduler& scheduler, os::FolderWatcher& folders,
               std::function<void()> changed)
    : settings_(std::move(settings)), scheduler_(scheduler), folders_(folders), changed_(std::move(changed)) {
  watch_folders();  // before the first look: what changes in between is seen
  read_all();
  arm();
}

std::vector<Target> FileSd::targets() const {
  std::vector<Target> all;
  const auto before = [](const Target* a, const Target* b) {
    return std::tie(a->address, a->labels) < std::tie(b->address, b->labels);
  };
  std::set<const Target*, decltype(before)> seen(before);
  for (const auto& [path, file] : files_)
    for (const Target& target : file.targets)
      if (seen.insert(&target).second) all.push_back(target);
  return all;
}

std::vector<FileStatus> FileSd::files() const {
  std::vector<FileStatus> all;
  for (const auto& [path, file] : files_) all.push_back({path, file.targets.size(), file.error});
  return all;
}

void FileSd::read_all() {
  std::set<std::string> present;
  for (const std::string& pattern : settings_.patterns)
    for (std::string& path : base::glob(pattern)) present.insert(std::move(path));
  std::erase_if(files_, [&](const auto& file) { return !present.contains(file.first); });
  for (const std::string& path : present) read(path, files_[path]);
}

void FileSd::read(const std::string& path, File& file) {
  const std::string before = file.error;
  auto text = base::read_file(path, kLargestFile);
  if (!text) {
    file.error = text.error().text;
  } else if (file.text != *text || !file.error.empty()) {
    config::Errors errors;
    std::vector<Target> targets = parse_targets(*text, path, errors);
    file.error = errors.short_text();
    file.text = *std::move(text);
    if (file.error.empty()) file.targets = std::move(targets);
  }
  while (file.error.ends_with('\n')) file.error.pop_back();
  if (file.error == before) return;
  if (file.error.empty()) base::log::info("a file of targets can be read again", {{"file", path}});
  else
    base::log::warn("a file of targets cannot be used; what it said before goes on",
                    {{"file", path}, {"targets", std::to_string(file.targets.size())}, {"mistakes", file.error}});
}

void FileSd::look() {
  soon_.reset();
  watch_folders();
  const std::map<std::string, File> before = files_;
  read_all();
  if (files_ != before) changed_();
}

void FileSd::look_soon() {
  if (!soon_) soon_ = scheduler_.after(kSettle, [this] { look(); });
}

void FileSd::watch_folders() {
  std::erase_if(watches_, [](const auto& watch) { return !std::filesystem::is_directory(watch.first); });
  for (const std::string& pattern : settings_.patterns) {
    const std::string folder = std::filesystem::path(pattern).parent_path().string();
    if (watches_.contains(folder)) continue;
    auto watch = folders_.watch(folder, [this] { look_soon(); });
    if (watch) watches_.emplace(folder, *std::move(watch));
    else base::log::debug("looked at from time to time only", {{"folder", folder}, {"error", watch.error().text}});
  }
}

void FileSd::arm() {
  refresh_ = scheduler_.after(settings_.refresh_interval, [this] {
    arm();
    look();
  });
}

}  // namespace discover
