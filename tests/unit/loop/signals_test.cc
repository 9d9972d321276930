#include "loop/signals.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include "fakes/run_until.h"

TEST_CASE("signals come as events of the loop, and not after the Handle was dropped") {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  loop::block_signals();
  loop::EventLoop loop;
  int term = 0, hup = 0;
  auto handle = loop::watch_signals(loop, [&](int signal) {
    term += signal == SIGTERM;
    hup += signal == SIGHUP;
  });
  REQUIRE(handle.has_value());
  ::kill(::getpid(), SIGTERM);
  ::kill(::getpid(), SIGHUP);
  CHECK(fakes::run_until(loop, [&] { return term + hup == 2; }));
  CHECK(term == 1);
  handle->reset();
  // The rest of the tests can be interrupted as ever.
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
