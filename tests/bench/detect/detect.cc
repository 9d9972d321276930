// How soon the real agent knows that a service broke, and acts: by fault and by the source that saw it first.
//
//   bench_detect --fettle=PATH [--runs=50] [--load] [--only=FAULT] [--folder=DIR] [--wanted-kill=1] [--wanted-load=50]
//
// DIR is where a folder is made, so that fsync meets a real disk. One JSON line for each figure, in milliseconds:
// to_verdict, from the fault to the line "probe is down" in the agent's log, and to_event, the same without the time
// that the agent itself took from the event to its verdict (latency_seconds of that line), for
//   kill, exit, oom            a process probe, by its pidfd
// and to_verdict only for
//   connection                 a kill, seen by a connection probe, which has only the connection that it holds
//   stop, status_500, slow     an http probe: interval 200 ms, timeout 100 ms, three failures, 100 ms between them
//   closed_listener, full_queue   a listener probe, every 100 ms, which asks the kernel and not the service
// and kill_to_action, from a kill to the first instruction of the recovery command. An oom needs a memory cgroup of its
// own and so root; without it, it is left out with the reason. Units of systemd are events too; tests/e2e/systemd boots
// a container for them.
//
// --load keeps every CPU busy with a spinning process of nice 0 and measures what events bring, with the agent
// scheduled as packaging/systemd/fettle.service has it: Nice=-5 and CPUWeight=200, here by setpriority and a cpu cgroup
// with twice the weight of the others. The bench itself runs at nice -10: it is the clock.
//
// Exits 1 if the median of kill's to_event is above --wanted-kill, with --load if the p99 of its to_verdict is above
// --wanted-load, or if fettle_detection_latency_seconds tells another story than the log. Build it with release.cmake:
// ninja bench_detect.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>

#include "bench/detect/action.h"
#include "bench/detect/agent.h"
#include "bench/detect/victim.h"

namespace {

using namespace bench;

constexpr int kUnitNice = -5, kUnitWeight = 200;  // packaging/systemd/fettle.service

struct Options {
  std::string fettle, only, folder = ".";
  int runs = 50;
  bool load = false;
  double wanted_kill = 1, wanted_load = 50;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(std::min(word.find('=') + 1, word.size()));
    if (word.starts_with("--fettle=")) options.fettle = value;
    else if (word.starts_with("--runs=")) options.runs = std::max(1, std::atoi(value.c_str()));
    else if (word.starts_with("--only=")) options.only = value;
    else if (word.starts_with("--folder=")) options.folder = value;
    else if (word.starts_with("--wanted-kill=")) options.wanted_kill = std::atof(value.c_str());
    else if (word.starts_with("--wanted-load=")) options.wanted_load = std::atof(value.c_str());
    else if (word == "--load") options.load = true;
    else die("unknown option " + word + "; see the top of tests/bench/detect/detect.cc");
  }
  if (options.fettle.empty()) die("say which agent to measure: --fettle=PATH");
  return options;
}

// A cgroup that goes when it is empty. Knows both versions.
class Cgroup {
 public:
  Cgroup(const std::string& controller, const std::string& key_v1, const std::string& key_v2, long v1, long v2) {
    const bool unified = std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers");
    const std::string folder = (unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller) + "/fettle-detect-" +
                               std::to_string(::getpid()) + controller;
    std::error_code error;
    if (!std::filesystem::create_directory(folder, error)) return;
    path_ = folder;
    std::ofstream file(folder + "/" + (unified ? key_v2 : key_v1));
    file << (unified ? v2 : v1) << std::flush;
    if (!file) close();
  }
  ~Cgroup() { close(); }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  const std::string& path() const { return path_; }  // "": cannot be made here

 private:
  void close() {
    if (!path_.empty()) ::rmdir(path_.c_str());
    path_.clear();
  }
  std::string path_;
};

class Burners {
 public:
  explicit Burners(unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      if (const pid_t pid = ::fork(); pid != 0) pids_.push_back(pid);
      else {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned long n = 0;;) n = n + 1;
      }
  }
  ~Burners() {
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  }
  Burners(const Burners&) = delete;
  Burners& operator=(const Burners&) = delete;

 private:
  std::vector<pid_t> pids_;
};

double at(const std::vector<double>& sorted, double q) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

