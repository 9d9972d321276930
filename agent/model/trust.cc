#include "model/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
#include "base/rounded.h"

namespace model {
namespace {

using Weight = TrustWeight;
using Topic = TrustTopic;

constexpr std::array kVerdicts{
    std::pair{TrustVerdict::switch_on, "switch_on"},
    std::pair{TrustVerdict::wait, "wait"},
    std::pair{TrustVerdict::do_not, "do_not"},
};
constexpr std::array kWeights{
    std::pair{Weight::good, "good"},
    std::pair{Weight::note, "note"},
    std::pair{Weight::wait, "wait"},
    std::pair{Weight::against, "against"},
};
constexpr std::array kTopics{
    std::pair{Topic::plan, "plan"},       std::pair{Topic::probe, "probe"},     std::pair{Topic::dry_run, "dry_run"},
    std::pair{Topic::cure, "cure"},       std::pair{Topic::relapse, "relapse"}, std::pair{Topic::guard, "guard"},
    std::pair{Topic::missing, "missing"},
};

std::string counted(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string ordinal(std::size_t n) {
  const std::size_t tens = n % 100, last = n % 10;
  const bool teen = tens >= 11 && tens <= 13;
  return fmt::format("{}{}", n, teen ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
}

class Judge {
 public:
  Judge(const TrustFacts& facts, const Ledger& ledger) : facts_(facts), ledger_(ledger) {}

  Trust run() {
    if (!facts_.mode) {
      out_.verdict = TrustVerdict::do_not;
      out_.sentence = fmt::format("{} has no recovery plan: there is nothing to switch on", facts_.service);
      return std::move(out_);
    }
    plan();
    probes();
    dry_run();
    cure();
    relapse();
    guards();
    missing();
    out_.verdict = verdict();
    out_.sentence = sentence();
    return std::move(out_);
  }

 private:
  void say(Topic topic, Weight weight, std::string text) { out_.reasons.push_back({topic, weight, std::move(text)}); }

  void plan() {
    if (facts_.cure.empty()) return say(Topic::plan, Weight::against, "no step of the plan may heal the service");
    say(Topic::plan, Weight::note,
        fmt::format("it is in mode {}; the first step that may heal is {}", to_string(*facts_.mode), facts_.cure));
  }

  // Whether what the plan goes by tells the truth, and was seen at work for long enough.
  void probes() {
    const bool long_ago = facts_.observed >= std::chrono::minutes{1};
    const std::string observed = base::format_rounded(
        long_ago ? base::Millis{std::chrono::floor<std::chrono::minutes>(facts_.observed)} : facts_.observed);
    if (facts_.probes == 0)
      say(Topic::probe, Weight::wait, "the service has no probe: nothing says whether a cure has helped");
    if (facts_.undecided > 0)
      say(Topic::probe, Weight::wait,
          fmt::format("{} without a verdict, of {}", counted(facts_.undecided, "probe", "probes"), facts_.probes));
    say(Topic::probe, facts_.observed < Trust::kObserved ? Weight::wait : Weight::good,
        fmt::format("it was watched for {}; {} days are wanted", observed, Trust::kObserved / std::chrono::hours{24}));
    say(Topic::probe, ledger_.faults < Trust::kFaults ? Weight::wait : Weight::good,
        fmt::format("{} seen; {} are wanted", counted(ledger_.faults, "fault was", "faults were"), Trust::kFaults));
    if (ledger_.flaps > 0)
      say(Topic::probe, 2 * ledger_.flaps >= ledger_.faults ? Weight::wait : Weight::note,
          fmt::format("it went down again {} within one incident: it flaps, or success_threshold is too low",
                      counted(ledger_.flaps, "time", "times")));
    if (ledger_.itself > 0)
      say(Topic::probe, Weight::note,
          fmt::format("{} of {} healed by themselves before the plan would have acted", ledger_.itself,
                      counted(ledger_.faults, "fault", "faults")));
  }

  void dry_run() {
    if (ledger_.would_act == 0) return;
    if (ledger_.blamed > 0)
      say(Topic::dry_run, Weight::against,
          fmt::format("in {} it would have acted although a service that it depends on was the cause; see "
                      "guards: dependencies",
                      counted(ledger_.blamed, "fault", "faults")));
    if (ledger_.needless > 0) {
      const bool mostly = ledger_.needless >= 2 && 2 * ledger_.needless > ledger_.would_act;
      const bool often = 4 * ledger_.needless >= ledger_.would_act;
      say(Topic::dry_run,
          mostly  ? Weight::against
          : often ? Weight::wait
                  : Weight::note,
          fmt::format("{} of {} in which it would have acted came back by themselves within the time of its "
                      "verification; a longer `for` or a higher failure_threshold would leave them alone",
                      ledger_.needless, counted(ledger_.would_act, "fault", "faults")));
    }
    if (ledger_.saved_median)
      say(Topic::dry_run, Weight::good,
          fmt::format("it would have acted {} in {}; without it the service came back {} later, in the median",
                      counted(ledger_.would_act_times, "time", "times"), counted(ledger_.would_act, "fault", "faults"),
                      base::format_rounded(*ledger_.saved_median)));
  }

  void cure() {
    for (const CureUse& each : ledger_.cures)
      if (each.is_broken())
        say(Topic::cure, Weight::wait,
            fmt::format("the same cure ({}) for the {} time this month: broken, not unlucky; mend the cause",
                        each.action, ordinal(each.this_month)));
    if (ledger_.attempts == 0) {
      if (ledger_.faults >= Trust::kFaults && ledger_.would_act == 0)
        say(Topic::cure, Weight::wait, "it would have acted in none of the faults, and never has");
      return;
    }
    const bool mostly_fails = ledger_.attempts >= 3 && 2 * ledger_.successes < ledger_.attempts;
    const bool often_fails = 5 * ledger_.successes < 4 * ledger_.attempts;
    std::string text =
        fmt::format("{} of {} made it healthy", ledger_.successes, counted(ledger_.attempts, "attempt", "attempts"));
    if (ledger_.median)
      text += fmt::format(", after {} in the median and {} at the worst", base::format_rounded(*ledger_.median),
                          base::format_rounded(*ledger_.worst));
    say(Topic::cure, mostly_fails ? Weight::against : often_fails ? Weight::wait : Weight::good, std::move(text));
  }

  void relapse() {
    if (ledger_.successes == 0) return;
    const std::size_t soon = ledger_.relapses_hour, late = ledger_.relapses_day;
    const bool mostly = ledger_.successes >= 3 && 3 * soon >= 2 * ledger_.successes;
    const bool often = soon > 0 && 3 * soon >= ledger_.successes;
    say(Topic::relapse,
        mostly     ? Weight::against
        : often    ? Weight::wait
        : late > 0 ? Weight::note
                   : Weight::good,
        late == 0 ? "no fault came back within a day of a success"
                  : fmt::format("of {} it was down again within an hour after {}, and within a day after {}",
                                counted(ledger_.successes, "success", "successes"), soon, late));
  }

  void guards() {
    for (const auto& [guard, faults] : ledger_.held_by)
      say(Topic::guard, 2 * faults > ledger_.faults ? Weight::wait : Weight::note,
          fmt::format("{} held it back to the end in {} of {}", guard, faults,
                      counted(ledger_.faults, "fault", "faults")));
    for (const std::string& guard : facts_.latched) say(Topic::guard, Weight::wait, "now closed: " + guard);
  }

  void missing() {
    if (!ledger_.refusal.empty())
      say(Topic::missing, Weight::against,
          fmt::format("its last action was refused ({}); for systemd units: fettle check config --print-polkit",
                      ledger_.refusal));
    for (const std::string& trouble : facts_.traffic_troubles) say(Topic::missing, Weight::wait, trouble);
    if (facts_.has_traffic && !facts_.drains)
      say(Topic::missing, Weight::wait, "it has traffic, and no step drains it: requests fail while it is restarted");
    if (facts_.drains && !facts_.undrains)
      say(Topic::missing, Weight::wait, "no step under `finally` gives its traffic back (undrain)");
    if (!facts_.verifies && !facts_.cure.empty())
      say(Topic::missing, Weight::note,
          "a step that may heal has no `verify`: the next one follows at once, and one good run of each probe counts "
          "as healed");
    if (facts_.receivers == 0)
      say(Topic::missing, Weight::wait, "no receiver is configured: people hear of nothing, not even that it gave up");
    else if (!facts_.any_taken)
      say(Topic::missing, Weight::wait, "no receiver has taken a message yet: fettle notify test RECEIVER tries one");
    for (const std::string& receiver : facts_.failing)
      say(Topic::missing, Weight::wait, "messages wait for a receiver: " + receiver);
  }

  std::size_t count(Weight weight) const {
    return static_cast<std::size_t>(std::count_if(out_.reasons.begin(), out_.reasons.end(),
                                                  [&](const TrustReason& each) { return each.weight == weight; }));
  }

  TrustVerdict verdict() const {
    if (count(Weight::against) > 0) return TrustVerdict::do_not;
    return count(Weight::wait) > 0 ? TrustVerdict::wait : TrustVerdict::switch_on;
  }

  std::string sentence() const {
    const bool on = facts_.mode == RecoveryMode::enforce;
    const std::string open = counted(count(Weight::wait), "thing is", "things are");
    switch (out_.verdict) {
      case TrustVerdict::switch_on:
        return on ? "leave it on: nothing that was seen speaks against it"
                  : "switch it on: nothing that was seen speaks against mode: enforce";
      case TrustVerdict::wait:
        return on ? fmt::format("leave it on, but {} to be seen to", open)
                  : fmt::format("wait: {} to be done or seen first", open);
      case TrustVerdict::do_not: break;
    }
    const auto first = std::find_if(out_.reasons.begin(), out_.reasons.end(),
                                    [](const TrustReason& each) { return each.weight == Weight::against; });
    return fmt::format("{}: {}", on ? "switch it off (mode: dry_run)" : "do not switch it on", first->text);
  }

  const TrustFacts& facts_;
  const Ledger& ledger_;
  Trust out_;
};

}  // namespace

std::string_view to_string(TrustVerdict verdict) { return base::name_in(kVerdicts, verdict); }
std::string_view to_string(TrustWeight weight) { return base::name_in(kWeights, weight); }
std::string_view to_string(TrustTopic topic) { return base::name_in(kTopics, topic); }

Trust judge(const TrustFacts& facts, const Ledger& ledger) { return Judge(facts, ledger).run(); }

}  // namespace model
