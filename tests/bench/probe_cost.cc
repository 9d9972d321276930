// What one probe costs in CPU time: ours (Schedule, types, event loop) against prometheus-blackbox-exporter, on the
// same target, at the same rate, in alternating rounds of the same run. One JSON line per figure; exits 1 if HTTP is
// not at least --wanted times cheaper (6 by default), 77 without a blackbox exporter.
//
//   bench_probe_cost [--rounds=5] [--seconds=2] [--rate=200] [--wanted=6] [--only=http|tcp] [--ours-only]
//
// The target is a process of its own and counts for neither. The exporter's figure holds what it does for each /probe
// request, ours holds scheduling and health: both do the whole job of one configured check.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "loop/http_client.h"
#include "loop/pid_watch.h"
#include "loop/resolver.h"
#include "loop/stream.h"
#include "loop/subprocess.h"
#include "loop/systemd.h"
#include "probe/heartbeats.h"
#include "probe/schedule.h"

namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr const char* kExporter = "/usr/bin/prometheus-blackbox-exporter";

struct Options {
  int rounds = 5;
  double seconds = 2;
  int rate = 200;  // probes a second
  double wanted = 6;
  std::string only;
  bool ours_only = false;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "probe_cost: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

// A process that ends with us.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  double cpu_seconds() const {
    clockid_t clock{};
    timespec t{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &t) != 0) die("CPU clock of a child");
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  }

 private:
  pid_t pid_;
};

double own_cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

