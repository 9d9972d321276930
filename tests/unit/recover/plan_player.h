// A plan that is played by a script of inputs, against what it should ask for.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>

#include "fakes/scripted_action.h"
#include "recover/plan/plan.h"

namespace plans {

// Plays a script of inputs against a plan and writes down the effects of each.
//   fire, resolve, durable, full (the disk), done RESULT, run PROBE up|down, health up|down, wait DURATION,
//   answer (to a look, which is answered at once unless slow() was said), stop on|off, redis up|fails|down. A slot is
//   always free
class Player {
 public:
  explicit Player(recover::PlanSpec&& spec) : spec_(std::move(spec)), plan_(spec_, {}, random_) {
    spec_.budget.backoff.jitter = 0;
    now_.now = base::Instant{std::chrono::hours{10}};
    now_.wall = base::wall_from_ms(1'700'000'000'000);
    now_.agent_started = now_.now - std::chrono::minutes{10};
    now_.health = model::Health::down;
    now_.dependencies = {{"redis", model::Health::up}};
    alert_.labels = model::Labels{{"alertname", "ServiceDown"}, {"service", "order"}};
    alert_.state = model::AlertState::firing;
  }

  std::string play(const std::string& line) {
    std::istringstream in(line);
    std::string verb, a, b;
    in >> verb >> a >> b;
    if (verb == "fire") return show(plan_.firing(alert_, now_));
    if (verb == "resolve") return show(plan_.resolved(now_));
    if (verb == "durable") return show(plan_.durable({}, now_));
    if (verb == "full") return show(plan_.durable(base::fail(base::Kind::io, "no space"), now_));
    if (verb == "done")
      return show(plan_.action_done({model::parse_action_status(a).value(), "said"}, std::chrono::seconds{1}, now_));
    if (verb == "run") return show(plan_.probe_ran(a, b == "up", now_));
    if (verb == "pause") now_.paused = a == "on" ? std::optional(recover::Hold{"a file"}) : std::nullopt;
    if (verb == "pause") return show(plan_.wake(now_));
    if (verb == "health") now_.health = a == "up" ? model::Health::up : model::Health::down;
    if (verb == "health") return show(plan_.health(now_));
    if (verb == "answer") return show(plan_.looked(now_));
    if (verb == "stop")
      now_.stopped = a == "on" ? std::optional<std::string>("order.service was stopped") : std::nullopt;
    if (verb == "redis") now_.dependencies[0].health = a == "down" ? model::Health::down : model::Health::up;
    if (verb == "redis") now_.dependencies[0].latest = a == "up" ? model::Health::up : model::Health::down;
    if (verb == "stop" || verb == "redis") return "";
    if (verb == "wait") return wait(*base::parse_duration(a));
    return "no such input: " + line;
  }
  const recover::Plan& plan() const { return plan_; }
  recover::Plan& plan() { return plan_; }
  const recover::PlanInput& now() const { return now_; }

  void slow() { answers_ = false; }
  std::string show(const recover::Effects& effects) {
    using Kind = recover::Effect::Kind;
    std::string out;
    bool looks = false, asks = false;
    for (const recover::Effect& e : effects) {
      if ((e.kind == Kind::look || e.kind == Kind::look_at_unit) && answers_) {
        looks = true;
        continue;
      }
      if (e.kind == Kind::acquire_slot || e.kind == Kind::release_slot) {
        asks = e.kind == Kind::acquire_slot;
        continue;
      }
      if (!out.empty()) out += "; ";
      const recover::Run& run = plan_.run();
      switch (e.kind) {
        case Kind::commit_intent:
          out += fmt::format("intent {} {}", run.part == recover::Part::steps ? "step" : "finally", run.step);
          break;
        case Kind::commit_progress: out += "progress"; break;
        case Kind::commit_close: out += "close " + std::string(to_string(run.report.state)); break;
        case Kind::commit_budget: out += "budget"; break;
        case Kind::acquire_slot:
        case Kind::release_slot: break;
        case Kind::start_action: out += "start " + plan_.current_step().text; break;
        case Kind::probe_now: out += "probe"; break;
        case Kind::look: out += "look"; break;
        case Kind::look_at_unit: out += "look at unit"; break;
        case Kind::report:
          out += fmt::format("report {} {}{}", e.report.attempt, to_string(e.report.state),
                             e.report.ended ? ", ended" : "");
          break;
        case Kind::action_ended: out += "ended " + std::string(to_string(e.report.actions.back().result)); break;
        case Kind::blocked: out += fmt::format("blocked {}", to_string(e.guard)); break;
        case Kind::exhausted: out += "exhausted"; break;
        case Kind::page: out += "page"; break;
      }
    }
    std::string more = looks ? show(plan_.looked(now_)) : "";
    if (asks) more = show(plan_.slot({recover::SlotAnswer::Kind::yes}, now_));
    return out + (out.empty() || more.empty() ? "" : "; ") + more;
  }

 private:
  // Wakes the plan whenever it asks for it.
  std::string wait(base::Millis d) {
    std::string out;
    const base::Instant end = now_.now + d;
    for (auto at = plan_.wake_at(); at && *at <= end; at = plan_.wake_at()) {
      move_to(std::max(*at, now_.now));
      const std::string effects = show(plan_.wake(now_));
      if (!effects.empty()) out += (out.empty() ? "" : "; ") + effects;
      if (at == plan_.wake_at() && effects.empty()) {
        move_to(end);
        return out + " (wakes for nothing)";
      }
    }
    move_to(end);
    return out;
  }
  void move_to(base::Instant t) {
    now_.wall += std::chrono::duration_cast<base::Millis>(t - now_.now);
    now_.now = t;
  }

  base::Random random_{1};
  bool answers_ = true;
  recover::PlanSpec spec_;
  recover::Plan plan_;
  recover::PlanInput now_;
  model::Alert alert_;
};

inline fakes::ActionScript script, telling{.heals = false};

// drain (continue) → restart, verified by two good runs of http and tcp → page; finally undrain.
inline recover::PlanSpec usual_plan() {
  recover::PlanSpec spec;
  spec.service = "order";
  spec.unit = "order.service";
  spec.mode = model::RecoveryMode::enforce;
  spec.depends_on = {"redis"};
  spec.probes = {"http", "tcp"};
  spec.when = {{"alert", "ServiceDown"}};
  spec.steps.push_back(fakes::scripted_step("drain", telling));
  spec.steps.back().on_failure = recover::OnFailure::proceed;
  spec.steps.push_back(fakes::scripted_step("restart", script));
  spec.steps.back().verify = recover::Verify{2, base::Millis{30'000}};
  spec.steps.push_back(fakes::scripted_step("page", telling));
  spec.finally.push_back(fakes::scripted_step("undrain", telling));
  return spec;
}

struct Line {
  const char* input;
  const char* want;
};

inline void check(Player& player, std::initializer_list<Line> lines) {
  int number = 0;
  for (const Line& line : lines) {
    CAPTURE(++number);
    CAPTURE(line.input);
    CHECK(player.play(line.input) == line.want);
  }
}

}  // namespace plans
