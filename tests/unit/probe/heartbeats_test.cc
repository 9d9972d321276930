#include "probe/heartbeats.h"

#include <doctest/doctest.h>

#include "fakes/fake_loop.h"

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
    CHECK(heartbeats.receive(row.datagram) == !service.empty());
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

TEST_CASE("made-up names do not fill the memory") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  for (int i = 0; i < 5000; ++i) heartbeats.receive("name" + std::to_string(i));
  CHECK(heartbeats.last("name999").has_value());
  CHECK_FALSE(heartbeats.last("name4999").has_value());
  heartbeats.receive("name0 again");
  CHECK(heartbeats.last("name0")->text == "again");
}

TEST_CASE("silence is measured from the first time that somebody asked") {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  const auto first = heartbeats.awaited_since("order");
  loop.advance(5s);
  CHECK(heartbeats.awaited_since("order") == first);
  CHECK(heartbeats.awaited_since("payment") == first + 5s);
}
