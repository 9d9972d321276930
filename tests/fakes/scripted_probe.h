// A probe type whose runs answer what a test says, after as long as it says.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "probe/spec.h"

namespace fakes {

struct Script {
  std::optional<model::Outcome> outcome = model::Outcome::success("ok");  // nothing: silent for ever
  base::Duration takes = std::chrono::milliseconds{1};
  bool answers_twice = false;

  std::vector<base::Instant> starts;
  int alive = 0;
  int most_alive = 0;
  probe::OnEvent on_event;  // set while a schedule watches
  int after_runs = 0;
  std::string cause;  // that the event source knows, added to the text
};

class ScriptedProbe final : public probe::Probe {
 public:
  ScriptedProbe(Script& script, loop::Scheduler& scheduler) : script_(script), scheduler_(scheduler) {
    script_.most_alive = std::max(script_.most_alive, ++script_.alive);
  }
  ~ScriptedProbe() override { --script_.alive; }
  void start(base::Instant, probe::Done done) override {
    script_.starts.push_back(scheduler_.now());
    if (!script_.outcome) return;
    timer_ = scheduler_.after(script_.takes, [this, done = std::move(done)] {
      done(*script_.outcome);
      if (script_.answers_twice) done(model::Outcome::failure(model::Reason::reset, "again"));
    });
  }

 private:
  Script& script_;
  loop::Scheduler& scheduler_;
  loop::Handle timer_;
};

class ScriptedSettings final : public probe::Settings {
 public:
  explicit ScriptedSettings(Script& script) : script_(script) {}
  std::unique_ptr<probe::Probe> make(const probe::Context& context) const override {
    return std::make_unique<ScriptedProbe>(script_, context.scheduler);
  }
  std::unique_ptr<probe::EventSource> watch(const probe::Context&, probe::OnEvent on_event) const override {
    struct Source final : probe::EventSource {
      explicit Source(Script& s) : script(s) {}
      ~Source() override { script.on_event = nullptr; }
      void after_run(const model::Outcome&) override { ++script.after_runs; }
      void describe(model::Outcome& outcome) const override { outcome.text += script.cause; }
      Script& script;
    };
    script_.on_event = std::move(on_event);
    return std::make_unique<Source>(script_);
  }
  std::string target() const override { return "a script"; }

 private:
  Script& script_;
};

}  // namespace fakes
