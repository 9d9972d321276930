#include "os/unit_processes.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "fakes/kernel_tree.h"

TEST_CASE("a process belongs to the unit whose control group it is in, or that group's children") {
  struct Row {
    const char* cgroup;
    const char* unit;
    bool inside;
  };
  for (const Row& row : {
           Row{"0::/system.slice/order.service\n", "order.service", true},
           Row{"0::/system.slice/order.service/worker", "order.service", true},
           Row{"0::/system.slice/system-order.slice/order@1.service", "order@1.service", true},
           Row{"12:pids:/x\n1:name=systemd:/system.slice/order.service\n0::/\n", "order.service", true},
           Row{"0::/system.slice/reorder.service", "order.service", false},
           Row{"0::/system.slice/order.service2", "order.service", false},
           Row{"0::/user.slice/session-1.scope", "order.service", false},
           Row{"0::/", "order.service", false},
           // Groups that others can make: of a user's own manager, within a service, of another hierarchy.
           Row{"0::/user.slice/user-1002.slice/user@1002.service/app.slice/order.service", "order.service", false},
           Row{"0::/system.slice/shop.service/order.service", "order.service", false},
           Row{"4:cpu:/system.slice/order.service\n1:name=systemd:/user.slice/session-1.scope\n0::/", "order.service",
               false},
           Row{"", "order.service", false},
           Row{"order.service", "order.service", false},
       }) {
    CAPTURE(row.cgroup);
    CHECK(os::is_in_unit(std::string_view(row.cgroup), row.unit) == row.inside);
  }
}

TEST_CASE("in a container all units are below the group of its first process") {
  const char* init = "0::/docker/1a2b/init.scope\n";
  CHECK(os::is_in_unit("0::/docker/1a2b/system.slice/order.service", "order.service", init));
  CHECK_FALSE(os::is_in_unit("0::/docker/1a2b/system.slice/order.service", "order.service"));
  CHECK_FALSE(os::is_in_unit("0::/docker/other/system.slice/order.service", "order.service", init));
  CHECK(os::is_in_unit("0::/system.slice/order.service", "order.service", "0::/init.scope\n"));
}

TEST_CASE("the users of a unit are those of its processes, also below its group and in slices of its own") {
  const fakes::KernelTree kernel;
  kernel.process(10, "0::/system.slice/order.service/worker");
  kernel.process(11, "0::/system.slice/system-pay.slice/pay@1.service");
  const std::set<uid_t> self{::getuid()};
  CHECK(os::users_of_unit("order.service", kernel.files()) == self);
  CHECK(os::users_of_unit("pay@1.service", kernel.files()) == self);
  CHECK(os::users_of_unit("stock.service", kernel.files()) == std::set<uid_t>{});
  CHECK_FALSE(
      os::users_of_unit("order.service", fakes::KernelTree(fakes::KernelTree::Without::systemd).files()).has_value());
  CHECK(os::is_in_unit(10, "order.service", kernel.files()) == true);
  CHECK(os::is_in_unit(10, "stock.service", kernel.files()) == false);
  CHECK_FALSE(os::is_in_unit(12, "order.service", kernel.files()).has_value());
}
