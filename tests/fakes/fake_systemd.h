// A private D-Bus daemon, and on it something that answers as systemd's manager does: units with properties, jobs that
// end, signals. It runs in a thread; the test changes units from outside.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "os/systemd/systemd.h"

namespace fakes {

// dbus-daemon(1) on a socket of its own; `address` is empty if the program is missing.
class BusDaemon {
 public:
  BusDaemon() {
    const std::string folder = folder_;
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/bus.conf")
        << "<busconfig><listen>unix:path=" << folder << "/bus</listen>"
        << "<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>"
        << "<allow own=\"*\"/><allow send_destination=\"*\"/><allow receive_sender=\"*\"/>"
        << "</policy></busconfig>";
    start();
  }
  ~BusDaemon() {
    stop();
    std::filesystem::remove_all(folder_);
  }
  void start() {
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
    // It complains that it may not raise its limit of descriptors.
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    std::vector<std::string> words{"dbus-daemon", "--nofork", "--print-address=1",
                                   "--config-file=" + folder_ + "/bus.conf"};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawnp(&pid_, "dbus-daemon", &actions, nullptr, argv.data(), environ) != 0) pid_ = 0;
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ready[1]);
    char byte = 0;
    if (pid_ != 0 && ::read(ready[0], &byte, 1) == 1) address = "unix:path=" + folder_ + "/bus";
    ::close(ready[0]);
  }
  void stop() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitid(P_PID, static_cast<id_t>(pid_), nullptr, WEXITED);
    std::filesystem::remove(folder_ + "/bus");
    pid_ = 0;
  }
  std::string address;

 private:
  std::string folder_ = std::filesystem::temp_directory_path() / ("fettle-bus-" + std::to_string(::getpid()));
  pid_t pid_ = 0;
};

