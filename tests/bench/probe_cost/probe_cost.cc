// What one probe costs in CPU time: ours (Schedule, types, event loop), prometheus-blackbox-exporter's for the same
// target, and a bare epoll loop's for the same bytes, in alternating rounds of one run and at the same rate. Kinds:
// http with a new connection and with a kept one, https with a full handshake and with a resumed session, tcp, and
// exec, which the exporter has not: its floor is posix_spawn and waitpid of the same program.
//
//   bench_probe_cost [--rounds=5] [--seconds=2] [--rate=200] [--only=KIND] [--ours-only]
//                    [--wanted=8] [--wanted-tcp=15] [--wanted-bare=0.5]
//
// One JSON line for each figure, and one of ratios for each kind. Exits 1 if http is not --wanted times and tcp not
// --wanted-tcp times cheaper than the exporter, or if the bare loop's cost is less than --wanted-bare of ours for http;
// 77 without a blackbox exporter. Build it with release.cmake: ninja bench_probe_cost.
//
// The targets are processes of their own and count for nobody. The exporter's figure holds what it does for each /probe
// request, ours holds scheduling and health: both do the whole job of one configured check. The exporter knows neither
// kept connections nor resumed sessions: its figure beside those is that of the new connection.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/probe_cost/bare_loop.h"
#include "bench/probe_cost/exporter.h"
#include "bench/probe_cost/target.h"
#include "fakes/probe_side.h"
#include "net/tls/tls.h"
#include "probe/schedule.h"

namespace {

using namespace bench;
using Seconds = std::chrono::duration<double>;

struct Options {
  int rounds = 5;
  double seconds = 2;
  int rate = 200;  // probes a second
  double wanted = 8, wanted_tcp = 15, wanted_bare = 0.5;
  std::string only;
  bool ours_only = false;
};

// A way of probing, on all three sides.
struct Kind {
  std::string name;
  std::string type, target;           // ours
  std::vector<std::string> settings;  // ours
  std::string module;                 // the exporter's; "": it has none
  std::function<void()> bare;         // once
  int per_second = 0;                 // instead of --rate where that is too much for a target
};

// CPU seconds per call, of this process and, where `with_children`, of those that it waited for.
enum class Children { ignored, counted };
double used(Children children) {
  return own_cpu_seconds() + (children == Children::counted ? ended_children_cpu_seconds() : 0);
}

// Calls at the rate, on a grid of its own.
template <typename Call>
int call_on_grid(const Options& options, int rate, Call call) {
  const int total = static_cast<int>(options.seconds * rate);
  auto due = std::chrono::steady_clock::now();
  for (int i = 0; i < total; ++i) {
    due += std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(1.0 / rate));
    std::this_thread::sleep_until(due);
    call();
  }
  return total;
}

double exporter_cost(const Child& exporter, Asker& asker, const Options& options, int rate) {
  const double before = exporter.cpu_seconds();
  const int total = call_on_grid(options, rate, [&] { asker.ask(); });
  return (exporter.cpu_seconds() - before) / total;
}

double bare_cost(const std::function<void()>& bare, const Options& options, int rate, Children children) {
  const double before = used(children);
  const int total = call_on_grid(options, rate, bare);
  return (used(children) - before) / total;
}

// No probe of this comparison asks systemd.
struct NoSystemd final : os::Systemd {
  explicit NoSystemd(loop::Scheduler&) {}
  loop::Handle watch_unit(const std::string&, std::function<void(const base::Result<os::UnitState>&)>) override {
    return {};
  }
  loop::Handle read_unit(const std::string&, base::Instant, std::function<void(base::Result<os::UnitState>)>) override {
    return {};
  }
  loop::Handle run_job(const std::string&, const std::string&, base::Instant,
                       std::function<void(base::Result<std::string>)>) override {
    return {};
  }
  loop::Handle signal_unit(const std::string&, Whom, int, base::Instant, std::function<void(base::Result<>)>) override {
    return {};
  }
};

using Agent = fakes::ProbeSide<NoSystemd>;

double our_cost(Agent& agent, const Kind& kind, const Options& options, int rate, Children children) {
  int runs = 0;
  std::string failure;
  probe::Schedule schedule("bench", agent.context,
                           {[&](const probe::Run& run, const probe::Status&) {
                              ++runs;
                              if (!run.outcome.up) failure = run.outcome.text;
                            },
                            {}});
  std::vector<probe::Spec> specs;
  constexpr int kProbes = 100;
  for (int i = 0; i < kProbes; ++i) {
    std::vector<std::string> settings = kind.settings;
    settings.push_back("name=p" + std::to_string(i));
    settings.emplace_back("timeout=450ms");
    auto spec = probe::spec_from_arguments(kind.type, kind.target, settings);
    if (!spec) {
      std::fprintf(stderr, "probe_cost: %s\n", spec.error().text.c_str());
      std::exit(2);
    }
    spec->interval = base::Millis{1000 * kProbes / rate};
    specs.push_back(std::move(*spec));
  }
  schedule.replace(std::move(specs));
  const auto stop = agent.loop.after(std::chrono::duration_cast<base::Duration>(Seconds(options.seconds)),
                                     [&] { agent.loop.stop(); });
  const double before = used(children);
  agent.loop.run();
  const double cost = used(children) - before;
  if (!failure.empty()) {
    std::fprintf(stderr, "probe_cost: %s: one of our runs failed: %s\n", kind.name.c_str(), failure.c_str());
    std::exit(2);
  }
  if (runs == 0) die("no run of ours ended");
  return cost / runs;
}

double median(std::vector<double> costs) {
  std::sort(costs.begin(), costs.end());
  return costs[costs.size() / 2];
}

