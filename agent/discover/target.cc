#include "discover/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/rune.h"
#include "base/text.h"
#include "config/scalar.h"
#include "encoding/escaped_name.h"
#include "encoding/json.h"

namespace discover {
namespace {

unsigned unit_at(std::string_view text, std::size_t at) {
  return base::utf16_escape(text.substr(std::min(at, text.size()))).value_or(0);
}

// JSON escapes a character beyond U+FFFF as two halves, which YAML does not know; half a one is U+FFFD, as for Go.
std::string with_whole_characters(std::string_view json) {
  std::string out;
  for (std::size_t at = 0; at < json.size();) {
    const unsigned high = json[at] == '\\' ? unit_at(json, at) : 0;
    if (high < 0xd800 || high > 0xdfff) {
      const std::size_t size = json[at] == '\\' ? 2 : 1;  // what follows a backslash begins no escape
      out += json.substr(at, size);
      at += size;
      continue;
    }
    const unsigned low = unit_at(json, at + 6);
    const bool pair = high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
    out += pair ? fmt::format("\\U{:08x}", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)) : "\\ufffd";
    at += pair ? 12 : 6;
  }
  return out;
}

// Whether it is JSON to its end: most of what is a slip there is YAML, and Prometheus refuses the file.
bool is_json(const std::string& text, const std::string& file, config::Errors& errors) {
  try {
    const auto nothing = [](int, nlohmann::json::parse_event_t, nlohmann::json&) { return false; };
    [[maybe_unused]] const nlohmann::json skipped = nlohmann::json::parse(text, nothing);
    if (!text.starts_with("\xef\xbb\xbf")) return true;
    errors.add({file, 1, 1}, "", "begins with a byte order mark, which is not for JSON: save the file without it");
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view before = std::string_view(text).substr(0, error.byte > 0 ? error.byte - 1 : 0);
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    errors.add({file, line, before.size() - (before.rfind('\n') + 1) + 1}, "", "is no JSON from here on");
  } catch (const nlohmann::json::out_of_range&) {  // 1e400
    errors.add({file, 0, 0}, "", "has a number that is too large: targets and labels are strings, in quotes");
  }
  return false;
}

// In YAML a number may stand where text is wanted, in JSON it may not.
void want_strings(const config::Node& root, config::Errors& errors) {
  const auto want = [&](const config::Node& value, const std::string& path) {
    if (value.is_scalar() && !value.is_null() && !value.quoted())
      errors.add(value.mark(), path, "is no string: write it in quotes");
  };
  std::size_t at = 0;
  for (const config::Node& group : root.items()) {
    const std::string path = "[" + std::to_string(at++) + "]";
    if (!group.is_mapping()) continue;
    for (const auto& [key, value] : group.entries()) {
      if (value.is_sequence())
        for (const config::Node& item : value.items()) want(item, path + "." + key.scalar());
      if (value.is_mapping())
        for (const auto& [name, text] : value.entries()) want(text, path + "." + key.scalar() + "." + name.scalar());
    }
  }
}

// A label without a value is one that is not there, as for Prometheus; the name of a metric is not for a target to say.
// Prometheus 3 takes any UTF-8 for a label's name; here it is what a page of metrics can say to everybody.
void read_labels(const config::Node& node, TargetGroup& group, const std::string& path, config::Errors& errors) {
  if (node.is_null()) return;
  if (!node.is_mapping()) return errors.add(node.mark(), path, config::expected("a mapping of names to strings", node));
  std::map<std::string, std::string> all;  // of names that are written alike the first counts
  for (const auto& [name, value] : node.entries()) {
    std::string text, why;
    if (name.scalar().empty()) errors.add(name.mark(), path, "a label needs a name");
    else if (name.scalar() == model::kMetricName) continue;
    else if (value.is_null() || config::read(value, text, why))
      all.emplace(encoding::escaped_label_name(name.scalar()), std::move(text));
    else errors.add(value.mark(), path, fmt::format("'{}': {}", name.scalar(), why));
  }
  std::vector<model::Label> views;
  for (const auto& [name, value] : all) views.push_back({name, value});
  group.labels = model::Labels(std::move(views));
}

// A group may have no targets, and a target may be empty: it costs itself and not the file.
void read_targets(const config::Node& node, TargetGroup& group, const std::string& path, config::Errors& errors) {
  if (node.is_null()) return;
  if (!node.is_sequence()) return errors.add(node.mark(), path, config::expected("a list of targets", node));
  for (const config::Node& item : node.items()) {
    std::string text, why;
    if (!item.is_null() && !config::read(item, text, why)) errors.add(item.mark(), path, why);
    else group.targets.push_back(std::move(text));
  }
}

}  // namespace

config::Schema<TargetGroup> target_group_schema(const char* name) {
  return config::Schema<TargetGroup>(name)
      .required("targets", &TargetGroup::targets, "What to probe: HOST:PORT, a URL, a path.")
      .custom("labels", "Labels of all of them.", "{}", read_labels)
      .shows({"labels"})
      .check([](const TargetGroup& group, const config::Complain& complain) {
        for (const std::string& target : group.targets)
          if (target.empty()) complain("targets", "has an empty one");
      });
}

std::vector<Target> parse_targets(std::string_view text, const std::string& file, config::Errors& errors) {
  static const auto schema = config::Schema<TargetGroup>("file_sd")
                                 .custom("targets", "What to probe: HOST:PORT, a URL, a path.", "[]", read_targets)
                                 .custom("labels", "Labels of all of them.", "{}", read_labels);
  std::vector<Target> all;
  const bool json = base::lower_case(file).ends_with(".json");
  const std::string whole = json ? with_whole_characters(base::valid_utf8(text)) : std::string();
  const bool blank = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (json && !blank && !is_json(encoding::readable_json(text), file, errors)) return all;
  const config::Node root = json ? config::Node::parse(whole, file, errors)
                                 : config::Node::parse(text, file, errors, config::Documents::first);
  if (root.is_null()) {  // cut off while it is written, or by a full disk
    if (errors.empty()) errors.add({file, 0, 0}, "", "is empty; write [] for no targets");
    return all;
  }
  if (!root.is_sequence()) {
    errors.add(root.mark(), "", config::expected("a list of groups, each with targets", root));
    return all;
  }
  if (json) want_strings(root, errors);
  std::size_t at = 0, bytes = 0;
  for (const config::Node& item : root.items()) {
    const TargetGroup group = schema.parse(item, "[" + std::to_string(at++) + "]", errors);
    const model::Labels labels = group.labels.with("__meta_filepath", file);
    std::size_t of_labels = 0;
    for (const model::Label label : labels) of_labels += label.name.size() + label.value.size();
    bytes += group.targets.empty() ? of_labels : 0;
    for (const std::string& target : group.targets) bytes += target.size() + of_labels;
    if (all.size() + group.targets.size() > kMostTargets || bytes > kMostBytes) {
      errors.add(
          item.mark(), "",
          fmt::format("has more than {} targets, or more than {} MiB of targets with their labels; divide it into "
                      "several files, or take labels away",
                      kMostTargets, kMostBytes / (1024 * 1024)));
      return {};
    }
    for (const std::string& target : group.targets) all.push_back({target, labels});
  }
  return all;
}

}  // namespace discover
