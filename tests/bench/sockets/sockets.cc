// What one look at the real connections of a service costs (probe type sockets), and how long it keeps the loop.
//
//   bench_sockets [--connections=10000] [--looks=30] [--pause-ms=100] [--wanted-percent=2]
//
// Two processes of its own hold the connections over loopback, each with one request that was answered; then the probe
// runs on a real loop. One JSON line: CPU of this process per look, that as a part of a core with a look a second, and
// the longest turn of the loop, by the clock, which others on the machine make longer, and in CPU. Exits 1 if the part
// is above --wanted-percent; 77 where descriptors do not suffice. Build it with release.cmake: ninja bench_sockets.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fakes/probe_side.h"
#include "probe/run_once.h"

namespace {

struct Options {
  int connections = 10'000;
  int looks = 30;
  int pause_ms = 100;
  double wanted_percent = 2;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(2);
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(std::min(word.find('=') + 1, word.size()));
    if (word.starts_with("--connections=")) options.connections = std::max(1, std::atoi(value.c_str()));
    else if (word.starts_with("--looks=")) options.looks = std::max(1, std::atoi(value.c_str()));
    else if (word.starts_with("--pause-ms=")) options.pause_ms = std::max(0, std::atoi(value.c_str()));
    else if (word.starts_with("--wanted-percent=")) options.wanted_percent = std::atof(value.c_str());
    else {
      std::fprintf(stderr, "sockets: unknown option %s; see the top of tests/bench/sockets/sockets.cc\n", word.c_str());
      std::exit(2);
    }
  }
  return options;
}

// Whether a process may have this many descriptors; raises its limit as far as it may.
bool raise_limit(int descriptors) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto wanted = static_cast<rlim_t>(descriptors);
  if (limit.rlim_cur >= wanted) return true;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur >= wanted;
}

// A child that does `work` and then waits for its end.
pid_t start(const std::function<void()>& work) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) die("fork");
  if (pid != 0) return pid;
  work();
  while (::getppid() == parent) ::sleep(1);
  ::_exit(0);
}

// Answers one byte on each connection and keeps it.
void serve(int listener, int connections) {
  for (int i = 0; i < connections; ++i) {
    const int fd = ::accept(listener, nullptr, nullptr);
    char byte = 0;
    if (fd < 0 || ::recv(fd, &byte, 1, 0) != 1 || ::send(fd, &byte, 1, MSG_NOSIGNAL) != 1) ::_exit(2);
  }
}

// Says by `ready` when all of them have their answer. Closes by a reset at its end: nothing is left in TIME_WAIT.
void connect_all(const sockaddr_in& server, int connections, int ready) {
  for (int i = 0; i < connections; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    char byte = 'x';
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0 ||
        ::send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(fd, &byte, 1, 0) != 1)
      ::_exit(2);
  }
  if (::write(ready, "r", 1) != 1) ::_exit(2);
}

double own_cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

using Agent = fakes::ProbeSide<os::SdBusSystemd>;

double thread_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int measure(const Options& options, int port) {
  Agent agent;
  auto spec = probe::spec_from_arguments("sockets", std::to_string(port), {});
  if (!spec) {
    std::fprintf(stderr, "sockets: %s\n", spec.error().text.c_str());
    return 2;
  }
  std::vector<double> cpu, wall;
  base::Duration longest_turn{};
  double turn_began = 0;
  double longest_turn_cpu = 0;
  agent.loop.set_after_turn([&] {
    const double now = thread_cpu_seconds();
    longest_turn_cpu = std::max(longest_turn_cpu, now - std::exchange(turn_began, now));
  });
  for (int look = 0; look < options.looks; ++look) {
    ::usleep(static_cast<useconds_t>(options.pause_ms) * 1000);
    agent.loop.take_longest_turn();
    const double before = own_cpu_seconds();
    std::string failure;
    const auto attempt = probe::run_once(agent.context, *spec, [&](const model::Outcome& outcome) {
      if (!outcome.up) failure = outcome.text;
      wall.push_back(base::seconds(outcome.took));
      for (const auto& m : outcome.measurements)
        if (m.name == "probe_sockets_connections" && m.labels.get("state") == "established" &&
            m.value != static_cast<double>(options.connections))
          failure = "saw " + std::to_string(m.value) + " connections";
      agent.loop.stop();
    });
    turn_began = thread_cpu_seconds();
    agent.loop.run();
    if (!failure.empty()) {
      std::fprintf(stderr, "sockets: a look failed: %s\n", failure.c_str());
      return 2;
    }
    cpu.push_back(own_cpu_seconds() - before);
    longest_turn = std::max(longest_turn, agent.loop.take_longest_turn());
  }
  const double percent = median(cpu) * 100;
  std::printf(
      "{\"bench\":\"sockets\",\"connections\":%d,\"looks\":%d,\"cpu_ms_per_look\":%.2f,\"least\":%.2f,\"most\":%.2f,"
      "\"percent_of_a_core_at_1s\":%.2f,\"wanted_percent\":%.1f,\"wall_ms_per_look\":%.2f,\"longest_turn_ms\":%.2f,"
      "\"longest_turn_cpu_ms\":%.2f}\n",
      options.connections, options.looks, median(cpu) * 1e3, *std::min_element(cpu.begin(), cpu.end()) * 1e3,
      *std::max_element(cpu.begin(), cpu.end()) * 1e3, percent, options.wanted_percent, median(wall) * 1e3,
      base::seconds(longest_turn) * 1e3, longest_turn_cpu * 1e3);
  return percent > options.wanted_percent ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (!raise_limit(options.connections + 64)) {
    std::printf("sockets: skipped, a process may not have %d descriptors here\n", options.connections + 64);
    return 77;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    die("listen");
  int ready[2];
  if (::pipe(ready) != 0) die("pipe");
  const pid_t server = start([&] { serve(listener, options.connections); });
  const pid_t client = start([&] {
    ::close(ready[0]);
    connect_all(address, options.connections, ready[1]);
  });
  ::close(ready[1]);
  char byte = 0;
  int result = 2;
  if (::read(ready[0], &byte, 1) == 1) result = measure(options, ntohs(address.sin_port));
  else std::fprintf(stderr, "sockets: the connections could not be made\n");
  for (const pid_t child : {client, server}) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return result;
}
