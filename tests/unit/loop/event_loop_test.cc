#include "loop/event_loop.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "fakes/run_until.h"

using namespace std::chrono_literals;

namespace {

struct Pair {
  base::UniqueFd near, far;
  Pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) == 0);
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
  void feed() const { REQUIRE(::write(far.value(), "x", 1) == 1); }
};

}  // namespace

TEST_CASE("a peer that closed and a file that may not grow are errors, not the end of the process") {
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_DFL);
  const loop::EventLoop loop;
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    struct sigaction now {};
    REQUIRE(::sigaction(number, nullptr, &now) == 0);
    CHECK((now.sa_handler == SIG_IGN));
  }
}

TEST_CASE("timers run in order of their instant, and in order of making when it is the same") {
  loop::EventLoop loop;
  std::string order;
  const auto t = loop.now();
  const auto c = loop.at(t + 3ms, [&] { order += 'c'; });
  const auto a = loop.at(t + 1ms, [&] { order += 'a'; });
  const auto b1 = loop.at(t + 2ms, [&] { order += 'b'; });
  const auto b2 = loop.at(t + 2ms, [&] { order += 'B'; });
  const auto past = loop.at(t - 1h, [&] { order += '0'; });
  const auto end = loop.at(t + 4ms, [&] { loop.stop(); });
  CHECK(order.empty());
  loop.run();
  CHECK(order == "0abBc");
}

TEST_CASE("a timer never runs before its instant") {
  loop::EventLoop loop;
  const auto due = loop.now() + 2ms;
  base::Instant ran{};
  const auto timer = loop.at(due, [&] {
    ran = loop.now();
    loop.stop();
  });
  loop.run();
  CHECK(ran >= due);
}

TEST_CASE("a timer whose Handle was dropped never runs, whoever drops it and when") {
  loop::EventLoop loop;
  const auto t = loop.now();
  int ran = 0;
  loop::Handle victim, self;
  const auto killer = loop.at(t, [&] { victim.reset(); });
  victim = loop.at(t, [&] { ++ran; });
  self = loop.at(t, [&] {
    self.reset();
    ++ran;
  });
  {
    const auto gone = loop.at(t, [&] { ran += 100; });
  }
  const auto end = loop.at(t + 1ms, [&] { loop.stop(); });
  loop.run();
  CHECK(ran == 1);
}

TEST_CASE("a thousand timers, half of them dropped at random, run once each and in order") {
  loop::EventLoop loop;
  std::mt19937 random(7);
  const auto t = loop.now();
  std::vector<loop::Handle> handles;
  std::vector<base::Instant> ran;
  for (int i = 0; i < 1000; ++i) {
    const auto when = t + std::chrono::microseconds(random() % 3000);
    handles.push_back(loop.at(when, [&ran, when] { ran.push_back(when); }));
  }
  std::shuffle(handles.begin(), handles.end(), random);
  handles.resize(500);
  const auto end = loop.at(t + 5ms, [&] { loop.stop(); });
  loop.run();
  CHECK(ran.size() == 500);
  CHECK(std::is_sorted(ran.begin(), ran.end()));
}

TEST_CASE("a timer that arms itself for the past leaves descriptors their turn") {
  loop::EventLoop loop;
  const Pair pair;
  pair.feed();
  loop::Handle again;
  int turns = 0;
  std::function<void()> spin = [&] {
    ++turns;
    again = loop.at(loop.now() - 1s, spin);
  };
  spin();
  const auto watch = loop.watch(pair.near.value(), {.read = true}, [&](loop::Ready) { loop.stop(); });
  loop.run();
  CHECK(turns < 10);
}

TEST_CASE("a watch tells what is ready, again and again until its Handle is dropped") {
  loop::EventLoop loop;
  const Pair pair;
  pair.feed();
  int reads = 0, writes = 0;
  loop::Handle reading, writing;
  reading = loop.watch(pair.near.value(), {.read = true}, [&](loop::Ready ready) {
    CHECK(ready.read);
    if (++reads == 3) reading.reset();
  });
  writing = loop.watch(pair.far.value(), {.write = true}, [&](loop::Ready ready) {
    CHECK(ready.write);
    if (++writes == 5) loop.stop();
  });
  loop.run();
  CHECK(reads == 3);
}

