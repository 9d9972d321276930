#include "os/service_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/ascii.h"
#include "base/file.h"
#include "os/running_processes.h"
#include "os/socket_table.h"

namespace os {
namespace {

namespace fs = std::filesystem;
using model::ChangeKind;
using model::FileStamp;

constexpr std::size_t kMostText = 256 * 1024, kMostFiles = 64;

FileStamp stamp_of(const std::string& path, ChangeKind kind) {
  FileStamp out{path, kind};
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return out;
  out.exists = true;
  out.modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  out.size = static_cast<std::uint64_t>(status.st_size);
  out.inode = status.st_ino;
  out.changed = base::wall_from_ms(std::int64_t{status.st_ctim.tv_sec} * 1000 + status.st_ctim.tv_nsec / 1'000'000);
  return out;
}

std::vector<std::string> words_of(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty())
    if (const std::string_view word = base::take_until(text, separator); !word.empty()) out.emplace_back(word);
  return out;
}

class Files {
 public:
  // What is there; what is not counts only if it was known.
  void add(const std::string& path, ChangeKind kind) {
    if (found_.size() >= kMostFiles || !seen_.insert(path).second) return;
    if (FileStamp stamp = stamp_of(path, kind); stamp.exists) found_.push_back(std::move(stamp));
    else seen_.erase(path);
  }
  void add_command(std::vector<std::string> words) {
    if (words.empty()) return;
    // systemd's prefixes of a program.
    words[0].erase(0, std::min(words[0].find_first_not_of("@-:+!"), words[0].size()));
    const std::vector<std::string> program = paths_in({words[0]});
    words.erase(words.begin());
    for (const std::string& path : program) add(path, ChangeKind::program);
    for (const std::string& path : paths_in(words)) add(path, ChangeKind::configuration);
  }
  void add_unit(const std::string& path) {
    add(path, ChangeKind::unit);
    const std::string text = base::read_file(path, kMostText).value_or("");
    std::string_view left = text;
    while (!left.empty()) {
      std::string_view line = base::trim(base::take_line(left));
      const std::string key(base::trim(base::take_until(line, '=')));
      if (key.starts_with("Exec")) add_command(words_of(line, ' '));
      else if (key == "EnvironmentFile") add(std::string(base::trim(line, " \t-")), ChangeKind::configuration);
    }
  }
  void add_known(const std::vector<FileStamp>& known) {
    for (const FileStamp& stamp : known)
      if (found_.size() < kMostFiles && seen_.insert(stamp.path).second)
        found_.push_back(stamp_of(stamp.path, stamp.kind));
  }
  std::vector<FileStamp> take() { return std::move(found_); }

 private:
  std::vector<FileStamp> found_;
  std::set<std::string> seen_;
};

// order@1.service is made from order@.service.
std::vector<std::string> names_of(const std::string& unit) {
  const std::size_t at = unit.find('@'), dot = unit.rfind('.');
  if (at == std::string::npos || dot == std::string::npos || dot < at) return {unit};
  return {unit, unit.substr(0, at + 1) + unit.substr(dot)};
}

void add_unit_files(const std::string& unit, const std::vector<std::string>& folders, Files& out) {
  std::error_code code;
  bool found = false;
  for (const std::string& name : names_of(unit))
    for (const std::string& folder : folders) {
      if (const std::string path = folder + "/" + name; !found && fs::exists(path, code)) {
        out.add_unit(path);
        found = true;
      }
      for (const std::string& path : base::glob(folder + "/" + name + ".d/*.conf")) out.add_unit(path);
    }
}

bool is_written_by_programs(std::string_view path) {
  for (const char* folder : {"/proc/", "/sys/", "/dev/", "/run/", "/var/run/", "/var/log/", "/var/lib/", "/var/cache/"})
    if (path.starts_with(folder)) return true;
  for (const char* end : {".log", ".pid", ".sock", ".socket", ".lock", ".db"})
    if (path.ends_with(end)) return true;
  return false;
}

}  // namespace

std::vector<std::string> paths_in(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    const std::size_t from = word.starts_with('/') ? 0 : word.find("=/") + 1;
    if (from == 0 && !word.starts_with('/')) continue;
    if (std::string path = word.substr(from); !is_written_by_programs(path)) out.push_back(std::move(path));
  }
  return out;
}

std::map<std::string, std::vector<FileStamp>> stamps_of(const std::map<std::string, FilesQuestion>& services,
                                                        const std::vector<std::string>& unit_folders,
                                                        const KernelFiles& files) {
  const std::vector<RunningProcess> processes = running_processes(files);
  std::map<std::uint16_t, std::set<std::uint64_t>> listening;
  for (const TcpSocket& socket : tcp_sockets(files))
    if (socket.listens()) listening[socket.port].insert(socket.inode);
  std::map<std::string, std::vector<FileStamp>> out;
  for (const auto& [service, question] : services) {
    Files found;
    if (!question.unit.empty()) add_unit_files(question.unit, unit_folders, found);
    const auto there = question.port == 0 ? listening.end() : listening.find(question.port);
    for (const RunningProcess& process : processes) {
      const bool listens = there != listening.end() && std::any_of(there->second.begin(), there->second.end(),
                                                                   [&](auto i) { return process.sockets.contains(i); });
      const bool own = question.unit.empty() ? listens : process.unit == question.unit;
      if (!own) continue;
      const std::string line =
          base::read_file(fmt::format("{}/{}/cmdline", files.proc, process.pid), kMostText).value_or("");
      found.add_command(words_of(line, '\0'));
      std::error_code hidden;
      if (const auto program = fs::read_symlink(fmt::format("{}/{}/exe", files.proc, process.pid), hidden); !hidden)
        for (const std::string& path : paths_in({program.string()})) found.add(path, ChangeKind::program);
    }
    found.add_known(question.known);
    out.emplace(service, found.take());
  }
  return out;
}

std::vector<model::NodeChange> package_changes(std::string_view log, base::WallTime since) {
  std::vector<model::NodeChange> out;
  while (!log.empty()) {
    std::istringstream words{std::string(base::take_line(log))};
    std::string day, time, verb, package, from, to;
    words >> day >> time >> verb >> package >> from >> to;
    if (!words || (verb != "install" && verb != "upgrade" && verb != "remove" && verb != "purge")) continue;
    std::tm local{};
    local.tm_isdst = -1;
    if (::strptime((day + " " + time).c_str(), "%Y-%m-%d %H:%M:%S", &local) == nullptr) continue;
    const base::WallTime at = base::wall_from_ms(std::int64_t{::mktime(&local)} * 1000);
    if (at <= since) continue;
    const std::string versions = verb == "upgrade" ? fmt::format("{} to {}", from, to) : verb == "install" ? to : from;
    out.push_back({at, "", ChangeKind::package, fmt::format("{} {} {}", verb, package, versions)});
  }
  return out;
}

}  // namespace os
