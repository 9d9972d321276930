// label_replace and label_join: the new labels of each series are worked out once.
#include <fmt/format.h>

#include <cctype>
#include <optional>

#include "base/regex.h"
#include "promql/compile.h"

namespace promql {
namespace {

std::string string_arg(const CallExpr& expr, std::size_t i) { return as<StringExpr>(unwrapped(*expr.args[i])).value; }

// A value may be made of itself several times over, by one call in another: without a limit a short query fills the
// memory.
constexpr std::size_t kLongestValue = 64 * 1024;

// Adds `part` to a value in the making; false, and nothing is added, if that would be too long.
bool add(std::string& value, std::string_view part) {
  if (value.size() + part.size() > kLongestValue) return false;
  value += part;
  return true;
}

class Relabel : public Node {
 public:
  Relabel(const CallExpr& expr, NodePtr inner) : name_(expr.function->name), inner_(adopt(std::move(inner))) {}

  void forget() override {
    Node::forget();
    map_.clear();
  }

  bool vector(Evaluation& evaluation, std::int64_t t, Points& out) override {
    if (!inner_->vector(evaluation, t, in_) || !valid(evaluation)) return false;
    out.clear();
    for (const Point& point : in_) {
      out.push_back({map_.at(point.series, inner_->series(), table_,
                             [&](const model::Labels& labels) { return relabelled(evaluation, labels); }),
                     point.v});
      if (!evaluation.error.text.empty()) return false;
    }
    return !map_.merges(table_) || check_unique(evaluation, seen_, out);
  }

 protected:
  virtual bool valid(Evaluation& evaluation) = 0;
  // The labels with the new one, or as they are if there is none. False: its value would be too long.
  virtual bool change(model::Labels& labels) const = 0;

 private:
  // Long label sets count as the samples that would take as much memory.
  model::Labels relabelled(Evaluation& evaluation, const model::Labels& labels) const {
    model::Labels out = labels;
    // All series of the inner node come in one go, and a pattern with a thousand groups takes its time with each.
    if (!evaluation.error.text.empty() || !evaluation.still_wanted()) return out;
    if (!change(out))
      evaluation.fail(base::Kind::limit,
                      fmt::format("{}() would make a label value of more than {} bytes", name_, kLongestValue));
    std::size_t bytes = 0;
    for (const model::Label label : out) bytes += label.name.size() + label.value.size();
    if (bytes >= kCounted) evaluation.hold(bytes / sizeof(model::Sample));
    return out;
  }

  static constexpr std::size_t kCounted = 4096;
  std::string_view name_;
  Node* inner_;
  Points in_;
  SeriesMap map_;
  Uniqueness seen_;
};

class Replace final : public Relabel {
 public:
  Replace(const CallExpr& expr, NodePtr inner)
      : Relabel(expr, std::move(inner)),
        to_(string_arg(expr, 1)),
        replacement_(string_arg(expr, 2)),
        from_(string_arg(expr, 3)),
        pattern_(string_arg(expr, 4)) {}

 private:
  bool valid(Evaluation& evaluation) override {
    if (!regex_) {
      auto compiled =
          base::Regex::compile(pattern_, evaluation.v3() ? base::DotNewline::included : base::DotNewline::excluded);
      if (!compiled) return evaluation.fail("invalid regular expression in label_replace(): " + pattern_);
      regex_ = *std::move(compiled);
    }
    if (!valid_label_name(to_, evaluation.options->compat))
      return evaluation.fail("invalid destination label name in label_replace(): " + to_);
    return true;
  }

  bool change(model::Labels& labels) const override {
    const auto groups = regex_->groups_of_full_match(labels.get(from_));
    if (groups.empty()) return true;
    std::string value;
    if (!expand(groups, value)) return false;
    labels = labels.with(to_, value);
    return true;
  }

  // $1, ${1}, $name and $$ as in Go: an unbraced name is as long as it can be, an unknown one is empty.
  bool expand(const std::vector<std::string>& groups, std::string& out) const {
    const std::string_view text = replacement_;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '$' || i + 1 == text.size()) {
        if (!add(out, text.substr(i++, 1))) return false;
        continue;
      }
      if (text[i + 1] == '$') {
        if (!add(out, "$")) return false;
        i += 2;
        continue;
      }
      const bool braced = text[i + 1] == '{';
      const std::size_t first = i + (braced ? 2 : 1);
      std::size_t last = first;
      while (last < text.size() && (std::isalnum(static_cast<unsigned char>(text[last])) || text[last] == '_')) ++last;
      if (last == first || (braced && (last == text.size() || text[last] != '}'))) {
        if (!add(out, text.substr(i++, 1))) return false;  // no name: the dollar stands for itself
        continue;
      }
      if (!add(out, group(text.substr(first, last - first), groups))) return false;
      i = last + (braced ? 1 : 0);
    }
    return true;
  }

  std::string_view group(std::string_view name, const std::vector<std::string>& groups) const {
    std::size_t number = 0;
    bool numeric = name.size() < 9;
    for (const char c : name) {
      if (c < '0' || c > '9') numeric = false;
      else number = number * 10 + static_cast<std::size_t>(c - '0');
    }
    if (numeric) return number < groups.size() ? groups[number] : std::string_view();
    const int named = regex_->group_number(name);
    return named >= 0 && static_cast<std::size_t>(named) < groups.size() ? groups[static_cast<std::size_t>(named)]
                                                                         : std::string_view();
  }

  std::string to_;
  std::string replacement_;
  std::string from_;
  std::string pattern_;
  std::optional<base::Regex> regex_;
};

class Join final : public Relabel {
 public:
  Join(const CallExpr& expr, NodePtr inner)
      : Relabel(expr, std::move(inner)), to_(string_arg(expr, 1)), separator_(string_arg(expr, 2)) {
    for (std::size_t i = 3; i < expr.args.size(); ++i) from_.push_back(string_arg(expr, i));
  }

 private:
  bool valid(Evaluation& evaluation) override {
    for (const std::string& name : from_)
      if (!valid_label_name(name, evaluation.options->compat))
        return evaluation.fail("invalid source label name in label_join(): " + name);
    return valid_label_name(to_, evaluation.options->compat) ||
           evaluation.fail("invalid destination label name in label_join(): " + to_);
  }

  bool change(model::Labels& labels) const override {
    std::string value;
    for (std::size_t i = 0; i < from_.size(); ++i) {
      if (i > 0 && !add(value, separator_)) return false;
      if (!add(value, labels.get(from_[i]))) return false;
    }
    labels = labels.with(to_, value);
    return true;
  }

  std::string to_;
  std::string separator_;
  std::vector<std::string> from_;
};

}  // namespace

NodePtr make_label_call(const CallExpr& expr) {
  if (expr.function->name == "label_replace") return std::make_unique<Replace>(expr, compile(*expr.args[0]));
  if (expr.function->name == "label_join") return std::make_unique<Join>(expr, compile(*expr.args[0]));
  return nullptr;
}

}  // namespace promql
