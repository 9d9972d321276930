// Whole files in and out. Blocking: for start-up, reload and small files under /proc and /run; never for what may hang.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace base {

inline constexpr std::size_t kFileLimit = 16 * 1024 * 1024;

// A regular file as a whole: a pipe or a device in its place is refused (Kind::invalid), because it could hold the
// reader for ever. Fails with Kind::limit above `limit` bytes. The error text names the path.
Result<std::string> read_file(const std::string& path, std::size_t limit = kFileLimit);
// What a person named on a command line, which may be a pipe. Waits for its end.
Result<std::string> read_input(const std::string& path, std::size_t limit = kFileLimit);

// Temporary file beside it, fsync, rename, fsync of the folder: the old or the new content, never a mixture.
Result<> write_file_atomically(const std::string& path, std::string_view content);

// Paths that match a shell pattern, sorted. No match is an empty list, not an error.
std::vector<std::string> glob(const std::string& pattern);

}  // namespace base
