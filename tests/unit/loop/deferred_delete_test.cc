#include "loop/deferred_delete.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fakes/fake_loop.h"

namespace {

struct Worker {
  Worker(std::string& l, std::string n) : log(l), name(std::move(n)) {}
  ~Worker() {
    log += "-" + name;
    if (last_words) last_words();
  }
  void cut() {
    log += "cut " + name + " ";
    done = nullptr;
  }
  std::string& log;
  std::string name;
  std::function<void()> done, last_words;
};

}  // namespace

TEST_CASE("what is deferred is cut at once and deleted in a later turn, in the order in which it came") {
  fakes::FakeLoop loop;
  std::string log;
  loop::DeferredDelete deferred(loop);
  deferred.add(std::make_unique<Worker>(log, "run"));
  deferred.add(std::unique_ptr<Worker>());
  deferred.add(std::make_unique<Worker>(log, "probe"));
  CHECK(log == "cut run cut probe ");
  CHECK(deferred.size() == 2);
  loop.run_due();
  CHECK(log == "cut run cut probe -run-probe");
  CHECK(deferred.size() == 0);
  CHECK(loop.timers() == 0);
}

TEST_CASE("an object may be deferred from inside its own callback, and is whole until that has returned") {
  fakes::FakeLoop loop;
  std::string log;
  loop::DeferredDelete deferred(loop);
  auto worker = std::make_unique<Worker>(log, "run");
  Worker* raw = worker.get();
  raw->done = [&] { deferred.add(std::move(worker)); };
  const auto tell = std::exchange(raw->done, nullptr);
  tell();
  CHECK(raw->name == "run");
  loop.run_due();
  CHECK(log == "cut run -run");
}

TEST_CASE("a destructor may defer another object, which goes as well") {
  fakes::FakeLoop loop;
  std::string log;
  loop::DeferredDelete deferred(loop);
  auto first = std::make_unique<Worker>(log, "a");
  first->last_words = [&] { deferred.add(std::make_unique<Worker>(log, "b")); };
  deferred.add(std::move(first));
  loop.run_due();
  CHECK(log == "cut a -acut b -b");
  CHECK(loop.timers() == 0);
}

TEST_CASE("what is left goes with the list") {
  fakes::FakeLoop loop;
  std::string log;
  {
    loop::DeferredDelete deferred(loop);
    auto first = std::make_unique<Worker>(log, "a");
    first->last_words = [&] { deferred.add(std::make_unique<Worker>(log, "b")); };
    deferred.add(std::move(first));
  }
  CHECK(log == "cut a -acut b -b");
  loop.run_due();
  CHECK(loop.timers() == 0);
}
