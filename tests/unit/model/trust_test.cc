#include "model/trust.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "history.h"

using histories::History;
using model::TrustFacts;
using model::TrustTopic;
using model::TrustVerdict;
using model::TrustWeight;
using model::WouldHave;

namespace {

constexpr std::uint64_t kSeeds = 16;  // histories of each kind

TrustFacts good_facts() {
  TrustFacts facts;
  facts.service = "order";
  facts.mode = model::RecoveryMode::dry_run;
  facts.cure = "systemd restart order.service";
  facts.verifies = facts.drains = facts.undrains = facts.has_traffic = true;
  facts.probes = 2;
  facts.observed = std::chrono::hours{24 * 30};
  facts.receivers = 1;
  facts.any_taken = true;
  return facts;
}

// A kind of history: what happened, in some order and number, and what the answer must be.
struct Kind {
  const char* what;
  TrustVerdict verdict;
  TrustTopic topic;  // of a reason that decides it
  std::function<void(History&, TrustFacts&)> write;
};

std::size_t some(History& history, std::size_t low, std::size_t high) {
  return low + history.random().below(high - low + 1);
}

void repeat(std::size_t times, const std::function<void()>& event) {
  for (std::size_t i = 0; i < times; ++i) event();
}

// What says nothing against a plan, a few of each, between other things.
void add_harmless(History& h) {
  repeat(some(h, 0, 2), [&] { h.heals_by_itself(); });
  repeat(some(h, 0, 2), [&] { h.dependency_fails(); });
  repeat(some(h, 0, 1), [&] { h.person_at_work(); });
}

void enforce(TrustFacts& facts) { facts.mode = model::RecoveryMode::enforce; }

// A fault a week: no more than four within any month.
void heals_now_and_then(History& h, std::size_t times) {
  repeat(times, [&] {
    h.heals();
    h.waits(7 * histories::kDay);
  });
}

const std::vector<Kind> kKinds = {
    {"a dry run that would have helped", TrustVerdict::switch_on, TrustTopic::dry_run,
     [](History& h, TrustFacts&) {
       repeat(some(h, 3, 8), [&] { h.would_have_helped(some(h, 1, 3)); });
       add_harmless(h);
     }},
    {"a cure that works", TrustVerdict::switch_on, TrustTopic::cure,
     [](History& h, TrustFacts& f) {
       enforce(f);
       add_harmless(h);
       heals_now_and_then(h, some(h, 3, 12));
     }},
    {"it acted, after a dry run, and works", TrustVerdict::switch_on, TrustTopic::cure,
     [](History& h, TrustFacts& f) {
       f.mode = model::RecoveryMode::ask;
       repeat(some(h, 1, 3), [&] { h.would_have_helped(); });
       add_harmless(h);
       heals_now_and_then(h, some(h, 3, 6));
     }},
    {"watched for too short a time", TrustVerdict::wait, TrustTopic::probe,
     [](History& h, TrustFacts& f) {
       repeat(some(h, 3, 5), [&] { h.would_have_helped(); });
       f.observed = base::Millis{static_cast<std::int64_t>(h.random().below(7 * 86'400'000))};
     }},
    {"too few faults", TrustVerdict::wait, TrustTopic::probe,
     [](History& h, TrustFacts&) { repeat(some(h, 0, 2), [&] { h.would_have_helped(); }); }},
    {"no receiver has taken a message", TrustVerdict::wait, TrustTopic::missing,
     [](History& h, TrustFacts& f) {
       repeat(some(h, 3, 5), [&] { h.would_have_helped(); });
       f.any_taken = false;
       f.receivers = some(h, 0, 2);
     }},
    {"traffic that no step drains", TrustVerdict::wait, TrustTopic::missing,
     [](History& h, TrustFacts& f) {
       repeat(some(h, 3, 5), [&] { h.would_have_helped(); });
       f.drains = f.undrains = false;
     }},
    {"traffic that cannot be turned", TrustVerdict::wait, TrustTopic::missing,
     [](History& h, TrustFacts& f) {
       repeat(some(h, 3, 5), [&] { h.would_have_helped(); });
       f.traffic_troubles = {"nginx order: permission denied"};
     }},
    {"a probe without a verdict", TrustVerdict::wait, TrustTopic::probe,
     [](History& h, TrustFacts& f) {
       repeat(some(h, 3, 5), [&] { h.would_have_helped(); });
       f.undecided = 1;
     }},
    {"it flaps", TrustVerdict::wait, TrustTopic::probe,
     [](History& h, TrustFacts&) {
       repeat(some(h, 3, 6), [&] {
         h.heals_by_itself();
         h.flaps();
       });
     }},
    {"a guard holds it back most of the time", TrustVerdict::wait, TrustTopic::guard,
     [](History& h, TrustFacts&) {
       repeat(some(h, 4, 8), [&] { h.held_by(h.random().below(2) == 0 ? "min_uptime" : "min_uptime"); });
       repeat(some(h, 1, 3), [&] { h.would_have_helped(); });
     }},
    {"it would have acted in none of them", TrustVerdict::wait, TrustTopic::cure,
     [](History& h, TrustFacts&) { repeat(some(h, 3, 9), [&] { h.heals_by_itself(); }); }},
    {"a quarter to a half was needless", TrustVerdict::wait, TrustTopic::dry_run,
     [](History& h, TrustFacts&) {
       const std::size_t pairs = some(h, 2, 5);
       repeat(pairs, [&] { h.would_have_been_needless(); });
       repeat(pairs + some(h, 0, pairs), [&] { h.would_have_helped(); });
     }},
    {"the same cure again and again", TrustVerdict::wait, TrustTopic::cure,
     [](History& h, TrustFacts& f) {
       enforce(f);
       repeat(some(h, 5, 12), [&] { h.heals(); });
     }},
    {"a third of the cures did not last an hour", TrustVerdict::wait, TrustTopic::relapse,
     [](History& h, TrustFacts& f) {
       enforce(f);
       heals_now_and_then(h, some(h, 2, 3));
       h.heals();
       h.relapses_within(histories::kHour);
       h.heals();
       h.relapses_within(histories::kHour);
       h.heals();
     }},
    {"the last action was refused", TrustVerdict::do_not, TrustTopic::missing,
     [](History& h, TrustFacts& f) {
       enforce(f);
       heals_now_and_then(h, some(h, 0, 4));
       repeat(some(h, 1, 3), [&] { h.is_refused(); });
       add_harmless(h);
     }},
    {"most was needless", TrustVerdict::do_not, TrustTopic::dry_run,
     [](History& h, TrustFacts&) {
       const std::size_t good = some(h, 1, 4);
       repeat(good, [&] { h.would_have_helped(); });
       repeat(good + some(h, 1, 4), [&] { h.would_have_been_needless(); });
     }},
    {"the wrong one would have been restarted", TrustVerdict::do_not, TrustTopic::dry_run,
     [](History& h, TrustFacts&) {
       repeat(some(h, 1, 2), [&] { h.would_have_hit_the_wrong_one(); });
       repeat(some(h, 3, 6), [&] { h.would_have_helped(); });
       add_harmless(h);
     }},
    {"the cure fails more often than not", TrustVerdict::do_not, TrustTopic::cure,
     [](History& h, TrustFacts& f) {
       enforce(f);
       const std::size_t good = some(h, 1, 3);
       heals_now_and_then(h, good);
       repeat(good + some(h, 1, 3), [&] { h.fails_to_heal(); });
     }},
    {"the cure never lasts", TrustVerdict::do_not, TrustTopic::relapse,
     [](History& h, TrustFacts& f) {
       enforce(f);
       h.heals();
       repeat(some(h, 2, 4), [&] {
         h.relapses_within(histories::kHour);
         h.heals();
       });
     }},
    {"nothing in the plan may heal", TrustVerdict::do_not, TrustTopic::plan,
     [](History& h, TrustFacts& f) {
       f.cure.clear();
       repeat(some(h, 3, 9), [&] { h.heals_by_itself(); });
     }},
};

std::string reasons_of(const model::Trust& trust) {
  std::string out = trust.sentence;
  for (const auto& reason : trust.reasons)
    out += "\n  " + std::string(to_string(reason.weight)) + " " + std::string(to_string(reason.topic)) + ": " +
           reason.text;
  return out;
}

TrustWeight weight_of(TrustVerdict verdict) {
  return verdict == TrustVerdict::do_not ? TrustWeight::against
         : verdict == TrustVerdict::wait ? TrustWeight::wait
                                         : TrustWeight::good;
}

}  // namespace

