#include "config/rule_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "config/schema.h"
#include "config/yaml_number.h"

namespace config {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What Go's decoder does with the fields of a rule file: an empty value leaves the field as it is, a scalar of any kind
// is a string. So none of these complains about "has no value".
class RuleFile {
 public:
  RuleFile(std::string file, Errors& errors, RuleFormat format)
      : file_(std::move(file)), errors_(errors), format_(format) {}

  std::vector<RuleGroup> read(const Node& root) {
    if (root.is_null()) return {};
    if (root.is_mapping() && root.find("groups").is_null() && root.find("spec").is_mapping()) {
      errors_.add(root.find("spec").mark(), "spec",
                  "this is a resource of Kubernetes, as PrometheusRule is: a rule file is what stands under its spec");
      return {};
    }
    detail::visit_mapping(root, {{"groups"}}, "", errors_, [&](std::size_t, const Node& groups) {
      each(groups, "groups", [&](const Node& node, const std::string& path) { group(node, path); });
    });
    return std::move(groups_);
  }

 private:
  template <typename Visit>
  void each(const Node& list, const std::string& path, const Visit& visit) {
    if (!list.is_sequence() && !list.is_null()) errors_.add(list.mark(), path, expected("a list", list));
    std::size_t i = 0;
    for (const Node& item : list.items()) {
      if (!item.is_null()) visit(item, fmt::format("{}[{}]", path, i));  // Go's decoder leaves an empty item out
      ++i;
    }
  }

  void group(const Node& node, const std::string& path) {
    static const std::vector<detail::KeySpec> keys_2 = {{"name"}, {"interval"}, {"limit"}, {"rules"}};
    static const std::vector<detail::KeySpec> keys_3 = {{"name"},  {"interval"},     {"limit"},
                                                        {"rules"}, {"query_offset"}, {"labels"}};
    const std::vector<detail::KeySpec>& keys = format_ == RuleFormat::prometheus_2 ? keys_2 : keys_3;
    RuleGroup out;
    out.file = file_;
    Mark name_at = node.mark();
    const Mapping fields(*this, node, path, keys);
    fields.text("name", out.name, &name_at);
    fields.duration("interval", out.interval);
    fields.duration("query_offset", out.query_offset);
    fields.whole_number("limit", out.limit);
    Pairs labels;
    fields.pairs("labels", labels, nullptr, Except::metric_name);
    std::vector<model::Label> views;
    for (const auto& [name, value] : labels) views.push_back({name, value});
    out.labels = model::Labels(std::move(views));
    each(fields.at("rules"), path + ".rules", [&](const Node& r, const std::string& p) { rule(r, p, out.rules); });
    if (!fields.usable()) return;
    if (out.name.empty()) {
      errors_.add(name_at, path, "a group needs a name");
    } else if (const auto [first, fresh] = group_lines_.emplace(out.name, name_at.line); !fresh) {
      errors_.add(
          name_at, path + ".name",
          fmt::format("the group '{}' stands twice in this file; the first is in line {}", out.name, first->second));
    }
    groups_.push_back(std::move(out));
  }

  void rule(const Node& node, const std::string& path, std::vector<Rule>& rules) {
    static const std::vector<detail::KeySpec> keys = {{"record"},          {"alert"},  {"expr"},       {"for"},
                                                      {"keep_firing_for"}, {"labels"}, {"annotations"}};
    Rule out;
    out.place = node.mark();
    out.path = path;
    const Mapping fields(*this, node, path, keys);
    if (!fields.usable()) return;
    Mark record_at;
    fields.text("record", out.record, &record_at);
    fields.text("alert", out.alert);
    fields.text("expr", out.expr);
    out.expr_place = fields.at("expr").text_mark();
    fields.duration("for", out.for_duration);
    fields.duration("keep_firing_for", out.keep_firing_for);
    fields.pairs("labels", out.labels, &out.label_places, Except::metric_name);
    fields.pairs("annotations", out.annotations, &out.annotation_places, Except::nothing);

    if (!out.record.empty() && !out.alert.empty())
      errors_.add(out.place, path, "has both 'record' and 'alert': a rule does one of them");
    if (out.record.empty() && out.alert.empty() && !fields.failed("record") && !fields.failed("alert"))
      errors_.add(out.place, path, "needs 'alert' or 'record': the name of what the rule makes");
    if (out.expr.empty() && !fields.failed("expr")) errors_.add(out.place, path, "needs 'expr': a PromQL expression");
    if (!out.record.empty()) recording(fields, out, record_at);
    rules.push_back(std::move(out));
  }

  enum class Except { nothing, metric_name };

  bool is_name(std::string_view name) const {
    if (format_ == RuleFormat::prometheus_2) return is_label_name(name);
    return !name.empty() && base::valid_utf8_prefix(name) == name.size();
  }

  // A mapping with known keys, and which of them had a value that could not be read.
  class Mapping {
   public:
    Mapping(RuleFile& owner, const Node& node, const std::string& path, const std::vector<detail::KeySpec>& keys)
        : owner_(owner), node_(node), path_(path) {
      usable_ = detail::visit_mapping(node, keys, path, owner.errors_, [](std::size_t, const Node&) {});
    }

