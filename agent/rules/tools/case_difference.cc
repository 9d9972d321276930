#include "rules/tools/case_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "go/format.h"

namespace rules {
namespace {

// Above this many on one side nobody reads pairs, and finding them costs the square.
constexpr std::size_t kMostPaired = 200;

std::string number(double v) { return go::format_float(v, 'E', -1); }

std::string whole(const TestItem& item) {
  if (item.value) return braces(item.labels) + " " + number(*item.value);
  return fmt::format("{} annotations {}", braces(item.labels), braces(item.annotations));
}

std::size_t shared(const model::Labels& a, const model::Labels& b) {
  return static_cast<std::size_t>(
      std::count_if(a.begin(), a.end(), [&](const model::Label label) { return b.get(label.name) == label.value; }));
}

// How near two items are that are not the same: 0 if a reader would not take one for the other.
std::size_t likeness(const TestItem& a, const TestItem& b) {
  const std::size_t common = shared(a.labels, b.labels), most = std::max(a.labels.size(), b.labels.size());
  if (common == 0 && most > 0) return 0;
  return 2 * common < most ? 0 : 1 + 2 * common + shared(a.annotations, b.annotations);
}

std::string said(std::string_view value) { return value.empty() ? "nothing" : go::quote(value); }

void compare_fields(const model::Labels& expected, const model::Labels& found, std::string_view kind,
                    std::vector<std::string>& out) {
  std::set<std::string_view> names;
  for (const auto* side : {&expected, &found})
    for (const model::Label label : *side) names.insert(label.name);
  for (const std::string_view name : names)
    if (expected.get(name) != found.get(name))
      out.push_back(
          fmt::format("{}{}: expected {}, found {}", kind, name, said(expected.get(name)), said(found.get(name))));
}

std::string pair_text(const TestItem& expected, const TestItem& found) {
  model::Labels common = expected.labels;
  for (const model::Label label : expected.labels)
    if (found.labels.get(label.name) != label.value) common = common.without(label.name);
  std::vector<std::string> fields;
  compare_fields(expected.labels, found.labels, "label ", fields);
  compare_fields(expected.annotations, found.annotations, "annotation ", fields);
  if (expected.value && found.value && number(*expected.value) != number(*found.value))
    fields.push_back(fmt::format("value: expected {}, found {}", number(*expected.value), number(*found.value)));
  std::string out = "        ~ " + braces(common) + "\n";
  for (const std::string& field : fields) out += "            " + field + "\n";
  return out;
}

struct Pair {
  std::size_t likeness, expected, found;
};

// The nearest first, each item once.
std::vector<Pair> pairs_of(const std::vector<TestItem>& expected, const std::vector<TestItem>& found) {
  std::vector<Pair> all, out;
  if (expected.size() > kMostPaired || found.size() > kMostPaired) return out;
  for (std::size_t e = 0; e < expected.size(); ++e)
    for (std::size_t f = 0; f < found.size(); ++f)
      if (const std::size_t near = likeness(expected[e], found[f]); near > 0) all.push_back({near, e, f});
  std::stable_sort(all.begin(), all.end(), [](const Pair& a, const Pair& b) { return a.likeness > b.likeness; });
  std::set<std::size_t> used_expected, used_found;
  for (const Pair& pair : all)
    if (!used_expected.contains(pair.expected) && !used_found.contains(pair.found)) {
      used_expected.insert(pair.expected);
      used_found.insert(pair.found);
      out.push_back(pair);
    }
  std::sort(out.begin(), out.end(), [](const Pair& a, const Pair& b) { return a.expected < b.expected; });
  return out;
}

}  // namespace

std::string braces(const model::Labels& labels) {
  std::string inside;
  for (const model::Label label : labels)
    inside +=
        fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ", ", label.name, model::escape_label_value(label.value));
  return "{" + inside + "}";
}

std::string difference(std::vector<TestItem> expected, std::vector<TestItem> found, const SameTestItem& same) {
  const std::size_t wanted = expected.size(), got = found.size();
  std::erase_if(expected, [&](const TestItem& one) {
    const auto match =
        std::find_if(found.begin(), found.end(), [&](const TestItem& other) { return same(one, other); });
    if (match == found.end()) return false;
    found.erase(match);
    return true;
  });
  if (expected.empty() && found.empty()) return "";
  const std::size_t good = wanted - expected.size();
  std::string out;
  std::set<std::size_t> paired_expected, paired_found;
  for (const Pair& pair : pairs_of(expected, found)) {
    out += pair_text(expected[pair.expected], found[pair.found]);
    paired_expected.insert(pair.expected);
    paired_found.insert(pair.found);
  }
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!paired_expected.contains(i)) out += "        - " + whole(expected[i]) + "\n";
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!paired_found.contains(i)) out += "        + " + whole(found[i]) + "\n";
  return out + fmt::format(
                   "      (- expected and missing, + found and not expected, ~ both but for these fields; "
                   "{} expected, {} found, {} as expected)\n",
                   wanted, got, good);
}

std::string painted(const std::string& text, base::Colour colour) {
  if (colour == base::Colour::never) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const auto tone = line.starts_with("        - ")   ? base::Tone::bad
                      : line.starts_with("        + ") ? base::Tone::good
                      : line.starts_with("        ~ ") ? base::Tone::warn
                                                       : base::Tone::plain;
    out += base::paint(line, tone, colour);
    if (end < text.size()) out += '\n';
    at = end + 1;
  }
  return out;
}

}  // namespace rules