void print(const Options& options, const char* figure, const std::string& fault, const std::string& source,
           std::vector<double>& ms) {
  std::sort(ms.begin(), ms.end());
  fmt::print(
      "{{\"bench\":\"detect\",\"figure\":\"{}\",\"fault\":\"{}\",\"source\":\"{}\",\"load\":{},\"unit\":\"ms\","
      "\"runs\":{},\"p50\":{:.2f},\"p90\":{:.2f},\"p99\":{:.2f},\"max\":{:.2f}}}\n",
      figure, fault, source, options.load, ms.size(), at(ms, 0.5), at(ms, 0.9), at(ms, 0.99), ms.back());
  std::fflush(stdout);
}

double number_after(const std::string& page, const std::string& series) {
  const std::size_t found = page.find(series + " ");
  return found == std::string::npos ? 0 : std::atof(page.c_str() + found + series.size() + 1);
}

std::string word_after(const std::string& line, const std::string& key) {
  const std::size_t found = line.find(key);
  if (found == std::string::npos) return "";
  return line.substr(found + key.size(), line.find(' ', found + key.size()) - found - key.size());
}

struct FaultToTry {
  const char* name;
  Fault fault;
  const char* probe;
  bool by_event;
};
constexpr FaultToTry kFaults[] = {
    {"kill", Fault::kill, "process", true},
    {"exit", Fault::exit, "process", true},
    {"oom", Fault::oom, "process", true},
    {"stop", Fault::stop, "http", false},
    {"status_500", Fault::status_500, "http", false},
    {"slow", Fault::slow, "http", false},
    {"closed_listener", Fault::closed_listener, "listener", false},
    {"full_queue", Fault::full_queue, "listener", false},
};

class Site {
 public:
  Site(const Options& options, std::string folder, const Scheduling& scheduling, std::string memory_cgroup)
      : options_(options), folder_(std::move(folder)), memory_cgroup_(std::move(memory_cgroup)), port_(free_port()) {
    std::string config = fmt::format(R"(
global: {{node: bench}}
services:
  order:
    probes:
      - {{name: process, type: process, pidfile: {0}/order.pid, interval: 250ms, timeout: 200ms}}
      - {{name: http, type: http, url: "http://127.0.0.1:{1}/", interval: 200ms, timeout: 100ms, fast_interval: 100ms}}
      - {{name: listener, type: listener, port: {1}, interval: 100ms, timeout: 50ms, failure_threshold: 1}}
)",
                                     folder_, port_);
    for (int i = 0; i < options.runs; ++i) {
      const int port = free_port();
      held_.push_back(std::make_unique<Victim>(port, ""));
      config += fmt::format(
          "  held{}: {{probes: [{{name: held, type: connection, port: {}, interval: 5s, timeout: 500ms}}]}}\n", i,
          port);
    }
    write_text(folder_ + "/fettle.yml", config);
    start_victim();
    agent_.emplace(options.fettle, folder_, scheduling);
    ::poll(nullptr, 0, 6'500);  // the first runs come within 5 s, and a connection counts as held after one
    wait_until_up();
  }

  // False if the figure misses what is wanted.
  bool measure(const FaultToTry& fault) {
    std::vector<double> ms, event_ms;
    std::map<std::string, int> sources;
    std::string line;
    for (int run = 0; run < options_.runs; ++run) {
      // Anywhere between two runs, and not within 100 ms of the last event, in which there is no other run for one.
      ::poll(nullptr, 0, static_cast<int>(100 + std::rand() % 200));
      agent_->forget_lines();
      victim_->suffer(fault.fault);
      const long long seen =
          agent_->wait_for_line("msg=\"probe is down\" service=order", fmt::format("probe={} ", fault.probe), line);
      keep(line, static_cast<double>(seen - victim_->last_well()) / 1e6, ms);
      event_ms.push_back(ms.back() - std::atof(word_after(line, "latency_seconds=").c_str()) * 1e3);
      ++sources[word_after(line, "source=")];
      start_victim();
      // Its line and not a page: a snapshot may be 100 ms old, and would show the health of before the fault.
      agent_->wait_for_line("msg=\"service is up\"", "service=order ", line);
    }
    const auto most = std::max_element(sources.begin(), sources.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    print(options_, "to_verdict", fault.name, most->first, ms);
    if (fault.by_event) print(options_, "to_event", fault.name, most->first, event_ms);
    if (fault.fault != Fault::kill) return true;
    return options_.load ? at(ms, 0.99) <= options_.wanted_load : at(event_ms, 0.5) <= options_.wanted_kill;
  }

  void measure_held_connections() {
    std::vector<double> ms;
    std::string line;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      agent_->forget_lines();
      held_[i]->suffer(Fault::kill);
      const long long seen = agent_->wait_for_line("msg=\"probe is down\"", fmt::format("service=held{} ", i), line);
      keep(line, static_cast<double>(seen - held_[i]->last_well()) / 1e6, ms);
    }
    print(options_, "to_verdict", "connection", word_after(line, "source="), ms);
  }

