#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/unique_fd.h"

namespace base {

namespace {

Result<std::string> read_all(const UniqueFd& fd, const std::string& path, std::size_t limit) {
  std::string content;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t n = ::read(fd.value(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("cannot read {}", path));
    if (n == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(n));
    if (content.size() > limit)
      return fail(Kind::limit, fmt::format("cannot read {}: larger than {} bytes", path, limit));
  }
}

// Open does not wait for a writer of a pipe, and makes no terminal ours.
Result<UniqueFd> open_regular(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat found {};
  if (!fd || ::fstat(fd.value(), &found) != 0) return fail_errno(errno, fmt::format("cannot read {}", path));
  if (!S_ISREG(found.st_mode))
    return fail(Kind::invalid, fmt::format("cannot read {}: it is {}, not a file", path,
                                           S_ISDIR(found.st_mode) ? "a directory" : "a pipe, a socket or a device"));
  return fd;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  TRY(const UniqueFd fd, open_regular(path));
  return read_all(fd, path, limit);
}

Result<std::string> read_input(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("cannot read {}", path));
  return read_all(fd, path, limit);
}

Result<> write_file_atomically(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  const auto failed = [&](int code) {
    ::unlink(temporary.c_str());
    return fail_errno(code, fmt::format("cannot write {}", path));
  };
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(errno, fmt::format("cannot write {}", path));
  while (!content.empty()) {
    const ssize_t n = ::write(fd.value(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd.value()) != 0) return failed(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(errno);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd dir(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.value()) != 0) return fail_errno(errno, fmt::format("cannot make {} durable", path));
  return {};
}

std::vector<std::string> glob(const std::string& pattern) {
  ::glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  return paths;
}

}  // namespace base
