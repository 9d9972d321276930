// Prometheus rule files (model/rulefmt of 2.42 and 3.16): groups of recording and alerting rules, as plain structs with
// places. Expressions and templates stay text here; rules/ parses them and adds its mistakes to the same Errors.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/node.h"
#include "model/labels.h"

namespace config {

struct Rule {
  std::string record;  // exactly one of record and alert is set
  std::string alert;
  std::string expr;
  base::Millis for_duration{0};
  base::Millis keep_firing_for{0};
  std::vector<std::pair<std::string, std::string>> labels;       // values are templates for alerts; file order
  std::vector<std::pair<std::string, std::string>> annotations;  // templates
  Mark place;                                                    // of the rule
  Mark expr_place;                                               // of the expression's text
  std::vector<Mark> label_places, annotation_places;             // of their texts, in the same order
  std::string path;                                              // groups[0].rules[3]
};

struct RuleGroup {
  std::string file;
  std::string name;
  base::Millis interval{0};  // 0: the global evaluation interval
  base::Millis query_offset{0};
  int limit = 0;         // 0: none
  model::Labels labels;  // added to every rule of the group (Prometheus 3)
  std::vector<Rule> rules;
};

// Whose files: 3 has labels and query_offset of a group, and names of labels, annotations and recordings in all of
// UTF-8.
enum class RuleFormat { prometheus_2, prometheus_3 };

std::vector<RuleGroup> load_rule_file(const std::string& path, Errors& errors,
                                      RuleFormat format = RuleFormat::prometheus_3);
std::vector<RuleGroup> parse_rule_file(std::string_view text, const std::string& file, Errors& errors,
                                       RuleFormat format = RuleFormat::prometheus_3);

}  // namespace config
