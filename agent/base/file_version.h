// What tells a file from the one that stood there before: a rotation that renames changes the inode, one that writes
// the time or the size. One system call.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace base {

struct FileVersion {
  ino_t inode = 0;
  std::int64_t modified_ns = 0;
  off_t size = -1;  // no such file
  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

FileVersion version_of(const std::string& path);

}  // namespace base