  // The metric counts from the sign of failure, so it may say less than the log, but not more. A first failed run may
  // have begun just before the fault, which gives it a tenth.
  bool metric_agrees() const {
    const std::string page = agent_->get("/metrics");
    bool agrees = true;
    for (const auto& [source, ms] : by_source_) {
      const std::string labels = fmt::format("{{source=\"{}\"}}", source);
      const double count = number_after(page, "fettle_detection_latency_seconds_count" + labels);
      const double mean = number_after(page, "fettle_detection_latency_seconds_sum" + labels) * 1e3 / count;
      const double measured = std::accumulate(ms.begin(), ms.end(), 0.0) / static_cast<double>(ms.size());
      const bool fine = count >= static_cast<double>(ms.size()) && mean > 0 && mean <= measured * 1.1;
      fmt::print(
          "{{\"bench\":\"detect\",\"figure\":\"fettle_detection_latency_seconds\",\"source\":\"{}\",\"load\":{},"
          "\"unit\":\"ms\",\"count\":{},\"mean\":{:.3f},\"mean_of_to_verdict\":{:.3f},\"agrees\":{}}}\n",
          source, options_.load, count, mean, measured, fine);
      agrees = agrees && fine;
    }
    return agrees;
  }

 private:
  void start_victim() {
    victim_.reset();
    victim_ = std::make_unique<Victim>(port_, memory_cgroup_);
    write_text(folder_ + "/order.pid", std::to_string(victim_->pid()) + "\n");
  }
  void wait_until_up() {
    agent_->wait_for("/api/v1/services", "every service to be up", [](const std::string& page) {
      return page.find("200 OK") != std::string::npos && page.find("\"health\":\"down\"") == std::string::npos &&
             page.find("\"health\":\"unknown\"") == std::string::npos;
    });
  }
  void keep(const std::string& line, double ms, std::vector<double>& all) {
    all.push_back(ms);
    by_source_[word_after(line, "source=")].push_back(ms);
  }

  const Options& options_;
  std::string folder_, memory_cgroup_;
  int port_;
  std::vector<std::unique_ptr<Victim>> held_;
  std::unique_ptr<Victim> victim_;
  std::optional<Agent> agent_;
  std::map<std::string, std::vector<double>> by_source_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--action") return act(argv[2]);
  const Options options = read_options(argc, argv);
  std::string folder = std::filesystem::absolute(options.folder) / "detect-XXXXXX";
  if (!::mkdtemp(folder.data())) die("cannot make " + folder);
  ::signal(SIGCHLD, SIG_IGN);

  Scheduling scheduling;
  std::optional<Burners> burners;
  std::optional<Cgroup> weight;
  if (options.load) {
    weight.emplace("cpu", "cpu.shares", "cpu.weight", 1024 * kUnitWeight / 100, kUnitWeight);
    scheduling = {kUnitNice, weight->path()};
    if (weight->path().empty()) fmt::print("detect: no cpu cgroup can be made here; only the nice value is set\n");
    if (::setpriority(PRIO_PROCESS, 0, -10) != 0) fmt::print("detect: no right to a nice of -10; needs root\n");
    burners.emplace(std::max(1U, std::thread::hardware_concurrency()));
  }
  const Cgroup memory("memory", "memory.limit_in_bytes", "memory.max", 24 << 20, 24 << 20);

  bool enough = true;
  {
    Site site(options, folder, scheduling, memory.path());
    for (const FaultToTry& fault : kFaults) {
      if (!options.only.empty() && options.only != fault.name) continue;
      if (options.load && !fault.by_event) continue;
      if (fault.fault == Fault::oom && memory.path().empty()) {
        fmt::print("detect: oom is left out: no memory cgroup can be made here (needs root)\n");
        continue;
      }
      enough = site.measure(fault) && enough;
    }
    if (options.only.empty() || options.only == "connection") site.measure_held_connections();
    enough = site.metric_agrees() && enough;
  }
  if (options.only.empty() || options.only == "action") {
    std::vector<double> ms = times_to_action(options.fettle, std::filesystem::read_symlink("/proc/self/exe"), folder,
                                             scheduling, options.runs);
    print(options, "kill_to_action", "kill", "pidfd", ms);
  }
  std::filesystem::remove_all(folder);
  return enough ? 0 : 1;
}
