#include "cli/rule_debug.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/edit_distance.h"
#include "base/percent.h"
#include "base/terminal.h"
#include "base/time.h"
#include "cli/answer.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/expression_values.h"
#include "model/alert.h"
#include "model/json.h"
#include "model/rule.h"
#include "promql/parser.h"

namespace cli {
namespace {

using base::Tone;
using model::AlertState;

base::Result<Json> ask_json(const Ask& ask, const std::string& path) {
  TRY(const std::string body, ask(path));
  return data_in(body);
}

base::Millis span(const Json& object, const char* key) { return base::Millis{milliseconds_of(number_of(object, key))}; }

ExpressionValues::Found query(const Ask& ask, const std::string& expr, const std::string& time) {
  ExpressionValues::Found found;
  const auto data =
      ask_json(ask, "/api/v1/query?query=" + base::percent_encode(expr) + "&time=" + base::percent_encode(time));
  if (!data) {
    found.error = data.error().text;
    return found;
  }
  const std::string type = text_of(*data, "resultType");
  const Json& result = list_of(*data, "result");
  found.is_vector = type == "vector" || type == "matrix";
  if (!found.is_vector) found.rows.emplace_back("", result.at(1).get<std::string>());
  else
    for (const Json& row : result) {
      const bool range = type == "matrix";
      const Json& values = list_of(row, range ? "values" : "value");
      if (values.empty()) throw WrongAnswer();
      const auto value = (range ? values.back() : values).at(1).get<std::string>();
      found.rows.emplace_back(model::read_labels(mapping_of(row, "metric")).to_string(),
                              range ? fmt::format("{} (newest of {} samples)", value, values.size()) : value);
    }
  return found;
}

// Of an alert, or of a rule, which has that of its worst alert.
std::optional<AlertState> state_of(const Json& from) { return model::parse_alert_state(text_of(from, "state")); }

// What an active alert waits for, seen from the last evaluation.
std::string waits_for(const Json& rule, const Json& alert, base::WallTime evaluated) {
  const auto since = base::parse_iso8601(text_of(alert, "activeAt"));
  const auto active = since ? std::max(evaluated - *since, base::Millis{0}) : base::Millis{0};
  if (state_of(alert) == AlertState::pending) {
    const base::Millis left = std::max(span(rule, "duration") - active, base::Millis{0});
    return fmt::format("active for {} of {}; fires in {} if it goes on to hold", base::format_duration(active),
                       base::format_duration(span(rule, "duration")), base::format_duration(left));
  }
  if (const auto kept = base::parse_iso8601(text_of(alert, "keepFiringSince")); kept) {
    const base::Millis left = std::max(span(rule, "keepFiringFor") - (evaluated - *kept), base::Millis{0});
    return fmt::format("the expression does not hold any more since {}; resolves in {} unless it holds again",
                       base::format_iso8601(*kept), base::format_duration(left));
  }
  return fmt::format("active for {}; resolves when the expression does not hold any more",
                     base::format_duration(active));
}

void describe_alerts(const Json& rule, base::WallTime evaluated, base::Colour colour, std::string& out) {
  const Json& alerts = list_of(rule, "alerts");
  if (alerts.empty()) return;
  out += "\nalerts\n";
  for (const Json& alert : alerts) {
    const std::string state = text_of(alert, "state");
    Json labels = mapping_of(alert, "labels");
    labels.erase("alertname");
    out += fmt::format("  {} {} value {}, since {}\n      {}\n",
                       base::paint(state, state_of(alert) == AlertState::firing ? Tone::bad : Tone::warn, colour),
                       model::read_labels(labels).to_string(), text_of(alert, "value"), text_of(alert, "activeAt"),
                       waits_for(rule, alert, evaluated));
  }
}

// What each part of the expression had at the last evaluation, and at which part it ended.
struct Found {
  std::string values;
  std::vector<std::string> reasons;
};

// Nothing of a rule that was not evaluated yet.
Found found_by(const Json& rule, const Ask& ask) {
  const auto evaluated = base::parse_iso8601(text_of(rule, "lastEvaluation"));
  const promql::Parsed parsed = promql::parse(text_of(rule, "query"));
  if (!evaluated || model::parse_rule_health(text_of(rule, "health")) == model::RuleHealth::unknown || !parsed.ok())
    return {};
  ExpressionValues values([&](const std::string& expr) { return query(ask, expr, base::format_iso8601(*evaluated)); });
  Found out{values.tree(*parsed.expr), {}};
  out.reasons = values.why_empty(*parsed.expr);
  return out;
}

void describe_expression(const Found& found, std::string& out) {
  if (found.values.empty()) return;
  out += fmt::format("\nvalues at the last evaluation\n{}", found.values);
  if (found.reasons.empty()) return;
  out += "\nwhy nothing is found\n";
  for (const std::string& reason : found.reasons) out += "  " + reason + "\n";
}

std::string describe(const Json& group, const Json& rule, const Found& found, base::Colour colour) {
  const std::string error = text_of(rule, "lastError");
  const auto state = state_of(rule);
  const auto health = model::parse_rule_health(text_of(rule, "health"));
  const Tone tone = state == AlertState::firing ? Tone::bad : state == AlertState::pending ? Tone::warn : Tone::good;
  std::string out =
      fmt::format("alert {} is {}\n", text_of(rule, "name"), base::paint(text_of(rule, "state"), tone, colour));
  out += fmt::format("  rule        group {} of {}\n", text_of(group, "name"), text_of(group, "file"));
  out += fmt::format("  expression  {}\n", text_of(rule, "query"));
  out += fmt::format("  for         {}", base::format_duration(span(rule, "duration")));
  if (span(rule, "keepFiringFor").count() > 0)
    out += fmt::format(", keep_firing_for {}", base::format_duration(span(rule, "keepFiringFor")));
  const auto evaluated = base::parse_iso8601(text_of(rule, "lastEvaluation"));
  if (!evaluated || health == model::RuleHealth::unknown) return out + "\n  evaluated   not yet\n";
  out += fmt::format(
      "\n  evaluated   {}, every {}, took {:.3f} ms, {}\n", base::format_iso8601(*evaluated),
      base::format_duration(span(group, "interval")), number_of(rule, "evaluationTime") * 1e3,
      health == model::RuleHealth::ok ? "without an error" : base::paint("with an error: " + error, Tone::bad, colour));
  describe_alerts(rule, *evaluated, colour, out);
  describe_expression(found, out);
  return out;
}

}  // namespace

namespace {

base::Result<RuleDebug> debugged(const std::string& alert, const Ask& ask, base::Colour colour) {
  TRY(const Json data, ask_json(ask, "/api/v1/rules?type=alert"));
  RuleDebug out;
  Json rules = Json::array();
  std::vector<std::string> known;
  for (const Json& group : list_of(data, "groups"))
    for (const Json& rule : list_of(group, "rules")) {
      const std::string name = text_of(rule, "name");
      if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
      if (name != alert) continue;
      if (!out.text.empty()) out.text += "\n";
      const Found found = found_by(rule, ask);
      out.text += describe(group, rule, found, colour);
      rules.push_back({{"group", text_of(group, "name")},
                       {"file", text_of(group, "file")},
                       {"rule", rule},
                       {"values", found.values},
                       {"reasons", found.reasons}});
      out.bad = out.bad || state_of(rule) == AlertState::firing ||
                model::parse_rule_health(text_of(rule, "health")) == model::RuleHealth::err;
    }
  if (!out.text.empty()) {
    out.json = printed({{"alert", alert}, {"rules", std::move(rules)}});
    return out;
  }
  const std::string near = base::nearest(alert, known);
  return base::fail(base::Kind::not_found,
                    fmt::format("the agent has no alert {}; {}", alert,
                                !near.empty()   ? "did you mean " + near + "?"
                                : known.empty() ? std::string("it has no alerting rule at all")
                                                : fmt::format("there are: {}", fmt::join(known, ", "))));
}

}  // namespace

base::Result<RuleDebug> debug_rule(const std::string& alert, const Ask& ask, base::Colour colour) {
  return read_answer("what was asked", [&] { return debugged(alert, ask, colour); });
}

int run_rule_debug(const AgentAddress& agent, const std::string& alert, base::OutputForm form) {
  const auto found = debug_rule(
      alert, [&](const std::string& path) { return get(agent, path); }, base::colour_of_stdout());
  if (!found) {
    base::print(stderr, "fettle rules debug: {}\n", found.error().text);
    return found.error().kind == base::Kind::not_found ? kUsage : exit_code_of(found.error());
  }
  if (form == base::OutputForm::json) base::print(stdout, "{}\n", found->json);
  else base::print(stdout, "{}", found->text);
  return found->bad ? 1 : 0;
}

}  // namespace cli
