#include "state/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/file.h"

namespace state {

namespace {

std::string path_in(const std::string& folder) { return folder + "/fettle.lock"; }

bool is_on_path(const base::UniqueFd& file, const std::string& path) {
  struct stat held {
  }, there{};
  return file && ::fstat(file.value(), &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

base::Result<base::UniqueFd> lock_folder(const std::string& folder) {
  const std::string path = path_in(folder);
  base::UniqueFd fd;
  do {  // what was locked may have been removed since it was opened
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    if (code) return base::fail_errno(code.value(), fmt::format("cannot make the state folder {}", folder));
    fd = base::UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd) fd = base::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // a read-only disk can be locked, too
    if (!fd) return base::fail_errno(errno, fmt::format("cannot write to the state folder {}", folder));
    if (::flock(fd.value(), LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
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
  file_.reset();
  TRY(file_, lock_folder(folder_));
  return {};
}

}  // namespace state
