#include "state/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/number.h"

namespace state {

namespace {

std::string path_in(const std::string& folder) { return folder + "/fettle.lock"; }

bool is_on_path(const base::UniqueFd& file, const std::string& path) {
  struct stat held {
  }, there{};
  return file && ::fstat(file.value(), &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

// So long for what an agent that was killed has left: a process that was just being started keeps the lock until it
// is the program that it becomes.
constexpr std::chrono::milliseconds kPatience{2'000}, kPause{10};

bool is_gone(const std::string& owner) {
  const auto pid = base::read_number<pid_t>(owner);
  return pid && *pid > 0 && ::kill(*pid, 0) != 0 && errno == ESRCH;
}

// 0, or an error's number.
int lock(const base::UniqueFd& fd, const std::string& path, bool first) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (::flock(fd.value(), LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    const bool left_over = number == EWOULDBLOCK && first && is_gone(base::read_file(path, 100).value_or(""));
    if (!left_over || std::chrono::steady_clock::now() >= until) return number;
    std::this_thread::sleep_for(kPause);
  }
  return 0;
}

base::Result<base::UniqueFd> lock_folder(const std::string& folder, bool first) {
  const std::string path = path_in(folder);
  base::UniqueFd fd;
  do {  // what was locked may have been removed since it was opened
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    if (code) return base::fail_errno(code.value(), fmt::format("cannot make the state folder {}", folder));
    fd = base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd) fd = base::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // a read-only disk can be locked, too
    if (!fd) return base::fail_errno(errno, fmt::format("cannot write to the state folder {}", folder));
    if (const int number = lock(fd, path, first); number != 0) {
      if (number != EWOULDBLOCK) return base::fail_errno(number, fmt::format("cannot lock {}", path));
      const std::string owner = base::read_file(path, 100).value_or("");
      return base::fail(base::Kind::unavailable,
                        fmt::format("another agent{} is using the state folder {}: stop it, or give this one another "
                                    "--storage.path",
                                    owner.empty() ? "" : fmt::format(" (process {})", owner), folder));
    }
  } while (!is_on_path(fd, path));
  // Only for that message: the lock holds without it.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd.value(), 0) != 0 || ::pwrite(fd.value(), pid.data(), pid.size(), 0) < 0) return fd;
  return fd;
}

}  // namespace

bool FolderLock::held() const { return is_on_path(file_, path_in(folder_)); }

base::Result<> FolderLock::hold() {
  if (held()) return {};
  const bool first = !file_;
  file_.reset();
  TRY(file_, lock_folder(folder_, first));
  return {};
}

}  // namespace state
