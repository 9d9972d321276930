#include "base/file_version.h"

#include <sys/stat.h>

namespace base {

FileVersion version_of(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return {};
  return {now.st_ino, std::int64_t{now.st_mtim.tv_sec} * 1'000'000'000 + now.st_mtim.tv_nsec, now.st_size};
}

}  // namespace base
