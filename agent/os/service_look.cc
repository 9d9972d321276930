#include "os/service_look.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "os/running_processes.h"
#include "os/thread_wait.h"

namespace os {
namespace {

namespace fs = std::filesystem;
using model::EvidenceSection;
using model::Wait;

constexpr std::size_t kProcesses = 16, kThreads = 128, kPeers = 64, kMostText = 64 * 1024;

std::string read_text(const std::string& path) { return base::read_file(path, kMostText).value_or(""); }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) out.emplace_back(base::take_line(text));
  return out;
}

// The first number behind `key` in a file that has a key on each line.
std::optional<std::uint64_t> number_behind(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = base::take_line(text);
    if (!line.starts_with(key)) continue;
    if (const auto number = base::leading_number<std::uint64_t>(base::trim(line.substr(key.size()), " \t:")))
      return number;
  }
  return std::nullopt;
}

class Look {
 public:
  Look(const ServiceQuestion& question, const KernelFiles& files) : question_(question), files_(files) {
    choose();
    look_at_processes();
    look_at_limits();
    look_at_group();
    look_at_sockets();
  }
  ServiceLook take() { return std::move(out_); }

 private:
  EvidenceSection& section(std::string name, std::string missing = "") {
    return out_.sections.emplace_back(EvidenceSection{std::move(name), {}, std::move(missing)});
  }
  std::string of(pid_t pid, const char* file) const {
    return read_text(fmt::format("{}/{}/{}", files_.proc, pid, file));
  }

  void choose() {
    sockets_ = tcp_sockets(files_);
    std::set<std::uint64_t> listening;
    for (const TcpSocket& socket : sockets_)
      if (question_.port != 0 && socket.listens() && socket.port == question_.port) listening.insert(socket.inode);
    const auto listens = [&](const RunningProcess& process) {
      return std::any_of(listening.begin(), listening.end(),
                         [&](std::uint64_t inode) { return process.sockets.contains(inode); });
    };
    std::vector<RunningProcess> all = running_processes(files_);
    const auto choose_if = [&](const auto& wanted) {
      if (processes_.empty()) std::copy_if(all.begin(), all.end(), std::back_inserter(processes_), wanted);
    };
    choose_if([&](const auto& process) { return !question_.unit.empty() && process.unit == question_.unit; });
    choose_if([&](const auto& process) { return question_.main_pid != 0 && process.pid == question_.main_pid; });
    choose_if(listens);
    // The main process first.
    std::stable_partition(processes_.begin(), processes_.end(),
                          [&](const auto& p) { return p.pid == question_.main_pid; });
    out_.signs.looked = !question_.unit.empty() || question_.port != 0;
  }

  void look_at_processes() {
    EvidenceSection& shown = section("processes");
    std::map<std::pair<pid_t, pid_t>, std::uint64_t> before;
    for (std::size_t i = 0; i < std::min(processes_.size(), kProcesses); ++i)
      for (const ThreadLook& look : look_at_threads(processes_[i].pid, kThreads, files_))
        before[{look.pid, look.thread}] = look.switches;
    if (!before.empty()) std::this_thread::sleep_for(kApart);
    std::vector<std::string> threads;
    std::size_t left_out = 0;
    for (const RunningProcess& process : processes_) {
      if (shown.lines.size() >= kProcesses) break;
      const auto looks = look_at_threads(process.pid, kThreads, files_);
      if (looks.empty() || looks.front().state == 'Z') continue;
      show_process(process, looks.size(), shown);
      for (const ThreadLook& look : looks) {
        const auto there = before.find({look.pid, look.thread});
        const bool ran = there != before.end() && there->second != look.switches;
        const Wait wait = wait_of(look, ran);
        ++out_.signs.threads[static_cast<std::size_t>(wait)];
        if (look.pid == main_ && look.thread == main_) out_.signs.main = wait;
        if (threads.size() < kThreads) threads.push_back(text_of(look, wait));
        else ++left_out;
      }
    }
    out_.signs.process = main_ != 0;
    if (shown.lines.empty()) shown.missing = "no process of the service is there";
    else if (processes_.size() > kProcesses) shown.missing = fmt::format("{} more", processes_.size() - kProcesses);
    section("threads", left_out > 0 ? fmt::format("{} more", left_out) : "").lines = std::move(threads);
  }

