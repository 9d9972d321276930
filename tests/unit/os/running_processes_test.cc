#include "os/running_processes.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "fakes/kernel_tree.h"

TEST_CASE("the unit of a control group is the system manager's, and none of a user's") {
  CHECK(os::unit_of_cgroup("/system.slice/order.service") == "order.service");
  CHECK(os::unit_of_cgroup("/system.slice/order.service/worker") == "order.service");
  CHECK(os::unit_of_cgroup("/system.slice/system-pay.slice/pay@1.service") == "pay@1.service");
  CHECK(os::unit_of_cgroup("/machine/1/system.slice/order.service") == "order.service");
  CHECK(os::unit_of_cgroup("/user.slice/user-0.slice/user@0.service/app.slice/x.service").empty());
  CHECK(os::unit_of_cgroup("/init.scope").empty());
  CHECK(os::unit_of_cgroup("").empty());
}

TEST_CASE("processes are read with their units") {
  const fakes::KernelTree kernel;
  kernel.process(10, "0::/system.slice/order.service/worker");
  kernel.process(11, "0::/user.slice/session-1.scope");
  std::ofstream(kernel.files().proc + "/10/comm") << "java\n";
  std::ofstream(kernel.files().proc + "/10/status") << "Name:\tjava\nPid:\t10\nPPid:\t11\nUid:\t0\n";
  const auto found = os::running_processes(kernel.files());
  REQUIRE(found.size() == 2);
  CHECK(found[0].pid == 10);
  CHECK(found[0].program == "java");
  CHECK(found[0].parent == 11);
  CHECK(found[1].parent == 0);
  CHECK(found[0].unit == "order.service");
  CHECK(found[0].user == ::getuid());
  CHECK(found[1].unit.empty());
}

TEST_CASE("control groups have the number of their folder") {
  const fakes::KernelTree kernel;
  kernel.process(10, "0::/system.slice/order.service/worker");
  CHECK(os::units_by_cgroup(kernel.files()).empty());  // version 1
  std::ofstream(kernel.files().cgroup + "/cgroup.controllers") << "cpu\n";
  const auto units = os::units_by_cgroup(kernel.files());
  REQUIRE(units.size() == 2);
  struct stat status {};
  REQUIRE(::stat((kernel.files().cgroup + "/system.slice/order.service").c_str(), &status) == 0);
  CHECK(units.at(status.st_ino) == "order.service");
}

TEST_CASE("this process has the sockets that it opened") {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct stat status {};
  REQUIRE(::fstat(socket.value(), &status) == 0);
  const auto all = os::running_processes();
  const auto self = std::find_if(all.begin(), all.end(), [](const auto& each) { return each.pid == ::getpid(); });
  REQUIRE(self != all.end());
  CHECK(self->parent == ::getppid());
  CHECK(self->sockets.contains(status.st_ino));
  CHECK_FALSE(self->hides_sockets);
}