    bool usable() const { return usable_; }
    Node at(std::string_view key) const { return node_.find(key); }
    bool failed(std::string_view key) const { return std::find(failed_.begin(), failed_.end(), key) != failed_.end(); }
    void complain(std::string_view key, std::string_view what) const {
      detail::complain_at(node_, path_, owner_.errors_, key, what);
    }

    void text(std::string_view key, std::string& out, Mark* place = nullptr) const {
      const Node value = at(key);
      if (value.is_null()) return;
      if (place) *place = value.text_mark();
      std::string why;
      if (!config::read(value, out, why)) fail(key, why);
    }

    void duration(std::string_view key, base::Millis& out) const {
      const Node value = at(key);
      if (value.is_null()) return;
      std::string why;
      if (value.scalar().find('.') != std::string::npos) why = expected("a duration such as 30s or 1h30m", value);
      if (!why.empty() || !config::read(value, out, why)) fail(key, why);
    }

    // Go's decoder takes a number with a fraction for the whole one below it.
    void whole_number(std::string_view key, int& out) const {
      const Node value = at(key);
      if (value.is_null()) return;
      const std::optional<double> number = yaml_number(value);
      if (!number || !(std::abs(*number) < std::numeric_limits<int>::max()))
        return fail(key, expected("a whole number", value));
      out = static_cast<int>(*number);
    }

    void pairs(std::string_view key, Pairs& out, std::vector<Mark>* places, Except except) const {
      const Node mapping = at(key);
      if (mapping.is_null()) return;
      if (!mapping.is_mapping()) return fail(key, expected("a mapping of names to strings", mapping));
      const std::string path = detail::join_path(path_, key);
      for (const auto& [name, value] : mapping.entries()) {
        std::string text;
        std::string why;
        if (!owner_.is_name(name.scalar()) || (except == Except::metric_name && name.scalar() == "__name__"))
          owner_.errors_.add(name.mark(), detail::join_path(path, name.scalar()), owner_.no_label_name());
        if (!value.is_null() && !config::read(value, text, why))
          owner_.errors_.add(value.mark(), detail::join_path(path, name.scalar()), why);
        else if (base::valid_utf8_prefix(text) < text.size())  // an escape such as "\xff" in double quotes
          owner_.errors_.add(value.mark(), detail::join_path(path, name.scalar()), "not UTF-8 text");
        else {
          out.emplace_back(name.scalar(), std::move(text));
          if (places) places->push_back(value.is_null() ? name.mark() : value.text_mark());
        }
      }
    }

   private:
    void fail(std::string_view key, std::string_view why) const {
      failed_.emplace_back(key);
      complain(key, why);
    }

    RuleFile& owner_;
    Node node_;
    const std::string& path_;
    bool usable_ = false;
    mutable std::vector<std::string> failed_;
  };

  void recording(const Mapping& fields, const Rule& rule, const Mark& record_at) {
    std::string plain = rule.record;  // a metric name is a label name that may have colons
    std::replace(plain.begin(), plain.end(), ':', '_');
    if (format_ == RuleFormat::prometheus_3 && plain.find_first_of("{}") != std::string::npos)
      errors_.add(record_at, rule.path + ".record",
                  fmt::format("'{}' has braces, which only an expression has: write labels under labels", rule.record));
    else if (!is_name(plain))
      errors_.add(
          record_at, rule.path + ".record",
          format_ == RuleFormat::prometheus_2
              ? fmt::format("'{}' is no metric name: letters, digits, _ and : are allowed, no digit first", rule.record)
              : fmt::format("'{}' is no metric name: it is not UTF-8", rule.record));
    constexpr std::string_view kOnlyAlerts = "only alerts have this: a recording rule writes a series";
    if (!rule.annotations.empty()) fields.complain("annotations", kOnlyAlerts);
    if (rule.for_duration > base::Millis{0}) fields.complain("for", kOnlyAlerts);
    if (rule.keep_firing_for > base::Millis{0}) fields.complain("keep_firing_for", kOnlyAlerts);
  }

  std::string_view no_label_name() const {
    return format_ == RuleFormat::prometheus_2
               ? "not a label name: letters, digits and _ are allowed, no digit first, not __name__"
               : "not a label name: it must not be empty, must be UTF-8, and __name__ is the metric's own";
  }

  std::string file_;
  Errors& errors_;
  RuleFormat format_;
  std::vector<RuleGroup> groups_;
  std::map<std::string, std::size_t> group_lines_;
};

}  // namespace

std::vector<RuleGroup> parse_rule_file(std::string_view text, const std::string& file, Errors& errors,
                                       RuleFormat format) {
  return RuleFile(file, errors, format).read(Node::parse(text, file, errors, Documents::first));
}

std::vector<RuleGroup> load_rule_file(const std::string& path, Errors& errors, RuleFormat format) {
  const auto text = base::read_file(path);
  if (text) return parse_rule_file(*text, path, errors, format);
  errors.add({path, 0, 0}, "", text.error().text);
  return {};
}

}  // namespace config
