#include "base/memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <string>

TEST_CASE("the memory limit is the smallest of the control groups around the process") {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("fettle-memory-" + std::to_string(::getpid()));
  const auto write = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  };
  write("cgroup", "1:name=systemd:/x\n0::/system.slice/fettle.service\n");
  const auto limit = [&] { return base::memory_limit(root / "cgroup", root); };
  CHECK_FALSE(limit().has_value());
  write("system.slice/fettle.service/memory.max", "max\n");
  CHECK_FALSE(limit().has_value());
  write("system.slice/fettle.service/memory.max", "536870912\n");
  CHECK(limit() == 536870912);
  write("system.slice/memory.max", "1073741824\n");
  CHECK(limit() == 536870912);
  write("memory.max", "1000000\n");
  CHECK(limit() == 1000000);
  write("system.slice/fettle.service/memory.high", "4096\n");
  CHECK(limit() == 4096);
  write("cgroup", "0::/\n");
  CHECK(limit() == 1000000);
  write("cgroup", "4:memory:/fettle\n0::/\n");
  write("memory/fettle/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(limit() == 1000000);
  write("memory/fettle/memory.limit_in_bytes", "2000\n");
  CHECK(limit() == 2000);
  CHECK_FALSE(base::memory_limit(root / "nothing", root).has_value());
  std::filesystem::remove_all(root);
}
