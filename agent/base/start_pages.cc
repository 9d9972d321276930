#include "base/start_pages.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace base {
namespace {

// A mapping as /proc/self/smaps describes it. Only what is the file's, and neither written to nor relocated
// (Anonymous), is the same when it is read anew.
struct Mapping {
  std::uintptr_t begin = 0, end = 0;
  bool is_of_file = false;
  std::size_t resident_kib = 0;
  bool has_own_pages = true;
};

std::size_t take_out(const Mapping& mapping) {
  if (!mapping.is_of_file || mapping.has_own_pages || mapping.resident_kib == 0) return 0;
  if (::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED) != 0) return 0;
  return mapping.resident_kib * 1024;
}

}  // namespace

std::size_t give_back_start_pages() {
  ::malloc_trim(0);
  std::size_t taken = 0;
  Mapping mapping;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    unsigned long long begin = 0, end = 0, kib = 0;
    char may[5] = {};
    int path = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %4s %*s %*s %*s %n", &begin, &end, may, &path) == 3) {
      taken += take_out(mapping);
      mapping = {static_cast<std::uintptr_t>(begin), static_cast<std::uintptr_t>(end)};
      mapping.is_of_file =
          may[0] == 'r' && may[1] == '-' && may[3] == 'p' && path > 0 && line[static_cast<std::size_t>(path)] == '/';
    } else if (std::sscanf(line.c_str(), "Rss: %llu kB", &kib) == 1) {
      mapping.resident_kib = kib;
    } else if (std::sscanf(line.c_str(), "Anonymous: %llu kB", &kib) == 1) {
      mapping.has_own_pages = kib != 0;
    }
  }
  return taken + take_out(mapping);
}

}  // namespace base
