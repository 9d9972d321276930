#include "model/counterfactual.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/enum_names.h"
#include "base/rounded.h"

namespace model {
namespace {

constexpr std::array kWords{
    std::pair{WouldHave::none, ""},         std::pair{WouldHave::itself, "itself"},
    std::pair{WouldHave::person, "person"}, std::pair{WouldHave::dependency, "dependency"},
    std::pair{WouldHave::held, "held"},     std::pair{WouldHave::acted, "acted"},
};

// "dependencies" of "dependencies: redis is down"; "" if the text does not begin with the name of a guard.
std::string guard_in(const std::string& text) {
  const std::string word = text.substr(0, text.find(':'));
  const bool name = std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return name && word != "operator" ? word : "";
}

// The guard that held the run back: of one that never began its reason, of one without its restart what that says.
std::string guard_of(const RecoveryReport& run) {
  for (const ActionReport& action : run.actions)
    if (action.result == ActionStatus::refused) return guard_in(action.text);
  return run.actions.empty() ? guard_in(run.reason) : "";
}

base::Millis total(const std::vector<DownSpan>& spans) {
  base::Millis out{};
  for (const DownSpan& span : spans)
    if (span.to) out += *span.to - span.from;
  return out;
}

void add_dry_run(const RecoveryReport& run, const std::vector<DownSpan>& spans, Counterfactual& out) {
  const ActionReport* healing = healing_action(run);
  if (healing == nullptr) return;
  const bool first = ++out.times == 1;
  if (run.state == RecoveryState::recovered) ++out.needless;
  if (first) out.what = healing->action;
  for (const DownSpan& span : spans) {
    if (span.from > healing->started || (span.to && *span.to < healing->started)) continue;
    if (first) out.first_after = healing->started - span.from;
    out.up_after = span.to ? *span.to - healing->started : base::Millis{};
  }
}

std::string times(std::size_t count) {
  return count == 1 ? "once" : count == 2 ? "twice" : fmt::format("{} times", count);
}

// "systemd restart order.service" has restarted it; of other actions the words of the plan.
std::string done_to_it(const std::string& action) {
  if (action.find("restart") != std::string::npos) return fmt::format("would have been restarted ({})", action);
  return fmt::format("{} would have been run", action);
}

}  // namespace

std::string_view to_string(WouldHave would) { return base::name_in(kWords, would); }

const ActionReport* healing_action(const RecoveryReport& run) {
  const auto found = std::find_if(run.actions.begin(), run.actions.end(), [](const ActionReport& action) {
    return action.may_heal && action.result != ActionStatus::refused && action.result != ActionStatus::none;
  });
  return found == run.actions.end() ? nullptr : &*found;
}

bool is_over(const Incident& incident) { return !incident.is_open() || incident.calm_since.has_value(); }

Counterfactual counterfactual(const Incident& incident, const std::string& service) {
  Counterfactual out;
  const std::vector<DownSpan> spans = down_spans(incident, service);
  if (!is_over(incident) || incident.end == IncidentEnd::gone || spans.empty()) return out;
  out.down = total(spans);
  std::string guard;
  for (const RecoveryReport& run : incident.recoveries) {
    if (run.service != service) continue;
    if (run.mode != RecoveryMode::dry_run && healing_action(run) != nullptr) return {};
    if (run.mode == RecoveryMode::dry_run) add_dry_run(run, spans, out);
    if (const std::string by = guard_of(run); !by.empty()) guard = by;
  }
  const bool caused_by_other = service != incident.service;
  if (out.times > 0) {
    out.would = WouldHave::acted;
    out.blamed = caused_by_other;
    return out;
  }
  if (caused_by_other || guard == "dependencies") {
    out.would = WouldHave::dependency;
    out.what = caused_by_other ? incident.service : "a dependency";
  } else if (!guard.empty()) {
    out.would = WouldHave::held;
    out.what = guard;
  } else {
    out.would = incident.maintenance ? WouldHave::person : WouldHave::itself;
  }
  return out;
}

std::string text_of(const Counterfactual& c) {
  const std::string lasted = base::format_rounded(c.down);
  switch (c.would) {
    case WouldHave::none: return "";
    case WouldHave::itself: return fmt::format("healed by itself after {}", lasted);
    case WouldHave::person: return fmt::format("a person was at work on it for {}", lasted);
    case WouldHave::dependency: return fmt::format("{} was the cause; the plan would have left it alone", c.what);
    case WouldHave::held: return fmt::format("held by {}; it was down for {}", c.what, lasted);
    case WouldHave::acted: break;
  }
  std::string out =
      fmt::format("{} {}, first after {}", done_to_it(c.what), times(c.times), base::format_rounded(c.first_after));
  if (c.blamed) return out + ", although what it depends on was the cause";
  return out + fmt::format("; without that it came back {} later", base::format_rounded(c.up_after));
}

std::string dry_run_text(const Incident& incident) {
  const bool rehearsed = std::any_of(incident.recoveries.begin(), incident.recoveries.end(), [&](const auto& run) {
    return run.service == incident.service && run.mode == RecoveryMode::dry_run;
  });
  return rehearsed ? text_of(counterfactual(incident, incident.service)) : "";
}

}  // namespace model
