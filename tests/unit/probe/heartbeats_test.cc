#include "probe/heartbeats.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "fakes/fake_loop.h"
#include "fakes/kernel_tree.h"

using namespace std::chrono_literals;

TEST_CASE("a datagram is a name, a name and fail, or lines as of sd_notify") {
  struct Row {
    const char* datagram;
    const char* service;  // "": refused
    bool failed;
    const char* text;
  };
  for (const Row& row : {
           Row{"order", "order", false, ""},
           Row{"order\n", "order", false, ""},
           Row{"order all well", "order", false, "all well"},
           Row{"order fail", "order", true, ""},
           Row{"order fail no database", "order", true, "no database"},
           Row{"order failover done", "order", false, "failover done"},
           Row{"READY=1\nSERVICE=order", "order", false, ""},
           Row{"SERVICE=order\nWATCHDOG=1\nSTATUS=12 orders/s\n", "order", false, "12 orders/s"},
           Row{"SERVICE=order\nWATCHDOG=trigger", "order", true, ""},
           Row{"SERVICE=order\nERRNO=28\nSTATUS=disk full", "order", true, "disk full"},
           Row{"SERVICE=order\nERRNO=0", "order", false, ""},
           Row{"SERVICE=order\nSTOPPING=1", "order", true, ""},
           Row{"READY=1\nWATCHDOG=1", "", false, ""},
           Row{"", "", false, ""},
           Row{" \n", "", false, ""},
       }) {
    CAPTURE(row.datagram);
    fakes::FakeLoop loop;
    probe::Heartbeats heartbeats(loop);
    const std::string service = row.service;
    CHECK((heartbeats.receive(row.datagram, {}) == probe::Heartbeats::Received::beat) == !service.empty());
    if (service.empty()) continue;
    const auto beat = heartbeats.last(service);
    REQUIRE(beat.has_value());
    CHECK(beat->failed == row.failed);
    CHECK(beat->text == row.text);
    CHECK(beat->at == loop.now());
    CHECK(beat->wall == loop.wall_now());
  }
}

TEST_CASE("a watch hears its service until it is dropped, also from inside the call") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  int heard = 0;
  int other = 0;
  loop::Handle watch = heartbeats.watch("order", [&](const probe::Beat&) {
    if (++heard == 2) watch.reset();
  });
  loop::Handle second = heartbeats.watch("order", [&](const probe::Beat&) { ++other; });
  for (int i = 0; i < 4; ++i) heartbeats.beat("order", false, "");
  heartbeats.beat("payment", false, "");
  CHECK(heard == 2);
  CHECK(other == 4);
}

TEST_CASE("a datagram counts if it comes from the service's own user or unit") {
  using Received = probe::Heartbeats::Received;
  // order.service runs two processes as 1001; a shell of 1002 is in a login session; 30 has ended.
  const fakes::KernelTree kernel;
  kernel.process(10, "0::/system.slice/order.service");
  kernel.process(11, "0::/system.slice/order.service/worker");
  kernel.process(20, "0::/user.slice/user-1002.slice/session-1.scope");
  // Who may start units of their own may call them anything.
  kernel.process(21, "0::/user.slice/user-1002.slice/user@1002.service/app.slice/order.service");
  kernel.process(22, "0::/system.slice/shop.service/order.service");
  struct Row {
    const char* name;
    probe::BeatSenders senders;
    probe::BeatSender sender;
    Received received;
  };
  const uid_t self = ::getuid();  // who owns the processes of the tree
  for (const Row& row : {
           Row{"nobody said whose", {}, {1002, 20}, Received::beat},
           Row{"the user", {.user = 1001, .unit = ""}, {1001, 99}, Received::beat},
           Row{"another user", {.user = 1001, .unit = ""}, {1002, 20}, Received::wrong_sender},
           Row{"root", {.user = 1001, .unit = ""}, {0, 20}, Received::beat},
           Row{"the user wins over the unit",
               {.user = 1001, .unit = "order.service"},
               {1002, 10},
               Received::wrong_sender},
           Row{"a process of the unit", {.user = {}, .unit = "order.service"}, {1003, 10}, Received::beat},
           Row{"below the unit", {.user = {}, .unit = "order.service"}, {1003, 11}, Received::beat},
           Row{"a stranger", {.user = {}, .unit = "order.service"}, {1002, 20}, Received::wrong_sender},
           Row{"a user's own unit of that name",
               {.user = {}, .unit = "order.service"},
               {1002, 21},
               Received::wrong_sender},
           Row{"a group of that name in another service",
               {.user = {}, .unit = "order.service"},
               {1004, 22},
               Received::wrong_sender},
           Row{"a stranger that has ended", {.user = {}, .unit = "order.service"}, {1002, 30}, Received::wrong_sender},
           Row{"the unit's user, ended", {.user = {}, .unit = "order.service"}, {self, 30}, Received::beat},
           Row{"a unit of a similar name", {.user = {}, .unit = "der.service"}, {1003, 10}, Received::wrong_sender},
           Row{"a unit that does not run", {.user = {}, .unit = "stock.service"}, {1002, 20}, Received::wrong_sender},
       }) {
    CAPTURE(row.name);
    if (row.sender.user == 0 && row.received != Received::beat) continue;  // these tests run as root
    fakes::FakeLoop loop;
    probe::Heartbeats heartbeats(loop, kernel.files());
    {
      const loop::Handle restricted = heartbeats.restrict("order", row.senders);
      CHECK(heartbeats.receive("order", row.sender) == row.received);
      CHECK(heartbeats.receive("SERVICE=order\nWATCHDOG=1", row.sender) == row.received);
      CHECK(heartbeats.last("order").has_value() == (row.received == Received::beat));
      CHECK(heartbeats.receive("payment", row.sender) == Received::beat);
    }
    CHECK(heartbeats.receive("order", row.sender) == Received::beat);
  }
}

