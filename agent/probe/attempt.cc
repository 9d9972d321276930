#include "probe/attempt.h"

#include <utility>

namespace probe {
namespace {

using namespace std::chrono_literals;

// A type that keeps the deadline itself knows better why nothing came; it gets this much time to say so.
constexpr base::Duration kSlack = 5ms;
// A deadline that is noticed this late was missed by the agent (starved, suspended), not by the service.
constexpr base::Duration kStarved = 250ms;

std::string in_words(base::Duration d) { return base::format_duration(std::chrono::duration_cast<base::Millis>(d)); }

}  // namespace

struct Attempt::Rep {
  Rep(const Context& c, const Spec& s, Done d)
      : context(c), spec(s), done(std::move(d)), started(c.scheduler.now()), deadline(started + s.timeout) {}

  void finish(model::Outcome outcome) {
    if (!done) return;
    timer.reset();
    outcome.took = context.scheduler.now() - started;
    const Done tell = std::exchange(done, nullptr);
    tell(std::move(outcome));
  }

  void expire() {
    const base::Duration late = context.scheduler.now() - deadline;
    if (late > kStarved)
      return finish(model::Outcome::failure(model::Reason::agent_overloaded,
                                            "the agent itself noticed the deadline " + in_words(late) +
                                                " late (starved or suspended); this run says nothing about " +
                                                spec.settings->target()));
    finish(model::Outcome::failure(spec.type ? spec.type->late : model::Reason::read_timeout,
                                   "no answer within " + base::format_duration(spec.timeout)));
  }

  const Context& context;
  const Spec& spec;
  Done done;
  base::Instant started;
  base::Instant deadline;
  loop::Handle timer;
  std::unique_ptr<Probe> probe;
};

Attempt::Attempt(const Context& context, const Spec& spec, Done done)
    : rep_(std::make_unique<Rep>(context, spec, std::move(done))) {
  Rep& rep = *rep_;
  rep.timer = context.scheduler.at(rep.deadline + kSlack, [&rep] { rep.expire(); });
  rep.probe = spec.settings->make(context);
  rep.probe->start(rep.deadline, [&rep](model::Outcome outcome) { rep.finish(std::move(outcome)); });
}

Attempt::~Attempt() = default;

base::Instant Attempt::started() const { return rep_->started; }
base::Instant Attempt::deadline() const { return rep_->deadline; }
void Attempt::expire() { rep_->expire(); }

}  // namespace probe
