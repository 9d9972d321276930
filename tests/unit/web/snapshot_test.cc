#include "web/snapshot.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace std::chrono_literals;

namespace {

std::shared_ptr<const web::Snapshot> numbered(std::uint64_t number) {
  auto drawn = std::make_shared<web::Snapshot>();
  drawn->number = number;
  return drawn;
}

}  // namespace

TEST_CASE("a snapshot is asked for only when it is looked at and no longer true") {
  web::SnapshotSlot slot;
  std::uint64_t drawn = 0;
  base::Instant good_until{};
  slot.on_wanted([&] { slot.store(numbered(++drawn), good_until); });
  CHECK(slot.load()->number == 0);  // there was nothing to say yet
  slot.outdate();
  CHECK(slot.latest()->number == 0);  // whatever is there will do
  CHECK(drawn == 0);                  // nobody looks
  CHECK(slot.load()->number == 1);
  CHECK(slot.load()->number == 1);  // still true
  good_until = base::Clock::now() + 1h;
  slot.outdate();
  CHECK(slot.load()->number == 2);
  slot.outdate();
  CHECK(slot.load()->number == 2);  // changed, but good enough for a while
}

TEST_CASE("workers that look at the same time ask once and get the same new snapshot") {
  web::SnapshotSlot slot;
  std::atomic<int> asked = 0;
  slot.on_wanted([&] { ++asked; });
  slot.outdate();
  std::atomic<std::uint64_t> seen[2] = {};
  std::thread first([&] { seen[0] = slot.load()->number; }), second([&] { seen[1] = slot.load()->number; });
  while (asked == 0) std::this_thread::yield();
  slot.store(numbered(7), base::Clock::now() + 1h);
  first.join();
  second.join();
  CHECK(asked == 1);
  CHECK(seen[0] == 7);
  CHECK(seen[1] == 7);
}

TEST_CASE("a loop that draws nothing leaves its readers the old snapshot") {
  web::SnapshotSlot slot;
  slot.store(numbered(3));
  slot.on_wanted([] {});
  slot.outdate();
  CHECK(slot.load()->number == 3);
}
