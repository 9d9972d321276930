#include "bench/detect/victim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

namespace bench {
namespace {

constexpr int kBacklog = 4;
constexpr auto kSlow = 400;  // ms

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, kBacklog) != 0)
    die(fmt::format("cannot listen on port {}: {}", port, std::strerror(errno)));
  return fd;
}

// Takes memory until the kernel takes the process.
[[noreturn]] void eat(volatile long long* last_well) {
  constexpr std::size_t kBite = 64 * 1024;
  for (;;) {
    auto* bytes = static_cast<char*>(std::malloc(kBite));
    *last_well = now_ns();
    if (bytes != nullptr) std::memset(bytes, 1, kBite);
  }
}

[[noreturn]] void live(int listener, int orders, volatile long long* last_well) {
  std::vector<pollfd> watched{{orders, POLLIN, 0}, {listener, POLLIN, 0}};
  bool failing = false, slow = false;
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) {
      char order = 0;
      if (::read(orders, &order, 1) != 1) ::_exit(0);
      if (order == 'x') ::_exit(3);
      if (order == 'm') eat(last_well);
      if (order == 'c' && watched[1].fd >= 0) ::close(watched[1].fd);
      if (order == 'c' || order == 'q') watched[1].fd = -1;
      failing |= order == '5';
      slow |= order == 's';
    }
    if (watched[1].fd >= 0 && watched[1].revents != 0)
      if (const int peer = ::accept4(watched[1].fd, nullptr, nullptr, SOCK_CLOEXEC); peer >= 0)
        watched.push_back({peer, POLLIN, 0});
    for (std::size_t i = watched.size(); i-- > 2;) {
      if (watched[i].revents == 0) continue;
      std::array<char, 2048> request{};
      const ssize_t n = ::read(watched[i].fd, request.data(), request.size());
      if (n > 0) {
        if (slow) ::poll(nullptr, 0, kSlow);
        const std::string_view answer = failing
                                            ? "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                                            : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        ::send(watched[i].fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      ::close(watched[i].fd);
      watched.erase(watched.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace

void die(const std::string& what) {
  fmt::print(stderr, "detect: {}\n", what);
  std::exit(1);
}

long long now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS)
    return fd;
  ::close(fd);
  return -1;
}

Victim::Victim(int port, const std::string& cgroup) : port_(port) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) die("no socket pair");
  const int listener = listen_on(port);
  void* shared = ::mmap(nullptr, sizeof(long long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) die("no shared memory");
  last_well_ = static_cast<long long*>(shared);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(pair[0]);
    if (!cgroup.empty()) std::ofstream(cgroup + "/cgroup.procs") << ::getpid() << std::flush;
    live(listener, pair[1], last_well_);
  }
  ::close(listener);
  ::close(pair[1]);
  orders_ = pair[0];
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) die("pidfd_open: this kernel is too old");
}

Victim::~Victim() {
  ::syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);
  pollfd ending{pidfd_, POLLIN, 0};
  ::poll(&ending, 1, 5'000);
  ::close(pidfd_);
  ::close(orders_);
  for (const int client : clients_) ::close(client);
  ::munmap(last_well_, sizeof(long long));
}

void Victim::suffer(Fault fault) {
  const auto tell = [this](char order) {
    if (::write(orders_, &order, 1) != 1) die("the victim does not listen");
  };
  *last_well_ = now_ns();
  switch (fault) {
    case Fault::kill: ::kill(pid_, SIGKILL); break;
    case Fault::stop: ::kill(pid_, SIGSTOP); break;
    case Fault::exit: tell('x'); break;
    case Fault::oom: tell('m'); break;
    case Fault::closed_listener: tell('c'); break;
    case Fault::full_queue:
      tell('q');
      // Its clients: as many as the kernel takes for it.
      for (int i = 0; i < kBacklog + 1; ++i) clients_.push_back(connect_to(port_));
      break;
    case Fault::status_500: tell('5'); break;
    case Fault::slow: tell('s'); break;
  }
}

}  // namespace bench
