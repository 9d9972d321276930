#include "base/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>

#include "base/file.h"

namespace base {
namespace {

constexpr std::size_t kNoLimit = std::size_t{1} << 60;  // v1 has a number for it
constexpr int kArenas = 4;
constexpr int kLargeBlock = 256 * 1024;
constexpr int kKeptOnTop = 1024 * 1024;

std::optional<std::size_t> number_in(const std::filesystem::path& file) {
  const base::Result<std::string> text = read_file(file.string());
  if (!text) return {};
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || value >= kNoLimit) return {};  // "max"
  return value;
}

}  // namespace

std::optional<std::size_t> memory_limit(const std::filesystem::path& proc_cgroup, const std::filesystem::path& root) {
  const base::Result<std::string> text = read_file(proc_cgroup.string());
  if (!text) return {};
  std::optional<std::size_t> least;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t v1 = line.find(":memory:/");
    if (!line.starts_with("0::/") && v1 == std::string::npos) continue;
    const std::filesystem::path mount = v1 == std::string::npos ? root : root / "memory";
    std::filesystem::path group = line.substr(line.find('/') + 1);
    for (;; group = group.parent_path()) {
      for (const char* name : {"memory.max", "memory.high", "memory.limit_in_bytes"})
        if (const auto limit = number_in(mount / group / name)) least = std::min(*limit, least.value_or(*limit));
      if (group.empty()) break;
    }
  }
  return least;
}

void give_back_large_blocks() {
  // Each arena but the first reserves 64 MiB of addresses: where these are limited, threads need them for their stacks.
  rlimit addresses{};
  const bool few = ::getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY;
  ::mallopt(M_ARENA_MAX, few ? 1 : kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);  // and it does not grow with use any more
  ::mallopt(M_TRIM_THRESHOLD, kKeptOnTop);
}

void give_back_freed_pages() { ::malloc_trim(0); }

}  // namespace base
