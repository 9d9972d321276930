#include "loop/signals.h"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <memory>

#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace loop {
namespace {

sigset_t ours() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

struct SignalWatch final : Registration {
  explicit SignalWatch(base::UniqueFd f) : fd(std::move(f)) {}
  base::UniqueFd fd;
  Handle watch;  // goes before the descriptor
};

}  // namespace

void block_signals() {
  const sigset_t set = ours();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

base::Result<Handle> watch_signals(EventLoop& loop, std::function<void(int signal)> on_signal) {
  const sigset_t set = ours();
  auto registration = std::make_unique<SignalWatch>(base::UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)));
  if (!registration->fd) return base::fail_errno(errno, "cannot watch for signals");
  const int fd = registration->fd.value();
  // One a turn: the rest is still readable, and the callback may drop the Handle and with it the descriptor.
  registration->watch = loop.watch(fd, {.read = true}, [fd, on_signal = std::move(on_signal)](Ready) {
    signalfd_siginfo info{};
    if (::read(fd, &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
  });
  return Handle(std::move(registration));
}

}  // namespace loop
