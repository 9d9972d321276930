#include "probe/attempt.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "loop/scheduler.h"
#include "os/own_view.h"

namespace probe {
namespace {

using namespace std::chrono_literals;

// A type that keeps the deadline itself knows better why nothing came; it gets this much time to say so.
constexpr base::Duration kSlack = 5ms;
// A deadline that is noticed this late was missed by the agent (starved, suspended), not by the service.
constexpr base::Duration kStarved = 250ms;
// Of a run's time: an agent that lost as much of it left the service too little.
constexpr int kLostShare = 4;

std::string in_words(base::Duration d) { return base::format_duration(std::chrono::duration_cast<base::Millis>(d)); }

// Reasons that a run may have only because it was not looked after in time. What a service said itself is not among
// them.
bool of_time(model::Reason reason) {
  switch (reason) {
    case model::Reason::dns_error:
    case model::Reason::connect_timeout:
    case model::Reason::reset:
    case model::Reason::tls_handshake:
    case model::Reason::send_timeout:
    case model::Reason::read_timeout:
    case model::Reason::closed_early:
    case model::Reason::exec_timeout: return true;
    default: return false;
  }
}

// What a peer may say, or a program find, because the agent kept it waiting: a server that closes a silent session says
// so in its own words (421 of mail, 408 of HTTP).
bool of_patience(model::Reason reason) {
  switch (reason) {
    case model::Reason::protocol_error:
    case model::Reason::status_mismatch:
    case model::Reason::header_mismatch:
    case model::Reason::body_mismatch:
    case model::Reason::json_mismatch:
    case model::Reason::auth_failed:
    case model::Reason::exit_code:
    case model::Reason::signal: return true;
    default: return false;
  }
}

// A peer may repeat what it was told.
void hide_secrets(const base::KnownSecrets& secrets, model::Outcome& outcome) {
  base::SecretFilter filter(secrets);
  outcome.text = base::without_secrets(filter.blotted(std::move(outcome.text)));
  if (secrets.empty()) return;
  std::map<std::string, std::string, std::less<>> seen;  // many series have the same labels
  for (model::Measurement& m : outcome.measurements) {
    model::Labels shown = m.labels;
    for (const model::Label label : m.labels) {
      auto found = seen.find(label.value);
      if (found == seen.end())
        found = seen.emplace(std::string(label.value), filter.blotted(std::string(label.value))).first;
      if (found->second != label.value) shown = shown.with(label.name, found->second);
    }
    m.labels = std::move(shown);
  }
}

}  // namespace

struct Attempt::Rep {
  Rep(const Context& c, const Spec& s, Done d)
      : context(c),
        spec(s),
        done(std::move(d)),
        timeout(s.timeout),
        started(c.scheduler.now()),
        deadline(started + timeout),
        stalled_before(c.scheduler.stalled()) {}

  // A loop without another timer would not know how long it stood still: each quarter of the time is a point to know it
  // by. Nearly all runs are over before the first.
  void arm(int quarter = 1) {
    timer = quarter < 4 ? context.scheduler.at(started + timeout * quarter / 4, [this, quarter] { arm(quarter + 1); })
                        : context.scheduler.at(deadline + kSlack, [this] { expire(); });
  }

  void finish(model::Outcome outcome) {
    if (!done) return;
    timer.reset();
    outcome.took = context.scheduler.now() - started;
    leave_out_lost_time(outcome);
    blame_own_want(outcome);
    if (const std::string fault = own_fault(outcome); !fault.empty()) {
      const base::Duration took = outcome.took;
      outcome = model::Outcome::failure(
          model::Reason::agent_overloaded,
          fault + " (starved or suspended); this run says nothing about " + spec.settings->target());
      outcome.took = took;
    }
    base::KnownSecrets learned = probe ? probe->learned() : base::KnownSecrets();
    if (!learned.empty()) learned.add(spec.secrets);
    hide_secrets(learned.empty() ? spec.secrets : learned, outcome);
    model::make_fit(outcome);
    const Done tell = std::exchange(done, nullptr);
    tell(std::move(outcome));
  }

  void expire() {
    finish(model::Outcome::failure(spec.type ? spec.type->late : model::Reason::read_timeout,
                                   "no answer within " + base::format_duration(timeout)));
  }

  // A service that answered while the agent stood still took no longer than the rest of the time.
  void leave_out_lost_time(model::Outcome& outcome) const {
    const base::Duration lost = context.scheduler.stalled() - stalled_before;
    if (!outcome.up || lost <= kStarved) return;
    outcome.took = std::max(outcome.took - lost, base::Duration{});
    for (model::Measurement& m : outcome.measurements)
      if (std::string_view(m.name).ends_with("_duration_seconds"))
        m.value = std::min(m.value, base::seconds(outcome.took));
  }

  // Libraries say that a name, a file or a key could not be had, and not that there was no descriptor to look with.
  void blame_own_want(model::Outcome& outcome) const {
    if (outcome.up || outcome.reason == model::Reason::agent_overloaded) return;
    const std::string want = os::own_want();
    if (want.empty()) return;
    outcome.text = "the agent itself can open nothing more (" + want + "); this run says nothing about " +
                   spec.settings->target() + ": " + outcome.text;
    outcome.reason = model::Reason::agent_overloaded;
  }

  // What the agent did not do in time, if a failure may come from that; else "".
  std::string own_fault(const model::Outcome& outcome) const {
    const base::Duration late = started + outcome.took - deadline;
    const bool out_of_time =
        (late >= base::Duration{} && of_time(outcome.reason)) || (late > kStarved && of_patience(outcome.reason));
    if (!out_of_time && outcome.reason != model::Reason::too_slow) return "";
    if (late > kStarved) return "the agent itself noticed the deadline " + in_words(late) + " late";
    const base::Duration lost = context.scheduler.stalled() - stalled_before;
    const bool much = lost > base::Duration{} && lost * kLostShare >= std::min<base::Duration>(outcome.took, timeout);
    if (!much) return "";
    return "the agent itself stood still for " + in_words(lost) + " of " + in_words(outcome.took);
  }

  const Context& context;
  const Spec& spec;
  Done done;
  const base::Millis timeout;  // as it was at the start: a reload may change the spec's while the run goes on
  base::Instant started;
  base::Instant deadline;
  base::Duration stalled_before;
  loop::Handle timer;
  std::unique_ptr<Probe> probe;
};

Attempt::Attempt(const Context& context, const Spec& spec, Done done)
    : rep_(std::make_unique<Rep>(context, spec, std::move(done))) {
  Rep& rep = *rep_;
  rep.arm();
  rep.probe = spec.settings->make(context);
  rep.probe->start(rep.deadline, [&rep](model::Outcome outcome) { rep.finish(std::move(outcome)); });
}

Attempt::~Attempt() = default;

base::Instant Attempt::started() const { return rep_->started; }
base::Instant Attempt::deadline() const { return rep_->deadline; }
void Attempt::expire() { rep_->expire(); }
void Attempt::cut() {
  rep_->done = nullptr;
  rep_->timer.reset();
}

}  // namespace probe