base::UniqueFd listen_anywhere(int& port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
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

// Answers every request on every connection with the same small document and closes.
[[noreturn]] void serve(const base::UniqueFd& listener) {
  static constexpr std::string_view answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\nConnection: close\r\n\r\n"
      "{\"status\":\"ok\",\"queue\":{\"n\":12}}";
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
        if (::read(fd, request, sizeof request) > 0) [[maybe_unused]]
          const auto sent = ::write(fd, answer.data(), answer.size());
        ::close(fd);
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

pid_t start_target(int& port) {
  const base::UniqueFd listener = listen_anywhere(port);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  serve(listener);
}

// The exporter on a free port, which it names in its log.
pid_t start_exporter(int& port) {
  char config[] = "/tmp/fettle-bench-XXXXXX";
  const int config_fd = ::mkstemp(config);
  if (config_fd < 0) die("mkstemp");
  ::close(config_fd);
  std::ofstream(config) << "modules:\n"
                           "  http: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}\n"
                           "  tcp: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}\n";
  int log[2];
  if (::pipe(log) != 0) die("pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(log[1], 2);
    const std::string file = std::string("--config.file=") + config;
    ::execl(kExporter, kExporter, file.c_str(), "--web.listen-address=127.0.0.1:0", nullptr);
    ::_exit(127);
  }
  ::close(log[1]);
  std::string text;
  char buffer[4096];
  constexpr std::string_view mark = "address=127.0.0.1:";
  while (true) {
    const std::size_t at = text.find(mark);
    if (at != std::string::npos && text.find_first_not_of("0123456789", at + mark.size()) != std::string::npos) {
      port = std::atoi(text.c_str() + at + mark.size());
      if (port != 0) break;
      text.erase(0, at + mark.size());
      continue;
    }
    const ssize_t n = ::read(log[0], buffer, sizeof buffer);
    if (n <= 0) die("the exporter did not say where it listens: " + text);
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::unlink(config);
  // Its further log lines go nowhere; the pipe is large enough for all of them.
  return pid;
}

// One /probe request on a connection that stays: the asking must not cost the exporter more than Prometheus' would.
class Asker {
  // The body of an answer, put together if it came in chunks.
  static std::string whole(const std::string& answer) {
    std::size_t at = answer.find("\r\n\r\n") + 4;
    if (answer.find("Transfer-Encoding: chunked") == std::string::npos) return answer.substr(at);
    std::string body;
    while (at < answer.size()) {
      const std::size_t length = std::strtoul(answer.c_str() + at, nullptr, 16);
      at = answer.find("\r\n", at) + 2;
      if (length == 0) break;
      body += answer.substr(at, length);
      at += length + 2;
    }
    return body;
  }

 public:
  Asker(int exporter_port, const std::string& module, const std::string& target)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        request_("GET /probe?module=" + module + "&target=" + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n") {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(exporter_port));
    if (::connect(fd_.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect to exporter");
  }
  void ask() {
    if (::write(fd_.value(), request_.data(), request_.size()) < 0) die("write to exporter");
    std::string answer;
    char buffer[16384];
    std::size_t length = 0;
    while (length == 0 || answer.size() < length) {
      const ssize_t n = ::read(fd_.value(), buffer, sizeof buffer);
      if (n <= 0) die("read from exporter");
      answer.append(buffer, static_cast<std::size_t>(n));
      const std::size_t head = answer.find("\r\n\r\n");
      const std::size_t field = answer.find("Content-Length: ");
      // Chunked answers end with an empty chunk.
      if (field == std::string::npos && answer.ends_with("\r\n0\r\n\r\n")) break;
      if (length == 0 && head != std::string::npos && field < head)
        length = head + 4 + static_cast<std::size_t>(std::atol(answer.c_str() + field + 16));
    }
    if (whole(answer).find("\nprobe_success 1") == std::string::npos) die("the exporter's probe failed: " + answer);
  }

 private:
  base::UniqueFd fd_;
  std::string request_;
};

double exporter_cost(const Child& exporter, Asker& asker, const Options& options) {
  const int total = static_cast<int>(options.seconds * options.rate);
  const double before = exporter.cpu_seconds();
  auto due = std::chrono::steady_clock::now();
  for (int i = 0; i < total; ++i) {
    due += std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(1.0 / options.rate));
    std::this_thread::sleep_until(due);
    asker.ask();
  }
  return (exporter.cpu_seconds() - before) / total;
}

// No probe of this comparison asks systemd.
struct NoSystemd final : loop::Systemd {
  loop::Handle watch_unit(const std::string&, std::function<void(const base::Result<loop::UnitState>&)>) override {
    return {};
  }
  loop::Handle read_unit(const std::string&, base::Instant,
                         std::function<void(base::Result<loop::UnitState>)>) override {
    return {};
  }
  loop::Handle run_job(const std::string&, const std::string&, base::Instant,
                       std::function<void(base::Result<std::string>)>) override {
    return {};
  }
};

// The agent's side, as app/ puts it together.
struct Agent {
  loop::EventLoop loop;
  loop::AresResolver resolver{loop};
  loop::CurlHttpClient http{loop, resolver};
  loop::StreamDialer dialer{loop, resolver};
  loop::Subprocesses spawner{loop};
  loop::PidWatch pids{loop};
  NoSystemd systemd;
  probe::Heartbeats heartbeats{loop};
  loop::ThreadedCalls slow_calls{loop};
  probe::Context context{loop, http, dialer, resolver, spawner, pids, systemd, heartbeats, slow_calls};
};

double our_cost(Agent& agent, const std::string& type, const std::string& target, const Options& options) {
  int runs = 0;
  std::string failure;
  probe::Schedule schedule("bench", agent.context,
                           {[&](const probe::Run& run, const probe::Status&) {
                              ++runs;
                              if (!run.outcome.up) failure = run.outcome.text;
                            },
                            {}});
  std::vector<probe::Spec> specs;
  constexpr int kProbes = 20;
  for (int i = 0; i < kProbes; ++i) {
    auto spec = probe::spec_from_arguments(type, target, {"name=p" + std::to_string(i), "timeout=50ms"});
    if (!spec) {
      std::fprintf(stderr, "probe_cost: %s\n", spec.error().text.c_str());
      std::exit(2);
    }
    spec->interval = base::Millis{1000 * kProbes / options.rate};
    specs.push_back(std::move(*spec));
  }
  schedule.replace(std::move(specs));
  const auto stop = agent.loop.after(std::chrono::duration_cast<base::Duration>(Seconds(options.seconds)),
                                     [&] { agent.loop.stop(); });
  const double before = own_cpu_seconds();
  agent.loop.run();
  const double used = own_cpu_seconds() - before;
  if (!failure.empty()) std::fprintf(stderr, "probe_cost: one of our runs failed: %s\n", failure.c_str());
  if (runs == 0) die("no run of ours ended");
  return used / runs;
}

struct Figure {
  double median = 0, least = 0, most = 0;
};

Figure figure_of(std::vector<double> costs) {
  std::sort(costs.begin(), costs.end());
  return {costs[costs.size() / 2], costs.front(), costs.back()};
}

void print(const std::string& type, const char* who, const Figure& f, const Options& options) {
  std::printf(
      "{\"bench\":\"probe_cost\",\"probe\":\"%s\",\"who\":\"%s\",\"cpu_us_per_probe\":%.1f,\"least\":%.1f,"
      "\"most\":%.1f,\"probes_per_cpu_second\":%.0f,\"rounds\":%d,\"rate\":%d}\n",
      type.c_str(), who, f.median * 1e6, f.least * 1e6, f.most * 1e6, 1 / f.median, options.rounds, options.rate);
  std::fflush(stdout);
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(std::min(word.find('=') + 1, word.size()));
    if (word.starts_with("--rounds=")) options.rounds = std::max(1, std::atoi(value.c_str()));
    else if (word.starts_with("--seconds=")) options.seconds = std::atof(value.c_str());
    else if (word.starts_with("--rate=")) options.rate = std::max(20, std::atoi(value.c_str()));
    else if (word.starts_with("--wanted=")) options.wanted = std::atof(value.c_str());
    else if (word.starts_with("--only=")) options.only = value;
    else if (word == "--ours-only") options.ours_only = true;
    else {
      std::fprintf(stderr, "probe_cost: unknown option %s; see the top of tests/bench/probe_cost.cc\n", word.c_str());
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (!options.ours_only && ::access(kExporter, X_OK) != 0) {
    std::printf("probe_cost: skipped, %s is not installed (apt install prometheus-blackbox-exporter)\n", kExporter);
    return 77;
  }
  int target_port = 0;
  const Child target(start_target(target_port));
  int exporter_port = 0;
  std::unique_ptr<Child> exporter;
  if (!options.ours_only) exporter = std::make_unique<Child>(start_exporter(exporter_port));
  Agent agent;
  bool enough = true;
  for (const std::string type : {"http", "tcp"}) {
    if (!options.only.empty() && options.only != type) continue;
    const std::string address = "127.0.0.1:" + std::to_string(target_port);
    const std::string where = type == "http" ? "http://" + address + "/healthz" : address;
    std::vector<double> ours, theirs;
    std::unique_ptr<Asker> asker;
    if (exporter) asker = std::make_unique<Asker>(exporter_port, type, where);
    for (int round = 0; round < options.rounds; ++round) {
      ours.push_back(our_cost(agent, type, where, options));
      if (exporter) theirs.push_back(exporter_cost(*exporter, *asker, options));
    }
    const Figure mine = figure_of(ours);
    print(type, "fettle", mine, options);
    if (!exporter) continue;
    const Figure other = figure_of(theirs);
    print(type, "prometheus-blackbox-exporter", other, options);
    const double ratio = other.median / mine.median;
    std::printf("{\"bench\":\"probe_cost\",\"probe\":\"%s\",\"ratio\":%.2f,\"wanted\":%.1f}\n", type.c_str(), ratio,
                type == "http" ? options.wanted : 0.0);
    if (type == "http" && ratio < options.wanted) enough = false;
  }
  return enough ? 0 : 1;
}
