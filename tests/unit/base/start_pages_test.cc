#include "base/start_pages.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "base/unique_fd.h"

namespace {

constexpr std::size_t kSize = 4 << 20;

// A file of one letter, mapped as a library's text is, and one like its data: written to, then closed to writing.
struct Mapped {
  Mapped() {
    std::string path = "/tmp/fettle-start-pages-XXXXXX";
    fd = base::UniqueFd(::mkstemp(path.data()));
    REQUIRE(fd);
    ::unlink(path.c_str());
    const std::string text(kSize, 'a');
    REQUIRE(::write(fd.value(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    program = static_cast<char*>(::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, fd.value(), 0));
    relocated = static_cast<char*>(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.value(), 0));
    REQUIRE(program != MAP_FAILED);
    REQUIRE(relocated != MAP_FAILED);
    std::memset(relocated, 'b', kSize);
    REQUIRE(::mprotect(relocated, kSize, PROT_READ) == 0);
  }
  ~Mapped() {
    ::munmap(program, kSize);
    ::munmap(relocated, kSize);
  }
  base::UniqueFd fd;
  char* program = nullptr;
  char* relocated = nullptr;
};

bool is_all(const char* bytes, char letter) {
  for (std::size_t i = 0; i < kSize; ++i)
    if (bytes[i] != letter) return false;
  return true;
}

std::size_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

}  // namespace

TEST_CASE("pages that only the start needed go, and nothing that was written to") {
  const Mapped mapped;
  REQUIRE(is_all(mapped.program, 'a'));
  const std::size_t before = resident_kib();
  CHECK(base::give_back_start_pages() >= kSize);
  CHECK(resident_kib() + kSize / 1024 <= before);
  CHECK(is_all(mapped.program, 'a'));
  CHECK(is_all(mapped.relocated, 'b'));
}
