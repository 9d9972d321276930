// Real servers from Debian in a test: a process of the test's own that ends with it, a folder that goes with it, and
// probes that run against it on the real loop.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fakes/child.h"
#include "fakes/probe_world.h"
#include "fakes/run_until.h"
#include "http/http_client.h"
#include "net/stream.h"
#include "probe/run_once.h"

namespace fakes {

// True as soon as `start` says that it started, which chooses ports anew each time: one that was free when it was
// chosen may be taken when the server wants it.
inline bool start_on_free_ports(const std::function<bool()>& start) {
  for (int tries = 0; tries < 5; ++tries)
    if (start()) return true;
  return false;
}

// A server that is started again, on other ports, if it ends before it is up.
class RealServer {
 public:
  // Chooses the ports (TcpPeer::dead_port), writes the files that name them, and calls run() for each process.
  explicit RealServer(std::function<void(RealServer&)> start) : start_(std::move(start)) { start_(*this); }
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;

  void run(std::vector<std::string> words, const std::string& log, const char* user = nullptr) {
    processes_.emplace_back(std::move(words), log, user);
  }
  // What `ask` found, again and again until it is up; the last after a while, or after five starts.
  model::Outcome until_up(const std::function<model::Outcome()>& ask,
                          std::chrono::seconds patience = std::chrono::seconds{60}) {
    model::Outcome outcome;
    const auto end = std::chrono::steady_clock::now() + patience;
    start_on_free_ports([&] {
      if (std::exchange(asked_, true) && ended()) {
        processes_.clear();
        start_(*this);
      }
      for (;;) {
        outcome = ask();
        if (ended()) return false;
        if (outcome.up || std::chrono::steady_clock::now() > end) return true;
        ::usleep(20'000);
      }
    });
    return outcome;
  }

 private:
  bool ended() const {
    for (const Child& process : processes_)
      if (process.ended()) return true;
    return false;
  }

  std::function<void(RealServer&)> start_;
  bool asked_ = false;
  std::list<Child> processes_;
};

// nginx with what stands in its `http` block, and with all its files in `folder`.
inline void run_nginx(RealServer& server, const std::string& program, const std::string& folder,
                      const std::string& http) {
  std::string temporary;
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += std::string(kind) + "_temp_path " + folder + "/" + kind + "; ";
  std::ofstream(folder + "/nginx.conf") << "daemon off; master_process off; pid " << folder << "/pid; error_log "
                                        << folder << "/log; events {} http { access_log off; " << temporary << http
                                        << "}";
  server.run({program, "-p", folder, "-c", folder + "/nginx.conf", "-e", "stderr"}, folder + "/log");
}

struct RealProbes {
  model::Outcome run(const std::string& type, const std::string& target, const std::vector<std::string>& settings) {
    auto spec = probe::spec_from_arguments(type, target, settings);
    if (!spec) FAIL(spec.error().text);
    spec->timeout = std::chrono::seconds{20};
    std::optional<model::Outcome> found;
    const auto attempt = probe::run_once(context, *spec, [&](model::Outcome outcome) { found = std::move(outcome); });
    REQUIRE(run_until(
        loop, [&] { return found.has_value(); }, std::chrono::seconds{40}));
    return *found;
  }

  ProbeWorld fakes;
  loop::EventLoop loop;
  net::AresResolver resolver{loop};
  http::CurlHttpClient http{loop, resolver};
  net::StreamDialer dialer{loop, resolver};
  loop::ThreadedBlockingPool blocking_pool{loop};
  probe::Context context{loop,       http,          dialer,           resolver,     fakes.spawner,
                         fakes.pids, fakes.systemd, fakes.heartbeats, blocking_pool};
};

inline double measurement(const model::Outcome& outcome, const std::string& name, const std::string& label = "",
                          const std::string& value = "") {
  for (const auto& m : outcome.measurements)
    if (m.name == name && (label.empty() || m.labels.get(label) == value)) return m.value;
  FAIL("no measurement " << name << " " << value);
  return 0;
}

}  // namespace fakes