TEST_CASE("synthetic histories with known truth are classified exactly") {
  std::size_t all = 0;
  for (const Kind& kind : kKinds) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed, ++all) {
      CAPTURE(std::string(kind.what));
      CAPTURE(seed);
      History history(seed * 7919);
      TrustFacts facts = good_facts();
      kind.write(history, facts);
      const model::Ledger ledger = model::ledger_of("order", history.incidents(), history.runs(), history.now());
      const model::Ledger& truth = history.truth;
      CHECK(ledger.faults == truth.faults);
      CHECK(ledger.flaps == truth.flaps);
      CHECK(ledger.itself == truth.itself + truth.refused);
      CHECK(ledger.person == truth.person);
      CHECK(ledger.dependency == truth.dependency);
      CHECK(ledger.held == truth.held);
      CHECK(ledger.held_by == truth.held_by);
      CHECK(ledger.would_act == truth.would_act);
      CHECK(ledger.would_act_times == truth.would_act_times);
      CHECK(ledger.needless == truth.needless);
      CHECK(ledger.blamed == truth.blamed);
      CHECK(ledger.attempts == truth.attempts);
      CHECK(ledger.successes == truth.successes);
      CHECK(ledger.refused == truth.refused);
      CHECK(ledger.relapses_hour == truth.relapses_hour);
      CHECK(ledger.relapses_day == truth.relapses_day);
      CHECK(ledger.worst == history.worst());
      std::vector<WouldHave> found;
      for (const auto& incident : history.incidents()) found.push_back(counterfactual(*incident, "order").would);
      CHECK(found == history.expected);
      const model::Trust trust = judge(facts, ledger);
      CAPTURE(reasons_of(trust));
      CHECK(trust.verdict == kind.verdict);
      CHECK(std::any_of(trust.reasons.begin(), trust.reasons.end(), [&](const auto& reason) {
        return reason.topic == kind.topic && reason.weight == weight_of(kind.verdict);
      }));
    }
  }
  CHECK(all >= 300);
  MESSAGE("histories classified: ", all);
}

