// `fettle rules debug ALERT`: why an alert of the running agent is in its state, with the values that decided: the
// rule, its alerts and what they wait for, each part of the expression with what it found at the last evaluation, and,
// if nothing is active, the part at which it ended.
#pragma once

#include <functional>
#include <string>

#include "base/output_form.h"
#include "base/result.h"
#include "base/terminal.h"
#include "cli/client.h"

namespace cli {

struct RuleDebug {
  std::string text;
  std::string json;  // {"alert","rules":[{"group","file","rule","values","reasons"}]}: `rule` as in the API
  bool bad = false;  // firing, or the rule fails
};

// GETs a path with its query from the agent: the body of a good answer.
using Ask = std::function<base::Result<std::string>(const std::string& path_and_query)>;

// Fails if the agent does not answer, or has no such alert (then with the nearest name).
base::Result<RuleDebug> debug_rule(const std::string& alert, const Ask& ask, base::Colour colour);

// 0: quiet or pending; 1: firing, or the rule fails; 2: no such alert; 3: no answer.
int run_rule_debug(const AgentAddress& agent, const std::string& alert, base::OutputForm form);

}  // namespace cli
