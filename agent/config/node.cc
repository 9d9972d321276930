#include "config/node.h"

#include <algorithm>
#include <tuple>

#include "base/secret.h"
#include "base/text.h"
#include "config/rep.h"

namespace config {
namespace {

constexpr std::size_t kLongestText = 4096;

}  // namespace

Errors::Mistake Errors::mistake(const Mark& at, std::string_view path, std::string_view what) {
  std::string line = at.file;
  if (at.line > 0) line += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  if (!line.empty()) line += ": ";
  if (!path.empty()) line.append(path).append(": ");
  line += what;
  // Names and values may be quoted in it.
  return {at, std::string(path), base::foreign_text(base::without_secrets(line), kLongestText)};
}

void Errors::blot(const base::KnownSecrets& secrets) {
  for (auto* list : {&found_, &warned_})
    for (Mistake& mistake : *list) mistake.line = secrets.blotted(std::move(mistake.line));
}

void Errors::add(const Mark& at, std::string_view path, std::string_view what) {
  found_.push_back(mistake(at, path, what));
}

void Errors::warn(const Mark& at, std::string_view path, std::string_view what) {
  warned_.push_back(mistake(at, path, what));
}

std::vector<std::string> Errors::sorted(const std::vector<Mistake>& mistakes) {
  std::vector<const Mistake*> sorted;
  for (const Mistake& mistake : mistakes) sorted.push_back(&mistake);
  const auto place = [](const Mistake* m) { return std::tie(m->at.file, m->at.line, m->at.column); };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Mistake* a, const Mistake* b) { return place(a) < place(b); });
  std::vector<std::string> out;
  for (const Mistake* mistake : sorted) out.push_back(mistake->line);
  return out;
}

std::vector<std::string> Errors::lines() const { return sorted(found_); }
std::vector<std::string> Errors::warnings() const { return sorted(warned_); }

std::size_t Errors::take_out(std::string_view path) {
  return std::erase_if(found_, [&](const Mistake& mistake) {
    if (!mistake.path.starts_with(path)) return false;
    return mistake.path.size() == path.size() || mistake.path[path.size()] == '.' || mistake.path[path.size()] == '[';
  });
}

std::set<std::string> Errors::take_out_other_files(const std::string& file) {
  std::set<std::string> others;
  std::erase_if(found_, [&](const Mistake& mistake) {
    if (mistake.at.file.empty() || mistake.at.file == file) return false;
    others.insert(mistake.at.file);
    return true;
  });
  return others;
}

std::string Errors::text() const {
  std::string out;
  for (const std::string& line : lines()) (out += line) += '\n';
  return out;
}

std::string Errors::short_text() const { return first_lines(text(), kShown); }

std::string first_lines(const std::string& mistakes, std::size_t count) {
  std::size_t end = 0;
  for (; count > 0 && end < mistakes.size(); --count) end = std::min(mistakes.find('\n', end), mistakes.size() - 1) + 1;
  const bool ended = mistakes.ends_with('\n');
  const auto more = std::count(mistakes.begin() + static_cast<std::ptrdiff_t>(end), mistakes.end(), '\n') +
                    (end < mistakes.size() && !ended ? 1 : 0);
  if (more == 0) return mistakes;
  return mistakes.substr(0, end) + "and " + std::to_string(more) + (more == 1 ? " more mistake\n" : " more mistakes\n");
}

Node::Type Node::type() const { return rep_ ? rep_->type : Type::null; }

const std::string& Node::scalar() const {
  static const std::string nothing;
  return is_scalar() ? rep_->scalar : nothing;
}

bool Node::quoted() const { return is_scalar() && rep_->quoted; }

std::vector<Node> Node::items() const {
  std::vector<Node> out;
  if (!is_sequence()) return out;
  for (const Rep* item : rep_->items) out.push_back(Node(std::shared_ptr<const Rep>(rep_, item)));
  return out;
}

std::vector<std::pair<Node, Node>> Node::entries() const {
  std::vector<std::pair<Node, Node>> out;
  if (!is_mapping()) return out;
  for (const auto& [key, value] : rep_->entries)
    out.emplace_back(Node(std::shared_ptr<const Rep>(rep_, key)), Node(std::shared_ptr<const Rep>(rep_, value)));
  return out;
}

Node Node::find(std::string_view key) const {
  if (!is_mapping()) return {};
  for (const auto& [name, value] : rep_->entries)
    if (name->scalar == key) return Node(std::shared_ptr<const Rep>(rep_, value));
  return {};
}

Mark Node::mark() const { return rep_ ? rep_->mark : Mark{}; }

Mark Node::text_mark() const { return rep_ ? rep_->text_mark : Mark{}; }

Exposure Node::exposure() const { return rep_ ? rep_->exposure : Exposure::unknown; }

void Node::expose(Exposure exposure) const {
  if (is_scalar() && (rep_->exposure != Exposure::withheld || exposure == Exposure::withheld))
    rep_->exposure = exposure;
  for (const Node& item : items()) item.expose(exposure);
  for (const auto& [key, value] : entries()) value.expose(exposure);
}

void Node::expose_rest(Exposure exposure) const {
  if (is_scalar()) return expose(exposure);  // an alias of it may have been shown
  const auto mark = [exposure](const Node& part) {
    if (!part.is_scalar()) part.expose_rest(exposure);
    else if (part.rep_->exposure == Exposure::unknown) part.rep_->exposure = exposure;
  };
  for (const Node& item : items()) mark(item);
  for (const auto& [key, value] : entries()) mark(value);
}

std::string_view Node::type_name() const {
  switch (type()) {
    case Type::null: return "nothing";
    case Type::scalar: return "a string";
    case Type::sequence: return "a list";
    case Type::mapping: return "a mapping";
  }
  return "nothing";
}

}  // namespace config