TEST_CASE("a service without a plan has nothing to switch on") {
  TrustFacts facts = good_facts();
  facts.mode.reset();
  const model::Trust trust = judge(facts, {});
  CHECK(trust.verdict == TrustVerdict::do_not);
  CHECK(trust.sentence == "order has no recovery plan: there is nothing to switch on");
}

TEST_CASE("what a dry run would have done, in words") {
  const base::WallTime t = base::wall_from_ms(histories::kBegin);
  const auto after = [&](int s) { return t + std::chrono::seconds{s}; };
  model::Incident incident;
  incident.service = "order";
  incident.started = t;
  incident.notes = {model::health_note(after(2), {"order", true}, "refused"),
                    model::health_note(after(12), {"order", false}, "")};
  incident.ended = after(12);
  CHECK(text_of(counterfactual(incident, "order")).empty());  // it is open
  incident.end = model::IncidentEnd::itself;
  CHECK(text_of(counterfactual(incident, "order")) == "healed by itself after 12s");
  CHECK(text_of(counterfactual(incident, "payment")).empty());  // it was never in it

  model::RecoveryReport run;
  run.id = "1";
  run.service = "order";
  run.trigger = "alert ServiceDown";
  run.reason = "min_uptime";
  run.state = model::RecoveryState::aborted;
  incident.recoveries = {run};
  CHECK(text_of(counterfactual(incident, "order")) == "held by min_uptime; it was down for 12s");

  run.reason.clear();
  run.state = model::RecoveryState::would_run;
  run.actions = {{"systemd restart order.service", model::ActionStatus::would_run, "", after(4), {}, true}};
  incident.recoveries = {run};
  CHECK(text_of(counterfactual(incident, "order")) ==
        "would have been restarted (systemd restart order.service) once, first after 4s; without that it came back 8s "
        "later");
  run.id = "2";
  run.actions.front().started = after(9);
  incident.recoveries.push_back(run);
  CHECK(text_of(counterfactual(incident, "order")) ==
        "would have been restarted (systemd restart order.service) twice, first after 4s; without that it came back 3s "
        "later");

  incident.service = "redis";
  incident.dependents = {"order"};
  CHECK(text_of(counterfactual(incident, "order")) ==
        "would have been restarted (systemd restart order.service) twice, first after 2s, although what it depends on "
        "was the cause");
  incident.recoveries.clear();
  CHECK(text_of(counterfactual(incident, "order")) == "redis was the cause; the plan would have left it alone");

  incident.recoveries = {run};
  incident.recoveries.front().mode = model::RecoveryMode::enforce;
  incident.recoveries.front().actions.front().result = model::ActionStatus::ok;
  CHECK(counterfactual(incident, "order").would == WouldHave::none);  // it acted
}

TEST_CASE("a run of a rollout, and one that a person aborted, are no attempts") {
  model::RecoveryReport run;
  run.id = "1";
  run.service = "order";
  run.trigger = "rollout r1 of order";
  run.mode = model::RecoveryMode::enforce;
  run.state = model::RecoveryState::recovered;
  run.ended = run.started = base::wall_from_ms(histories::kBegin);
  run.actions = {{"systemd restart order.service", model::ActionStatus::ok, "", run.started, {}, true}};
  CHECK(model::ledger_of("order", {}, {run}, run.started).attempts == 0);
  run.trigger = "operator: anna";
  CHECK(model::ledger_of("order", {}, {run}, run.started).attempts == 1);
  CHECK(model::ledger_of("payment", {}, {run}, run.started).attempts == 0);
  run.actions.clear();
  CHECK(model::ledger_of("order", {}, {run}, run.started).attempts == 0);
}

TEST_CASE("a rehearsed fault is no fault, and its run proves the cure") {
  History history(1);
  repeat(6, [&] { history.heals(); });
  const auto drilled = [&] {
    model::IncidentList out;
    for (const auto& incident : history.incidents()) {
      auto copy = std::make_shared<model::Incident>(*incident);
      copy->drill = "hang";
      out.push_back(copy);
    }
    return out;
  }();
  const model::Ledger real = model::ledger_of("order", history.incidents(), history.runs(), history.now());
  CHECK(real.faults == 6);
  REQUIRE(real.cures.size() == 1);
  CHECK(real.cures[0].is_broken());
  const model::Ledger ledger = model::ledger_of("order", drilled, history.runs(), history.now());
  CHECK(ledger.faults == 0);
  CHECK(ledger.relapses_day == 0);
  CHECK(ledger.attempts == 6);
  CHECK(ledger.successes == 6);
  REQUIRE(ledger.cures.size() == 1);
  CHECK(!ledger.cures[0].is_broken());
}
