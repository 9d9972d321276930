#include "os/service_files.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fakes/kernel_tree.h"
#include "fakes/temporary_folder.h"

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

Words paths_of(const std::vector<model::FileStamp>& stamps) {
  Words out;
  for (const auto& stamp : stamps)
    out.push_back(fs::path(stamp.path).filename().string() + " " + std::string(to_string(stamp.kind)));
  return out;
}

}  // namespace

TEST_CASE("the paths of a command line are its program and its configuration, not what it writes") {
  CHECK(os::paths_in({"/usr/sbin/order", "--config=/etc/order.yml", "-p", "/etc/a.conf", "--log=/var/log/order.log",
                      "/run/order.sock", "/srv/order.pid", "relative/path", "--level=3", "http://h/x"}) ==
        Words{"/usr/sbin/order", "/etc/order.yml", "/etc/a.conf"});
}

TEST_CASE("a unit's files are its fragment, drop-ins, program, what they name, and what its process names") {
  const fakes::KernelTree kernel;
  const fakes::TemporaryFolder folder;
  const std::string top = folder.path();
  for (const char* name : {"order", "order.yml", "order.env", "extra.conf"}) std::ofstream(top + "/" + name) << name;
  fs::create_directories(top + "/units/order@.service.d");
  std::ofstream(top + "/units/order@.service")
      << "[Service]\nExecStart=-" << top << "/order --config=" << top << "/order.yml --missing=/no/such\n"
      << "EnvironmentFile=-" << top << "/order.env\n";
  std::ofstream(top + "/units/order@.service.d/limits.conf") << "[Service]\nLimitNOFILE=4096\n";
  kernel.process(4711, "0::/system.slice/order@1.service");
  std::ofstream(kernel.files().proc + "/4711/cmdline")
      << top + "/order" << '\0' << "-x" << '\0' << top + "/extra.conf" << '\0';
  const auto found =
      os::stamps_of({{"order", {"order@1.service", 0}}}, {top + "/none", top + "/units"}, kernel.files());
  CHECK(paths_of(found.at("order")) == Words{"order@.service unit", "order program", "order.yml configuration",
                                             "order.env configuration", "limits.conf unit",
                                             "extra.conf configuration"});
  // What was known and is gone is said.
  fs::remove(top + "/extra.conf");
  const auto later =
      os::stamps_of({{"order", {"order@1.service", 0, found.at("order")}}}, {top + "/units"}, kernel.files());
  REQUIRE(later.at("order").size() == 6);
  CHECK_FALSE(later.at("order").back().exists);
}

TEST_CASE("dpkg's log says which packages were changed since") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  constexpr const char* kLog =
      "2026-11-23 06:00:00 upgrade old:amd64 1 2\n"
      "2026-11-23 06:29:45 startup archives unpack\n"
      "2026-11-23 06:29:45 upgrade libssl3:amd64 3.0.13 3.0.14\n"
      "2026-11-23 06:29:46 status half-configured libssl3:amd64 3.0.13\n"
      "2026-11-23 06:29:47 install nginx:amd64 <none> 1.22.1\n"
      "2026-11-23 06:29:48 remove apache2:amd64 2.4.62 <none>\n"
      "2026-11-23 06:29 upgrade damaged\n";
  const auto found = os::package_changes(kLog, *base::parse_iso8601("2026-11-23T06:10:00Z"));
  REQUIRE(found.size() == 3);
  CHECK(found[0].what == "upgrade libssl3:amd64 3.0.13 to 3.0.14");
  CHECK(found[0].at == *base::parse_iso8601("2026-11-23T06:29:45Z"));
  CHECK(found[1].what == "install nginx:amd64 1.22.1");
  CHECK(found[2].what == "remove apache2:amd64 2.4.62");
}
