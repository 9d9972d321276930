// Our side of the rule benchmark: rules::Manager over store::Store, fed with the pages that Prometheus scrapes.
// tests/bench/rules/run starts it and has the other side.
//
//   bench_rules RULES INTERVAL_MS < pages
//
// A page is a line "@ MILLISECONDS" and lines of the text format; the clock goes to that time first, so that every
// group is evaluated at its own point between two pages. "measure" starts the measurement; at the end of the input one
// JSON line says what an evaluation of a rule cost in CPU time: everything that this process did except taking pages
// in. Alert states are kept in memory: the agent writes them to disk when they change, not with each evaluation.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <unordered_map>

#include "app/queryable.h"
#include "fakes/fake_loop.h"
#include "promql/parser.h"
#include "rules/manager.h"
#include "state/state.h"

namespace {

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  double size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576;
}

class Bench {
 public:
  Bench(base::Millis interval, std::int64_t start) : loop_(base::wall_from_ms(start)) {
    options_.evaluation_interval = interval;
    rules::Callbacks callbacks;
    callbacks.append = [this](const model::Labels& labels, model::Sample sample) {
      return store_.append(labels, sample).has_value();
    };
    callbacks.on_transitions = [this](const auto& changes) { transitions_ += changes.size(); };
    callbacks.on_evaluated = [this](const auto&, const auto&, base::Duration, bool ok) { ++(ok ? good_ : failed_); };
    manager_ = std::make_unique<rules::Manager>(options_, loop_, *state_, data_, std::move(callbacks));
  }

  bool load(const std::string& path) {
    config::Errors errors;
    auto groups = rules::compile(config::load_rule_file(path, errors), promql::Compat::v2, errors);
    if (!errors.empty()) return fmt::print(stderr, "{}", errors.text()), false;
    manager_->replace(std::move(groups));
    return true;
  }

  void clock_to(std::int64_t t) {
    const double before = cpu_seconds();
    loop_.advance(base::wall_from_ms(t) - loop_.wall_now());
    evaluating_ += cpu_seconds() - before;
    now_ = t;
  }

  bool sample(const std::string& line) {
    const std::size_t space = line.rfind(' ');
    if (space == std::string::npos) return false;
    const std::string series = line.substr(0, space);
    auto id = ids_.find(series);
    if (id == ids_.end()) {
      const auto labels = promql::parse_metric(series);
      if (!labels) return false;
      const auto made = store_.series(labels->merged({{"job", "bench"}}));
      if (!made) return false;
      id = ids_.emplace(series, *made).first;
    }
    return store_.append(id->second, {now_, std::strtod(line.c_str() + space, nullptr)}).has_value();
  }

  void measure() { evaluating_ = 0, good_ = failed_ = transitions_ = 0; }

  void report() const {
    fmt::print("{{\"series\": {}, \"evaluations\": {}, \"failures\": {}, \"transitions\": {}, ", ids_.size(), good_,
               failed_, transitions_);
    fmt::print("\"cpu_us_per_evaluation\": {:.2f}, \"resident_mib\": {:.1f}}}\n",
               good_ > 0 ? evaluating_ * 1e6 / static_cast<double>(good_) : 0.0, resident_mib());
  }

 private:
  fakes::FakeLoop loop_;
  store::Store store_{{.retention = base::Millis{7'200'000}, .max_series = 100'000}};
  app::StoreQueryable data_{store_};
  std::unique_ptr<state::State> state_ = state::in_memory(loop_);
  rules::Options options_;
  std::unique_ptr<rules::Manager> manager_;
  std::unordered_map<std::string, store::SeriesId> ids_;
  std::int64_t now_ = 0;
  double evaluating_ = 0;
  std::size_t good_ = 0, failed_ = 0, transitions_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fmt::print(stderr, "usage: bench_rules RULES INTERVAL_MS < pages\n"), 2;
  std::unique_ptr<Bench> bench;  // from the first page's time on
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with("@ ")) {
      const std::int64_t t = std::atoll(line.c_str() + 2);
      if (!bench) {
        bench = std::make_unique<Bench>(base::Millis{std::atoll(argv[2])}, t);
        if (!bench->load(argv[1])) return 1;
      }
      bench->clock_to(t);
    } else if (!bench) {
      return fmt::print(stderr, "the first line must be the time of a page\n"), 1;
    } else if (line == "measure") {
      bench->measure();
    } else if (!line.empty() && !line.starts_with('#') && !bench->sample(line)) {
      return fmt::print(stderr, "not a sample: {}\n", line), 1;
    }
  }
  if (bench) bench->report();
}
