#include "os/program_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <string_view>

#include "base/unique_fd.h"

namespace os {
namespace {

constexpr int kLinks = 40;  // as many as the kernel follows

// In front of `parts`, in order.
void prepend(std::deque<std::string>& parts, std::string_view path) {
  std::deque<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0 && path.substr(0, slash) != ".") names.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  parts.insert(parts.begin(), names.begin(), names.end());
}

base::Result<> check_owner(const struct stat& info, const std::string& path) {
  if (info.st_uid == 0 || info.st_uid == ::geteuid()) return {};
  return base::fail(
      base::Kind::invalid,
      fmt::format("{} belongs to user {}, who could have anything run; chown it to root", path, info.st_uid));
}

base::Result<> check_mode(const struct stat& info, const std::string& path) {
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  if (S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0) return {};
  return base::fail(
      base::Kind::invalid,
      fmt::format("{} may be written by its group or by others, who could have anything run; chmod go-w it", path));
}

}  // namespace

base::Result<> check_program(const std::string& path) {
  if (path.empty() || path.front() != '/')
    return base::fail(
        base::Kind::invalid,
        fmt::format("'{}' is no absolute path; write where the program lies, such as /usr/bin/systemctl", path));
  std::deque<std::string> parts;
  prepend(parts, path);
  std::string at = "/";  // the name of `here`, for messages
  base::UniqueFd here(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  for (int links = 0;;) {
    if (!here || ::fstat(here.value(), &info) != 0) return base::fail_errno(errno, at);
    TRY_VOID(check_owner(info, at));
    TRY_VOID(check_mode(info, at));
    if (parts.empty()) break;
    const std::string name = parts.front();
    parts.pop_front();
    std::string next_at = at + (at.back() == '/' ? "" : "/") + name;
    base::UniqueFd next(::openat(here.value(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next || ::fstat(next.value(), &info) != 0) return base::fail_errno(errno, next_at);
    if (S_ISLNK(info.st_mode)) {
      TRY_VOID(check_owner(info, next_at));
      std::array<char, PATH_MAX> target;
      const ssize_t size = ::readlinkat(next.value(), "", target.data(), target.size());
      if (size <= 0 || ++links > kLinks) return base::fail_errno(size <= 0 ? errno : ELOOP, next_at);
      const std::string_view text(target.data(), static_cast<std::size_t>(size));
      prepend(parts, text);
      if (text.front() != '/') continue;
      at = "/";
      here.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      continue;
    }
    here = std::move(next);
    at = std::move(next_at);
  }
  if (!S_ISREG(info.st_mode)) return base::fail(base::Kind::invalid, fmt::format("{} is no regular file", path));
  if (::access(path.c_str(), X_OK) != 0)
    return base::fail((info.st_mode & 0111) == 0 ? base::Kind::invalid : base::Kind::permission,
                      fmt::format("{} cannot be executed by this user; chmod +x it", path));
  return {};
}

}  // namespace os