class FakeSystemd {
 public:
  explicit FakeSystemd(const std::string& address) {
    sd_bus_new(&bus_);
    sd_bus_set_address(bus_, address.c_str());
    sd_bus_set_bus_client(bus_, 1);
    if (sd_bus_start(bus_) < 0 || sd_bus_request_name(bus_, "org.freedesktop.systemd1", 0) < 0) std::abort();
    sd_bus_add_filter(
        bus_, nullptr,
        [](sd_bus_message* m, void* self, sd_bus_error*) { return static_cast<FakeSystemd*>(self)->answer(m); }, this);
    thread_ = std::thread([this] {
      while (!stopping_) {
        while (sd_bus_process(bus_, nullptr) > 0) {
        }
        tell_changes();
        sd_bus_wait(bus_, 1000);
      }
    });
  }
  ~FakeSystemd() {
    stopping_ = true;
    thread_.join();
    sd_bus_flush_close_unref(bus_);
  }
  void set(const std::string& unit, const os::UnitState& state) {
    const std::lock_guard lock(mutex_);
    units_[path_of(unit)] = state;
    changed_.push_back(path_of(unit));
  }
  // How jobs end; "refuse" is an access error instead, "destructive" another's job in the way, "hang" no end at all.
  void jobs_end(const std::string& result) {
    const std::lock_guard lock(mutex_);
    result_ = result;
  }
  void shut_down() {
    const std::lock_guard lock(mutex_);
    system_state_ = "stopping";
  }
  std::string calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  static std::string path_of(const std::string& unit) {
    char* path = nullptr;
    sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path);
    const std::string out = path;
    std::free(path);
    return out;
  }
  void tell_changes() {
    const std::lock_guard lock(mutex_);
    for (const std::string& path : changed_)
      sd_bus_emit_signal(bus_, path.c_str(), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                         "org.freedesktop.systemd1.Unit", 0, 0);
    changed_.clear();
  }
  int answer(sd_bus_message* m) {
    const std::lock_guard lock(mutex_);
    const char* member = sd_bus_message_get_member(m);
    const char* path = sd_bus_message_get_path(m);
    if (member == nullptr || path == nullptr || sd_bus_message_is_method_call(m, nullptr, nullptr) == 0) return 0;
    const std::string_view method = member;
    if (method == "Get" && std::string_view(path) == "/org/freedesktop/systemd1")
      return sd_bus_reply_method_return(m, "v", "s", system_state_.c_str());
    if (method == "GetAll") return all(m, path);
    if (method == "Get" && jobs_of_units_.contains(path))
      return sd_bus_reply_method_return(m, "v", "s", jobs_of_units_[path].c_str());
    if (method == "Subscribe") return sd_bus_reply_method_return(m, "");
    const char *unit = "", *mode = "";
    sd_bus_message_read(m, "s", &unit);
    if (method != "ResetFailedUnit") sd_bus_message_read(m, "s", &mode);
    int signal = 0;
    if (method == "KillUnit") sd_bus_message_read(m, "i", &signal);
    calls_ += std::string(method) + " " + unit + " " + mode + (signal == 0 ? "" : " " + std::to_string(signal)) + "\n";
    if (result_ == "refuse")
      return sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
    if (result_ == "destructive")
      return sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.TransactionIsDestructive", "'stop' job queued");
    if (method == "ResetFailedUnit" || method == "KillUnit") return sd_bus_reply_method_return(m, "");
    const std::string job = "/org/freedesktop/systemd1/job/" + std::to_string(++jobs_);
    const auto end = [&] {
      sd_bus_emit_signal(bus_, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss",
                         jobs_, job.c_str(), unit, result_.c_str());
    };
    // Every other job ends before its reply is out.
    if (result_ != "hang" && jobs_ % 2 == 0) end();
    sd_bus_reply_method_return(m, "o", job.c_str());
    if (result_ != "hang" && jobs_ % 2 == 1) end();
    return 1;
  }
  // A unit's job has a path of its own, under which its type is asked for; "gone" has ended before that.
  int all(sd_bus_message* m, const std::string& path) {
    const os::UnitState& state = units_[path];
    std::string job = "/";
    if (!state.job.empty()) {
      job = "/org/freedesktop/systemd1/job/9" + std::to_string(jobs_of_units_.size());
      if (state.job != "gone") jobs_of_units_[job] = state.job;
    }
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(m, &reply);
    sd_bus_message_append(
        reply, "a{sv}", 19, "Job", "(uo)", static_cast<std::uint32_t>(job == "/" ? 0 : 7), job.c_str(), "LoadState",
        "s", state.load.empty() ? "not-found" : state.load.c_str(), "ActiveState", "s", state.active.c_str(),
        "Documentation", "as", 0, "SubState", "s", state.sub.c_str(), "ActiveEnterTimestamp", "t",
        state.active_enter_us, "ActiveEnterTimestampMonotonic", "t", state.active_enter_monotonic_us,
        "StateChangeTimestampMonotonic", "t", state.state_change_monotonic_us, "StartLimitIntervalUSec", "t",
        state.start_limit_us, "StartLimitBurst", "u", state.start_limit_burst, "FreezerState", "s",
        state.freezer.c_str(), "Result", "s", (path.ends_with("_2eservice") ? state.result.c_str() : ""), "NRestarts",
        "u", state.restarts, "MainPID", "u", static_cast<std::uint32_t>(state.main_pid), "ExecMainCode", "i",
        state.exec_main_code, "ExecMainStatus", "i", state.exec_main_status, "ControlPID", "u",
        static_cast<std::uint32_t>(state.control_pid), "TimeoutStartUSec", "t", state.start_timeout_us, "RestartUSec",
        "t", state.restart_wait_us);
    sd_bus_send(nullptr, reply, nullptr);
    sd_bus_message_unref(reply);
    return 1;
  }
  sd_bus* bus_ = nullptr;
  mutable std::mutex mutex_;
  std::map<std::string, os::UnitState> units_;
  std::map<std::string, std::string> jobs_of_units_;  // type by path
  std::vector<std::string> changed_;
  std::string result_ = "done", system_state_ = "running", calls_;
  std::uint32_t jobs_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace fakes