double print(const Kind& kind, const char* who, const std::vector<double>& costs, const Options& options, int rate) {
  const auto [least, most] = std::minmax_element(costs.begin(), costs.end());
  const double middle = median(costs);
  std::printf(
      "{\"bench\":\"probe_cost\",\"probe\":\"%s\",\"who\":\"%s\",\"cpu_us_per_probe\":%.1f,\"least\":%.1f,"
      "\"most\":%.1f,\"probes_per_cpu_second\":%.0f,\"rounds\":%d,\"rate\":%d}\n",
      kind.name.c_str(), who, middle * 1e6, *least * 1e6, *most * 1e6, 1 / middle, options.rounds, rate);
  std::fflush(stdout);
  return middle;
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
    else if (word.starts_with("--wanted-tcp=")) options.wanted_tcp = std::atof(value.c_str());
    else if (word.starts_with("--wanted-bare=")) options.wanted_bare = std::atof(value.c_str());
    else if (word.starts_with("--only=")) options.only = value;
    else if (word == "--ours-only") options.ours_only = true;
    else {
      std::fprintf(stderr, "probe_cost: unknown option %s; see the top of tests/bench/probe_cost/probe_cost.cc\n",
                   word.c_str());
      std::exit(2);
    }
  }
  return options;
}

void spawn_true() {
  static char program[] = "/bin/true";
  static char* const arguments[] = {program, nullptr};
  pid_t pid = 0;
  int status = 0;
  if (::posix_spawn(&pid, program, nullptr, nullptr, arguments, nullptr) != 0) die("posix_spawn");
  if (::waitpid(pid, &status, 0) != pid || status != 0) die("/bin/true");
}

// False if a ratio is below what is wanted of it.
bool measure(const Kind& kind, Agent& agent, const Child* exporter, int exporter_port, const Options& options) {
  const int rate = kind.per_second > 0 ? std::min(kind.per_second, options.rate) : options.rate;
  const Children children = kind.type == "exec" ? Children::counted : Children::ignored;
  std::optional<Asker> asker;
  if (exporter && !kind.module.empty()) asker.emplace(exporter_port, kind.module, kind.target);
  std::vector<double> ours, theirs, floors;
  for (int round = 0; round < options.rounds; ++round) {
    ours.push_back(our_cost(agent, kind, options, rate, children));
    if (options.ours_only) continue;
    floors.push_back(bare_cost(kind.bare, options, rate, children));
    if (asker) theirs.push_back(exporter_cost(*exporter, *asker, options, rate));
  }
  const double mine = print(kind, "fettle", ours, options, rate);
  if (options.ours_only) return true;
  const double floor = print(kind, kind.type == "exec" ? "posix_spawn" : "bare epoll loop", floors, options, rate);
  const double wanted = kind.name == "http" ? options.wanted : kind.name == "tcp" ? options.wanted_tcp : 0;
  const double wanted_bare = kind.name == "http" ? options.wanted_bare : 0;
  const double to_exporter = asker ? print(kind, "prometheus-blackbox-exporter", theirs, options, rate) / mine : 0;
  std::printf("{\"bench\":\"probe_cost\",\"probe\":\"%s\"", kind.name.c_str());
  if (asker) std::printf(",\"times_cheaper_than_exporter\":%.1f,\"wanted\":%.1f", to_exporter, wanted);
  std::printf(",\"of_the_bare_loop\":%.2f,\"wanted_of_the_bare_loop\":%.2f}\n", floor / mine, wanted_bare);
  std::fflush(stdout);
  return (!asker || to_exporter >= wanted) && floor / mine >= wanted_bare;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (!options.ours_only && ::access(kExporter, X_OK) != 0) {
    std::printf("probe_cost: skipped, %s is not installed (apt install prometheus-blackbox-exporter)\n", kExporter);
    return 77;
  }
  char authority[] = "/tmp/fettle-bench-ca-XXXXXX";
  const int authority_fd = ::mkstemp(authority);
  if (authority_fd < 0) die("mkstemp");
  ::close(authority_fd);
  int http_port = 0, https_port = 0, exporter_port = 0;
  const Child http_target(start_http_target(http_port));
  const Child https_target(start_https_target(authority, https_port));
  std::unique_ptr<Child> exporter;
  if (!options.ours_only) exporter = std::make_unique<Child>(start_exporter(authority, exporter_port));

  const std::string address = "127.0.0.1:" + std::to_string(http_port);
  const std::string http = "http://" + address + "/healthz";
  const std::string https = "https://127.0.0.1:" + std::to_string(https_port) + "/healthz";
  const std::string trust = "tls_config.ca_file=" + std::string(authority);
  BareLoop plain(http_port, ""), tls(https_port, authority);
  const std::vector<Kind> kinds{
      {"http", "http", http, {}, "http", [&] { plain.http(); }},
      {"http-reuse", "http", http, {"reuse_connection=true"}, "http", [&] { plain.http_again(); }},
      {"tcp", "tcp", address, {}, "tcp", [&] { plain.tcp(); }},
      {"https", "http", https, {trust}, "https", [&] { tls.https(); }, 100},
      {"https-resumed",
       "http",
       https,
       {trust, "tls_config.session_reuse=true"},
       "https",
       [&] { tls.https_again(); },
       100},
      {"exec", "exec", "", {"command=[/bin/true]"}, "", spawn_true, 50},
  };
  Agent agent;
  bool enough = true;
  for (const Kind& kind : kinds)
    if (options.only.empty() || options.only == kind.name)
      enough = measure(kind, agent, exporter.get(), exporter_port, options) && enough;
  ::unlink(authority);
  return enough ? 0 : 1;
}
