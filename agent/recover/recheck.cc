#include "recover/recheck.h"
#include "loop/scheduler.h"

namespace recover {

void Recheck::start(loop::Scheduler& scheduler, const std::string& service,
                    const std::vector<std::string>& dependencies, UnitWatch& units, ServiceView& service_view,
                    const std::vector<Question>& questions, std::function<void()> done) {
  stop();
  done_ = std::move(done);
  for (const std::string& dependency : dependencies)
    for (std::string& probe : service_view.probe_now(dependency)) probes_.emplace(dependency, std::move(probe));
  for (const std::string& unit : units.units(service))
    units_[unit] = units.ask(service, unit, scheduler.now() + kUnitLimit, [this, unit] {
      const auto own = units_.extract(unit);
      done_if_all();
    });
  const base::Instant deadline = scheduler.now() + kUnitLimit;
  for (std::size_t i = 0; i < questions.size(); ++i)
    questions_[i] = questions[i](deadline, [this, i] {
      const auto own = questions_.extract(i);
      done_if_all();
    });
  if (!questions_.empty())
    limit_ = scheduler.at(deadline, [this] {
      const loop::Handle own = std::move(limit_);
      questions_.clear();
      done_if_all();
    });
  if (units_.empty() && probes_.empty() && questions_.empty()) turn_ = scheduler.after({}, [this] { done_if_all(); });
}

void Recheck::probe_ran(const std::string& service, const std::string& probe) {
  if (probes_.erase({service, probe}) > 0) done_if_all();
}

void Recheck::stop() {
  probes_.clear();
  units_.clear();
  questions_.clear();
  limit_.reset();
  turn_.reset();
  done_ = nullptr;
}

void Recheck::done_if_all() {
  if (!units_.empty() || !probes_.empty() || !questions_.empty() || !done_) return;
  const auto done = std::exchange(done_, nullptr);
  const loop::Handle own = std::move(turn_);
  done();
}

}  // namespace recover
