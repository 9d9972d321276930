// A probe from a command line, run once in a world of fakes; and one that talks to the test.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_stream.h"
#include "fakes/probe_world.h"
#include "probe/run_once.h"

namespace fakes {

struct Trial {
  Trial(const std::string& type, const std::string& target, const std::vector<std::string>& settings = {}) {
    auto parsed = probe::spec_from_arguments(type, target, settings);
    if (!parsed) FAIL(parsed.error().text);
    spec = std::move(*parsed);
    spec.timeout = std::chrono::seconds{1};
  }
  void start() {
    attempt = probe::run_once(world.context, spec, [this](model::Outcome outcome) {
      ++answers;
      found = std::move(outcome);
      for (const auto& m : found.measurements)
        CHECK_MESSAGE(spec.type->can_measure(m.name), m.name << " stands in no list of the type's measurements");
    });
    CHECK(answers == 0);  // never from inside start
  }
  double measured(const std::string& name, const std::string& label = "", const std::string& value = "") const {
    for (const auto& m : found.measurements)
      if (m.name == name && (label.empty() || m.labels.get(label) == value)) return m.value;
    FAIL("no measurement " << name);
    return 0;
  }
  ProbeWorld world;
  probe::Spec spec;
  std::unique_ptr<probe::Attempt> attempt;
  model::Outcome found;
  int answers = 0;
};

// Connected: what the probe says is in peer.written, and the test answers with peer.say().
struct ConnectedTrial : Trial {
  using Trial::Trial;
  void connect() {
    start();
    accept();
  }
  // The connection that it asked for last.
  void accept() {
    net::Connected connected;
    connected.stream = std::make_unique<FakeStream>(peer);
    connected.address = "10.0.0.1";
    connected.phases = {{"connect", std::chrono::milliseconds{2}}};
    world.dialer.desk.answer(std::move(connected));
  }
  Peer peer{world.loop};
};

}  // namespace fakes