TEST_CASE("without systemd's control groups a unit says nothing about senders") {
  const fakes::KernelTree kernel(fakes::KernelTree::Without::systemd);
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop, kernel.files());
  const loop::Handle restricted = heartbeats.restrict("order", {.user = {}, .unit = "order.service"});
  CHECK(heartbeats.receive("order", {1002, 20}) == probe::Heartbeats::Received::beat);
}

TEST_CASE("made-up names do not fill the memory") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  for (int i = 0; i < 5000; ++i) heartbeats.receive("name" + std::to_string(i), {});
  CHECK(heartbeats.last("name999").has_value());
  CHECK_FALSE(heartbeats.last("name4999").has_value());
  heartbeats.receive("name0 again", {});
  CHECK(heartbeats.last("name0")->text == "again");
}

TEST_CASE("made-up names take no room from a service that a probe waits for") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  for (int i = 0; i < 5000; ++i) heartbeats.receive("name" + std::to_string(i), {});
  heartbeats.receive("order", {});
  CHECK_FALSE(heartbeats.last("order").has_value());
  int heard = 0;
  const loop::Handle watching = heartbeats.watch("order", [&](const probe::Beat&) { ++heard; });
  heartbeats.receive("order", {});
  CHECK(heard == 1);
  CHECK(heartbeats.last("order").has_value());
  (void)heartbeats.awaited_since("payment");
  heartbeats.receive("payment", {});
  CHECK(heartbeats.last("payment").has_value());
}

TEST_CASE("when datagrams come again, silence is measured from then on") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  heartbeats.receive("order", {});
  CHECK(heartbeats.awaited_since("payment") == loop.now());
  heartbeats.hear_nothing("the folder is not there");
  CHECK(heartbeats.trouble() == "the folder is not there");
  loop.advance(1h);
  heartbeats.hear();
  CHECK(heartbeats.trouble() == "");
  CHECK_FALSE(heartbeats.last("order").has_value());
  CHECK(heartbeats.awaited_since("payment") == loop.now());
}

TEST_CASE("silence is measured from the first time that somebody asked") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  const auto first = heartbeats.awaited_since("order");
  loop.advance(5s);
  CHECK(heartbeats.awaited_since("order") == first);
  CHECK(heartbeats.awaited_since("payment") == first + 5s);
}

TEST_CASE("when nobody watches a service any more, its silence is measured anew for whoever comes next") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  loop::Handle first = heartbeats.watch("order", [](const probe::Beat&) {});
  const base::Instant began = loop.now();
  CHECK(heartbeats.awaited_since("order") == began);
  loop.advance(1h);
  loop::Handle second =
      heartbeats.watch("order", [](const probe::Beat&) {});  // of a probe that takes the other's place
  first.reset();
  CHECK(heartbeats.awaited_since("order") == began);
  second.reset();
  CHECK(heartbeats.awaited_since("order") == loop.now());
}
