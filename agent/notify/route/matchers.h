// The matchers of routes and inhibit rules, in the three ways in which Alertmanager writes them.
#pragma once

#include <string>
#include <vector>

#include "config/node.h"
#include "model/matcher.h"

namespace notify {

using Matchers = std::vector<model::Matcher>;

// Each adds to `out`. ['severity="page"', 'team=~"a|b"']
void read_matchers(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors);
// {severity: page}, {team: "a|b"}: the older keys (match, match_re), equal and by regular expression.
void read_equal(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors);
void read_regex(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors);

// In Alertmanager's order, of which its group keys are made.
void sort_matchers(Matchers& matchers);
// {alertname="Down",severity=~"page|ticket"}
std::string to_string(const Matchers& matchers);

}  // namespace notify
