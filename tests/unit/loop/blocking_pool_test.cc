#include "loop/blocking_pool.h"

#include <doctest/doctest.h>

#include <future>
#include <optional>
#include <thread>

#include "fakes/run_until.h"
#include "loop/event_loop.h"

using namespace std::chrono_literals;

namespace {

// A call that hangs until it is let go. What it needs is its own, as for every call.
struct Hanging {
  std::promise<void> go;
  std::function<void()> work = [going = go.get_future().share()] { going.wait(); };
};

}  // namespace

TEST_CASE("a slow call runs on another thread, and its end is told on the loop's") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  const auto ran_on = std::make_shared<std::thread::id>();
  std::optional<std::thread::id> told_on;
  const auto handle = calls.run(
      {"a/b", "/data"}, [ran_on] { *ran_on = std::this_thread::get_id(); },
      [&](base::Result<> result) {
        CHECK(result.has_value());
        told_on = std::this_thread::get_id();
      });
  CHECK_FALSE(told_on.has_value());
  REQUIRE(fakes::run_until(loop, [&] { return told_on.has_value(); }));
  CHECK(*told_on == std::this_thread::get_id());
  CHECK(*ran_on != *told_on);
}

TEST_CASE("what hangs holds up its own key only, and costs one thread however often it is asked") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  Hanging stuck;
  bool back = false, other = false;
  std::vector<std::string> refusals;
  const auto first = calls.run({"a/b", "/mnt/nfs"}, stuck.work, [&](base::Result<>) { back = true; });
  const auto again = [&] {
    return calls.run(
        {"a/b", "/mnt/nfs"}, [] {}, [&](base::Result<> result) { refusals.push_back(result.error().text); });
  };
  const auto second = again(), third = again();
  const auto healthy = calls.run(
      {"a/b", "/"}, [] {}, [&](base::Result<> result) { other = result.has_value(); });
  REQUIRE(fakes::run_until(loop, [&] { return other && refusals.size() == 2; }));
  CHECK(refusals.front() == "the last look at /mnt/nfs has not come back: it hangs");
  CHECK_FALSE(back);
  stuck.go.set_value();
  REQUIRE(fakes::run_until(loop, [&] { return back; }));
  bool fresh = false;
  const auto fourth = calls.run(
      {"a/b", "/mnt/nfs"}, [] {}, [&](base::Result<> result) { fresh = result.has_value(); });
  CHECK(fakes::run_until(loop, [&] { return fresh; }));
}

TEST_CASE("two who look at the same path do not stand in each other's way") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  Hanging slow;
  bool one = false, two = false;
  const auto first = calls.run({"order/backup", "/data"}, slow.work, [&](base::Result<> result) { one = !!result; });
  const auto second = calls.run(
      {"payment/backup", "/data"}, [] {}, [&](base::Result<> result) { two = !!result; });
  REQUIRE(fakes::run_until(loop, [&] { return two; }));
  slow.go.set_value();
  CHECK(fakes::run_until(loop, [&] { return one; }));
}

TEST_CASE("the number of calls that hang is bounded") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  Hanging stuck;
  std::vector<loop::Handle> handles;
  std::size_t back = 0;
  for (std::size_t i = 0; i < loop::ThreadedBlockingPool::kMost; ++i)
    handles.push_back(calls.run({"a/b", "/mnt/" + std::to_string(i)}, stuck.work, [&](base::Result<>) { ++back; }));
  std::string refusal;
  handles.push_back(calls.run(
      {"a/b", "/one/more"}, [] {}, [&](base::Result<> result) { refusal = result.error().text; }, 10ms));
  REQUIRE(fakes::run_until(loop, [&] { return !refusal.empty(); }));
  CHECK(refusal == "32 calls hang already; /one/more was not looked at");
  stuck.go.set_value();
  CHECK(fakes::run_until(loop, [&] { return back == loop::ThreadedBlockingPool::kMost; }));
}

// As after a pause of the process, when many probes are due in one turn.
TEST_CASE("calls above the bound wait for a thread") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  constexpr std::size_t kCalls = 5 * loop::ThreadedBlockingPool::kMost;
  std::vector<loop::Handle> handles;
  std::vector<std::size_t> looked;
  for (std::size_t i = 0; i < kCalls; ++i)
    handles.push_back(calls.run(
        {"a/b", "/data/" + std::to_string(i)}, [] {},
        [&looked, i](base::Result<> result) {
          CHECK(result.has_value());
          looked.push_back(i);
        },
        60s));
  CHECK(fakes::run_until(loop, [&] { return looked.size() == kCalls; }));
}

TEST_CASE("a call that waits for a thread is taken back with its Handle") {
  loop::EventLoop loop;
  Hanging stuck;
  const auto begun = std::make_shared<bool>(false);
  bool other = false;
  loop::ThreadedBlockingPool calls(loop);
  std::vector<loop::Handle> handles;
  for (std::size_t i = 0; i < loop::ThreadedBlockingPool::kMost; ++i)
    handles.push_back(calls.run({"a/b", "/mnt/" + std::to_string(i)}, stuck.work, [](base::Result<>) {}));
  loop::Handle dropped = calls.run(
      {"a/b", "/dropped"}, [begun] { *begun = true; }, [](base::Result<>) { FAIL("nobody waits"); }, 60s);
  const auto next = calls.run(
      {"a/b", "/next"}, [] {}, [&](base::Result<> result) { other = result.has_value(); }, 60s);
  dropped.reset();
  stuck.go.set_value();
  REQUIRE(fakes::run_until(loop, [&] { return other; }));
  CHECK_FALSE(*begun);
}

TEST_CASE("a dropped Handle is silent, and its key is free again when the call is back") {
  loop::EventLoop loop;
  loop::ThreadedBlockingPool calls(loop);
  Hanging stuck;
  bool told = false, fresh = false;
  auto handle = calls.run({"a/b", "/mnt/nfs"}, stuck.work, [&](base::Result<>) { told = true; });
  handle.reset();
  stuck.go.set_value();
  loop::Handle next;
  REQUIRE(fakes::run_until(loop, [&] {
    if (!fresh)
      next = calls.run(
          {"a/b", "/mnt/nfs"}, [] {}, [&](base::Result<> result) { fresh |= result.has_value(); });
    return fresh;
  }));
  CHECK_FALSE(told);
}

TEST_CASE("a call that hangs outlives the loop and all that asked for it") {
  Hanging stuck;
  const auto ended = std::make_shared<std::promise<void>>();
  {
    loop::EventLoop loop;
    loop::ThreadedBlockingPool calls(loop);
    const auto handle = calls.run(
        {"a/b", "/mnt/nfs"},
        [work = stuck.work, ended] {
          work();
          ended->set_value();
        },
        [](base::Result<>) { FAIL("nobody is there to be told"); });
  }
  stuck.go.set_value();
  CHECK(ended->get_future().wait_for(10s) == std::future_status::ready);
}
