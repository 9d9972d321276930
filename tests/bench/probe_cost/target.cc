#include "bench/probe_cost/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "fakes/certificates.h"

namespace bench {
namespace {

constexpr std::string_view kBody = R"({"status":"ok","queue":{"n":12}})";

double seconds(const timespec& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9; }
double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

std::string answer(bool close) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kBody.size()) +
         (close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n") + std::string(kBody);
}

bool wants_close(std::string_view request) { return request.find("onnection: close") != std::string_view::npos; }

base::UniqueFd listen_anywhere(int flags, int& port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.value(), generic, size) != 0 || ::listen(fd.value(), 1024) != 0 ||
      ::getsockname(fd.value(), generic, &size) != 0)
    die("listen");
  port = ntohs(address.sin_port);
  return fd;
}

[[noreturn]] void serve(const base::UniqueFd& listener) {
  const std::string last = answer(true), further = answer(false);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener.value();
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener.value(), &event);
  while (true) {
    epoll_event ready[64];
    const int n = ::epoll_wait(epoll, ready, 64, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = ready[i].data.fd;
      if (fd != listener.value()) {
        char request[4096];
        const ssize_t size = ::read(fd, request, sizeof request);
        const bool close = size <= 0 || wants_close({request, static_cast<std::size_t>(size)});
        const std::string& text = close ? last : further;
        if (size > 0) [[maybe_unused]]
          const auto sent = ::write(fd, text.data(), text.size());
        if (close) ::close(fd);
        continue;
      }
      int peer = -1;
      while ((peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        event.data.fd = peer;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &event);
      }
    }
  }
}

void serve_tls(SSL_CTX* context, int fd) {
  const fakes::Owned<SSL> ssl(SSL_new(context));
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) == 1) {
    char request[4096];
    int size = 0;
    while ((size = SSL_read(ssl.get(), request, sizeof request)) > 0) {
      const bool close = wants_close({request, static_cast<std::size_t>(size)});
      fakes::TlsServer::send(ssl.get(), answer(close));
      if (!close) continue;
      SSL_shutdown(ssl.get());
      break;
    }
  }
  ::close(fd);
}

[[noreturn]] void serve_tls(const base::UniqueFd& listener, const fakes::Certificate& certificate) {
  const fakes::Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), certificate.x509.get());
  SSL_CTX_use_PrivateKey(context.get(), certificate.key.get());
  while (true) {
    const int fd = ::accept4(listener.value(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    // A connection that is kept must not keep the others waiting.
    std::thread([&context, fd] { serve_tls(context.get(), fd); }).detach();
  }
}

}  // namespace

void die(const std::string& what) {
  std::fprintf(stderr, "probe_cost: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

double own_cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return seconds(t);
}

double ended_children_cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

double Child::cpu_seconds() const {
  clockid_t clock{};
  timespec t{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &t) != 0) die("CPU clock of a child");
  return seconds(t);
}

pid_t start_http_target(int& port) {
  const base::UniqueFd listener = listen_anywhere(SOCK_NONBLOCK, port);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  serve(listener);
}

pid_t start_https_target(const std::string& authority, int& port) {
  const base::UniqueFd listener = listen_anywhere(0, port);
  const fakes::Certificate certificate =
      fakes::make_certificate({.common_name = "bench", .alternative = "IP:127.0.0.1", .authority = true});
  certificate.write(authority);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  serve_tls(listener, certificate);
}

}  // namespace bench
