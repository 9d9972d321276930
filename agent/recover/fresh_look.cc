#include "recover/fresh_look.h"

namespace recover {

void FreshLook::start(loop::Scheduler& scheduler, const PlanSpec& spec, CleanStops& stops, World& world,
                      std::function<void()> done) {
  stop();
  done_ = std::move(done);
  for (const std::string& service : spec.depends_on)
    for (std::string& probe : world.probe_now(service)) probes_.emplace(service, std::move(probe));
  if (stops.follows(spec.service))
    unit_ = stops.ask(spec.service, scheduler.now() + kUnitLimit, [this] {
      const loop::Handle own = std::move(unit_);
      done_if_all();
    });
  if (!unit_ && probes_.empty()) turn_ = scheduler.after({}, [this] { done_if_all(); });
}

void FreshLook::probe_ran(const std::string& service, const std::string& probe) {
  if (probes_.erase({service, probe}) > 0) done_if_all();
}

void FreshLook::stop() {
  probes_.clear();
  unit_.reset();
  turn_.reset();
  done_ = nullptr;
}

void FreshLook::done_if_all() {
  if (unit_ || !probes_.empty() || !done_) return;
  const auto done = std::exchange(done_, nullptr);
  const loop::Handle own = std::move(turn_);
  done();
}

}  // namespace recover
