// Probes of any type on the real loop, with real sockets: `kernel.run("udp", "127.0.0.1:53", {"send=x"})`. And programs
// that tests talk to.
#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "fakes/probe_world.h"
#include "fakes/run_until.h"
#include "http/http_client.h"
#include "loop/blocking_pool.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "probe/run_once.h"

namespace fakes {

struct ProbeKernel {
  ProbeWorld fakes;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};
  net::StreamDialer dialer{loop, resolver};
  loop::ThreadedBlockingPool blocking_pool{loop};
  probe::Context context{loop,       http,          dialer,           resolver,     fakes.spawner,
                         fakes.pids, fakes.systemd, fakes.heartbeats, blocking_pool};

  model::Outcome run(const std::string& type, const std::string& target, const std::vector<std::string>& settings,
                     base::Millis timeout = std::chrono::seconds{5}) {
    auto spec = probe::spec_from_arguments(type, target, settings);
    if (!spec) FAIL(spec.error().text);
    spec->timeout = timeout;
    std::optional<model::Outcome> found;
    const auto attempt = probe::run_once(context, *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
    REQUIRE(run_until(
        loop, [&] { return found.has_value(); }, std::chrono::seconds{60}));
    return *found;
  }
  // Until it is up or half a minute is over: a server that starts takes its time.
  model::Outcome run_until_up(const std::string& type, const std::string& target,
                              const std::vector<std::string>& settings) {
    const base::Instant patience = loop.now() + std::chrono::seconds{30};
    model::Outcome found;
    do found = run(type, target, settings);
    while (!found.up && loop.now() < patience);
    return found;
  }
};

// The value of a measurement, or nothing.
inline std::optional<double> measured(const model::Outcome& outcome, const std::string& name,
                                      const std::string& label = "", const std::string& value = "") {
  for (const auto& m : outcome.measurements)
    if (m.name == name && (label.empty() || m.labels.get(label) == value)) return m.value;
  return std::nullopt;
}

// A program that runs until the test drops it. What it says first on its standard output tells that it is ready.
class RunningProgram {
 public:
  explicit RunningProgram(std::vector<std::string> words) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    base::UniqueFd said(ends[1]);
    output_.reset(ends[0]);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(said.value(), STDOUT_FILENO);
      ::close(said.value());
      ::close(output_.value());
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~RunningProgram() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  // Waits for it; "" if the program ended without a word.
  std::string first_line() const {
    std::string line;
    for (char c = 0; ::read(output_.value(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

 private:
  base::UniqueFd output_;
  pid_t pid_ = 0;
};

}  // namespace fakes
