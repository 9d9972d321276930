// A Schedule in a world of fakes that writes down what it tells, and specs whose runs a Script answers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/probe_world.h"
#include "fakes/scripted_probe.h"
#include "probe/schedule.h"

namespace fakes {

inline const probe::Type kScripted{"scripted", "", "", nullptr, nullptr, {}, nullptr, model::Reason::read_timeout, 0};

// Each second, within half of one.
inline probe::Spec spec_of(Script& script, const std::string& service, const std::string& name) {
  probe::Spec spec;
  spec.service = service;
  spec.name = name;
  spec.type = &kScripted;
  spec.interval = std::chrono::seconds{1};
  spec.timeout = std::chrono::milliseconds{500};
  spec.settings = std::make_unique<ScriptedSettings>(script);
  spec.settings_text = "a";
  return spec;
}

template <typename... Specs>
std::vector<probe::Spec> list(Specs... specs) {
  std::vector<probe::Spec> out;
  (out.push_back(std::move(specs)), ...);
  return out;
}

struct ScheduleNode {
  // The name gives order/http a phase of half a second: it is not due where the fake clock begins.
  explicit ScheduleNode(const std::string& name = "node-2")
      : schedule(name, world.context,
                 {[this](const probe::Run& run, const probe::Status&) { runs.push_back(run); },
                  [this](const model::HealthChange& change, const probe::Run&) { changes.push_back(change); }}) {}
  ProbeWorld world;
  std::vector<probe::Run> runs;
  std::vector<model::HealthChange> changes;
  probe::Schedule schedule;
};

}  // namespace fakes
