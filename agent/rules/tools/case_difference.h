// What a unit test expected beside what came out, for a person: what is as expected is counted and left out, what
// belongs together stands together with only the fields that differ.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/terminal.h"
#include "model/labels.h"

namespace rules {

// An alert or a sample.
struct TestItem {
  model::Labels labels;
  model::Labels annotations;
  std::optional<double> value;  // of samples
};
using SameTestItem = std::function<bool(const TestItem& expected, const TestItem& found)>;

// "" if every expected one was found and nothing else. Else lines of "-" (expected and missing), "+" (found and not
// expected) and "~" (one of each that are nearly the same: the labels they share, then each field that differs).
std::string difference(std::vector<TestItem> expected, std::vector<TestItem> found, const SameTestItem& same);
// The same with those lines in colour.
std::string painted(const std::string& text, base::Colour colour);

// {a="1", b="2"}, the metric name among them.
std::string braces(const model::Labels& labels);

}  // namespace rules
