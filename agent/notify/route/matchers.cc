#include "notify/route/matchers.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "config/scalar.h"
#include "model/labels.h"
#include "model/matcher_text.h"

namespace notify {
namespace {

void read_mapping(const config::Node& node, model::MatchOp op, Matchers& out, const std::string& path,
                  config::Errors& errors) {
  node.expose(config::Exposure::shown);
  if (!node.is_mapping()) return errors.add(node.mark(), path, config::expected("a mapping of labels to values", node));
  for (const auto& [name, value] : node.entries()) {
    const std::string at = fmt::format("{}.{}", path, name.scalar());
    std::string text, why;
    if (!config::is_label_name(name.scalar()))
      errors.add(name.mark(), at, fmt::format("'{}' is no name of a label", name.scalar()));
    else if (!config::read(value, text, why)) errors.add(value.mark(), at, why);
    if (!why.empty()) continue;
    if (const auto good = model::Matcher::make(op, name.scalar(), text); !good) {
      errors.add(value.mark(), at, good.error().text);
      continue;
    }
    if (op == model::MatchOp::matches) text = fmt::format("^(?:{})$", text);  // so it stands in group keys
    out.push_back(*model::Matcher::make(op, name.scalar(), text));
  }
}

}  // namespace

void read_matchers(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors) {
  node.expose(config::Exposure::shown);
  if (!node.is_sequence())
    return errors.add(node.mark(), path, config::expected("a list such as ['severity=\"page\"']", node));
  std::size_t i = 0;
  for (const config::Node& item : node.items()) {
    const std::string at = fmt::format("{}[{}]", path, i++);
    std::string text, why;
    if (!config::read(item, text, why)) {
      errors.add(item.mark(), at, why);
      continue;
    }
    auto parsed = model::parse_matchers(text, model::BareWord::refused);
    if (parsed) out.insert(out.end(), parsed->begin(), parsed->end());
    else errors.add(item.mark(), at, parsed.error().text);
  }
}

void read_equal(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors) {
  read_mapping(node, model::MatchOp::equal, out, path, errors);
}

void read_regex(const config::Node& node, Matchers& out, const std::string& path, config::Errors& errors) {
  read_mapping(node, model::MatchOp::matches, out, path, errors);
}

void sort_matchers(Matchers& matchers) {
  std::stable_sort(matchers.begin(), matchers.end(), [](const model::Matcher& a, const model::Matcher& b) {
    return std::tuple(a.name(), a.value(), a.op()) < std::tuple(b.name(), b.value(), b.op());
  });
}

std::string to_string(const Matchers& matchers) {
  std::string out = "{";
  for (const model::Matcher& each : matchers)
    out += fmt::format("{}{}{}\"{}\"", out.size() > 1 ? "," : "", model::written_name(each.name()),
                       model::to_string(each.op()), model::escape_label_value(each.value()));
  return out + "}";
}

}  // namespace notify