TEST_CASE("a descriptor number that was closed and used again is watched again") {
  loop::EventLoop loop;
  int told = 0;
  loop::Handle watch;
  int number = -1;
  for (int round = 0; round < 5; ++round) {
    Pair pair;
    if (round > 0) CHECK(pair.near.value() == number);
    number = pair.near.value();
    pair.feed();
    watch = loop.watch(number, {.read = true}, [&](loop::Ready) {
      ++told;
      loop.stop();
    });
    loop.run();
    watch.reset();
  }
  CHECK(told == 5);
}

TEST_CASE("of two watches that are ready in one turn, the first may drop the second") {
  loop::EventLoop loop;
  const Pair one, two;
  one.feed();
  two.feed();
  int told = 0;
  loop::Handle first, second;
  const auto either = [&](loop::Ready) {
    ++told;
    first.reset();
    second.reset();
  };
  first = loop.watch(one.near.value(), {.read = true}, either);
  second = loop.watch(two.near.value(), {.read = true}, either);
  const auto end = loop.after(2ms, [&] { loop.stop(); });
  loop.run();
  CHECK(told == 1);
}

TEST_CASE("a hang-up makes a watch ready in both directions") {
  loop::EventLoop loop;
  Pair pair;
  pair.far.reset();
  bool told = false;
  const auto watch = loop.watch(pair.near.value(), {.write = true}, [&](loop::Ready ready) {
    told = ready.write;
    loop.stop();
  });
  loop.run();
  CHECK(told);
}

TEST_CASE("a posted task runs in a later turn, and what it posts in the turn after") {
  loop::EventLoop loop;
  std::string order;
  loop.set_after_turn([&] { order += '|'; });
  loop.post([&] {
    order += 'a';
    loop.post([&] {
      order += 'c';
      loop.stop();
    });
  });
  loop.post([&] { order += 'b'; });
  CHECK(order.empty());
  loop.run();
  CHECK(order.substr(0, 5) == "ab|c|");
}

TEST_CASE("tasks of several threads all run, each thread's in its order") {
  loop::EventLoop loop;
  constexpr int kThreads = 4, kTasks = 2000;
  std::array<int, kThreads> next{};
  int out_of_order = 0, left = kThreads * kTasks;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kTasks; ++i)
        loop.post([&, thread, i] {
          out_of_order += next[static_cast<std::size_t>(thread)]++ != i;
          if (--left == 0) loop.stop();
        });
    });
  loop.run();
  for (auto& thread : threads) thread.join();
  CHECK(out_of_order == 0);
}

TEST_CASE("another thread stops a loop that has nothing to do") {
  loop::EventLoop loop;
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST_CASE("the longest turn is measured once and told once") {
  loop::EventLoop loop;
  const auto slow = loop.after(0ms, [&] {
    const auto until = loop.now() + 3ms;
    while (loop.now() < until) {
    }
  });
  const auto end = loop.after(1ms, [&] { loop.stop(); });
  loop.run();
  CHECK(loop.take_longest_turn() >= 3ms);
  CHECK(loop.take_longest_turn() == 0ms);
}

TEST_CASE("time in which the loop should have turned and did not adds up, and is known in the very turn that is late") {
  loop::EventLoop loop;
  const auto busy = [&](base::Duration length) {
    const auto until = loop.now() + length;
    while (loop.now() < until) {
    }
  };
  base::Duration in_turn{}, in_next{};
  // The second timer falls due while the first keeps the loop; it is not late once more for that.
  const auto slow = loop.after(0ms, [&] {
    busy(60ms);
    in_turn = loop.stalled();
  });
  const auto next = loop.after(30ms, [&] { in_next = loop.stalled(); });
  const auto end = loop.after(70ms, [&] { loop.stop(); });
  CHECK(loop.stalled() == 0ms);
  const base::Instant begin = loop.now();
  loop.run();
  CHECK(in_turn >= 60ms);
  CHECK(in_next >= in_turn);
  const base::Duration first = loop.stalled();
  CHECK(first >= 60ms);
  CHECK(first <= loop.now() - begin);  // once more would be 90 ms of 70
  // Nobody turns it for a while, as if the process had been stopped.
  const auto due = loop.after(1ms, [&] {
    in_next = loop.stalled();
    loop.stop();
  });
  busy(50ms);
  loop.run();
  CHECK(in_next - first >= 45ms);
}

TEST_CASE("what is posted and never run is destroyed with the loop, Handles included") {
  auto owned = std::make_shared<int>(1);
  {
    loop::EventLoop loop;
    auto timer = std::make_shared<loop::Handle>(loop.after(1h, [owned] {}));
    loop.post([timer] {});
    timer.reset();
  }
  CHECK(owned.use_count() == 1);
}