  void show_process(const RunningProcess& process, std::size_t threads, EvidenceSection& shown) {
    if (main_ == 0) main_ = process.pid, main_user_ = process.user, hides_sockets_ = process.hides_sockets;
    own_.insert(process.sockets.begin(), process.sockets.end());
    const std::string status = of(process.pid, "status");
    std::string command = of(process.pid, "cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    const auto value = [&](std::string_view key) { return number_behind(status, key).value_or(0); };
    shown.lines.push_back(fmt::format("{} {} of uid {}: {} threads, {} kB resident, {} kB swapped: {}", process.pid,
                                      process.program, process.user, threads, value("VmRSS:"), value("VmSwap:"),
                                      base::trim(command)));
  }

  static std::string text_of(const ThreadLook& look, Wait wait) {
    std::string where = look.file.empty() ? look.place : look.file;
    if (where.empty() && !look.call.empty()) where = "call " + look.call.substr(0, look.call.find(' '));
    return fmt::format("{}/{} {}: state {}, {}{}", look.pid, look.thread, look.name, look.state, to_string(wait),
                       where.empty() ? "" : " (" + where + ")");
  }

  void add_level(const char* name, std::optional<std::uint64_t> used, std::optional<std::uint64_t> limit) {
    if (used && limit) out_.signs.levels.push_back({name, *used, *limit});
  }

  void look_at_limits() {
    if (main_ == 0) return;
    const std::string limits = of(main_, "limits"), status = of(main_, "status");
    section("limits", limits.empty() ? "not to be read" : "").lines = lines_of(limits);
    std::error_code code;
    std::uint64_t files = 0;
    fs::directory_iterator descriptors(fmt::format("{}/{}/fd", files_.proc, main_), code);
    for (; !code && descriptors != fs::directory_iterator(); descriptors.increment(code)) ++files;
    if (!code && files > 0) {
      out_.sections.back().lines.push_back(fmt::format("open files: {}", files));
      add_level("open files", files, number_behind(limits, "Max open files"));
    }
    if (const auto size = number_behind(status, "VmSize:"))
      add_level("bytes of address space", *size * 1024, number_behind(limits, "Max address space"));
  }

  // The group of the unit, also when its processes are gone.
  std::string group() const {
    const std::string text = main_ == 0 ? "" : of(main_, "cgroup");
    for (const std::string& line : lines_of(text))
      if (line.starts_with("0::")) return line.substr(3);
    return question_.unit.empty() ? "" : "/system.slice/" + question_.unit;
  }

  void look_at_group() {
    const std::string path = group();
    if (path.empty() || path == "/") return;
    const std::string folder = files_.cgroup + path + "/";
    EvidenceSection& shown = section("cgroup");
    for (const char* name :
         {"memory.current", "memory.high", "memory.max", "memory.swap.current", "memory.events", "cpu.stat", "cpu.max",
          "pids.current", "pids.max", "memory.pressure", "cpu.pressure", "io.pressure"})
      for (const std::string& line : lines_of(read_text(folder + name)))
        shown.lines.push_back(fmt::format("{}: {}", name, line));
    if (shown.lines.empty()) shown.missing = "the control group " + path + " is not to be read";
    // A group that others are in as well says nothing about the service.
    if (question_.unit.empty() || !is_in_unit("0::" + path, question_.unit, of(1, "cgroup"))) return;
    const auto number = [&](const char* name) { return base::leading_number<std::uint64_t>(read_text(folder + name)); };
    // Without the page cache, which the kernel takes back.
    const std::string memory = read_text(folder + "memory.stat");
    if (const auto held = number_behind(memory, "anon "))
      add_level("bytes of memory", *held + number_behind(memory, "slab_unreclaimable ").value_or(0),
                number("memory.max"));
    add_level("tasks", number("pids.current"), number("pids.max"));
    out_.signs.oom_kills = number_behind(read_text(folder + "memory.events"), "oom_kill ").value_or(0);
  }

  void look_at_sockets() {
    EvidenceSection& shown = section("sockets");
    std::map<std::string, std::size_t> callers, called;
    std::set<std::uint16_t> ports{question_.port};
    for (const TcpSocket& socket : sockets_) {
      const bool own = own_.contains(socket.inode);
      if (!socket.listens() || (!own && (question_.port == 0 || socket.port != question_.port))) continue;
      ports.insert(socket.port);
      if (socket.port == question_.port) out_.signs.accept_queue += socket.to_read;
      shown.lines.push_back(
          fmt::format("listens on {}:{}: {} wait to be accepted", socket.address, socket.port, socket.to_read));
    }
    for (const TcpSocket& socket : sockets_) {
      if (socket.listens() || socket.port == 0) continue;
      // Of another user's process no descriptors are shown; that user's sockets are.
      const bool own = own_.contains(socket.inode) || (hides_sockets_ && main_user_ != 0 && socket.user == main_user_);
      if (ports.contains(socket.port)) ++callers[fmt::format("from {}: {}", socket.peer, socket.state)];
      else if (own) ++called[fmt::format("to {}:{}: {}", socket.peer, socket.peer_port, socket.state)];
    }
    for (const auto* group : {&callers, &called})
      for (const auto& [text, count] : *group) {
        if (shown.lines.size() < kPeers) shown.lines.push_back(fmt::format("{} {}", text, count));
        else shown.missing = "more than can be shown";
      }
    if (shown.lines.empty()) shown.missing = "no TCP socket of the service is to be seen";
  }

  const ServiceQuestion& question_;
  const KernelFiles& files_;
  std::vector<TcpSocket> sockets_;
  std::vector<RunningProcess> processes_;
  std::set<std::uint64_t> own_;  // inodes
  pid_t main_ = 0;
  uid_t main_user_ = 0;
  bool hides_sockets_ = false;
  ServiceLook out_;
};

}  // namespace

ServiceLook look_at_service(const ServiceQuestion& question, const KernelFiles& files) {
  return Look(question, files).take();
}

}  // namespace os
