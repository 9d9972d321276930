#include "config/tree_builder.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "config/schema.h"

namespace config {
namespace {

// A file of ours has some thousand values; a chain of aliases reaches billions with ten lines.
constexpr std::size_t kMostValues = 200'000;

std::string in_our_words(const std::string& message) {
  static const std::vector<std::pair<std::string_view, std::string_view>> words = {
      {"end of map not found",
       "this does not fit into the mapping that it stands in: check the indentation, the ':' and the quotes before it"},
      {"end of sequence not found",
       "this does not fit into the list that it stands in: check the indentation, the '- ' and the quotes before it"},
      {"end of map flow not found", "a '{' is not closed by '}', or a ',' is missing"},
      {"end of sequence flow not found", "a '[' is not closed by ']', or a ',' is missing"},
      {"illegal EOF in scalar", "a quoted text is not closed"},
      {"illegal document indicator in scalar", "a quoted text is not closed before the end of the document"},
      {"illegal tab", "a tab in the indentation: use spaces"},
      {"illegal map value", "a ':' is not allowed here: quote the text if the colon belongs to it"},
      {"illegal map key", "a key is not allowed here: check the indentation"},
      {"illegal block entry", "a '-' is not allowed here: check the indentation"},
      {"illegal flow end", "a closing bracket without an opening one"},
      {"illegal character in scalar", "a character that is not allowed here: quote the text"},
      {"unknown token", "no value can start with this character: quote the text"},
      {"unknown escape character",
       "unknown escape in double quotes: double the backslash, or use single quotes, which have no escapes"},
      {"bad character found while scanning hex", "an escape such as \\x41 or \\u00e9 has a wrong digit"},
      {"the referenced anchor is not defined", "this alias (*name) has no anchor (&name) before it"},
      {"alias not found after *", "a value that starts with '*' is an alias: quote the text if it is none"},
      {"anchor not found after &", "a value that starts with '&' is an anchor: quote the text if it is none"},
      {"illegal character found while scanning", "a character that is not allowed in the name of an anchor or alias"},
      {"cannot set zero indentation", "the number after '|' or '>' must be 1 to 9"},
      {"unexpected character in block scalar", "only a comment may follow '|' or '>' on its line"},
      {"bad file", "nested too deeply"},  // what yaml-cpp says after 500 levels
  };
  for (const auto& [theirs, ours] : words)
    if (message.rfind(theirs, 0) == 0) return std::string(ours);
  return "not valid YAML: " + message;
}

// Tells only whether anything stands in a document, and whether the parser goes on from one to the next.
class AnyContent final : public YAML::EventHandler {
 public:
  bool found() const { return found_; }
  bool stuck() const { return stuck_; }
  const YAML::Mark& at() const { return at_; }

 private:
  void see(const YAML::Mark& mark) {
    if (!std::exchange(found_, true)) at_ = mark;
  }
  void OnDocumentStart(const YAML::Mark& mark) override {
    stuck_ = started_ && mark.pos == at_.pos;
    started_ = true;
    at_ = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { see(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override { see(mark); }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    see(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    see(mark);
  }
  void OnMapEnd() override {}

  bool found_ = false;
  bool started_ = false;
  bool stuck_ = false;
  YAML::Mark at_;
};

}  // namespace

TreeBuilder::TreeBuilder(std::string_view text, const std::string& file, Errors& errors, Documents documents)
    : text_(text), file_(file), errors_(errors), documents_(documents) {
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  for (std::string_view rest = text_;;) {
    const std::size_t end = rest.find('\n');
    lines_.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
}

Node TreeBuilder::build() {
  if (!is_clean_text() || !is_bounded()) return {};
  try {
    std::istringstream in{std::string(text_)};
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(*this) || !root_) return {};
    if (!ends_well(parser)) return {};
  } catch (const YAML::Exception& e) {
    refuse(e);
    return {};
  }
  if (broken_) return {};
  tidy(*root_, "");
  if (root_->weight > kMostValues) {
    errors_.add(root_->mark, "",
                "the aliases of this file stand for more than " + std::to_string(kMostValues) + " values");
    return {};
  }
  return Node(std::shared_ptr<const Rep>(document_, root_));
}

// yaml-cpp keeps some hundred bytes for each bracket, comma and line before it says anything about them: a file of a
// few megabytes that is little else would take all memory that the agent may have. What may stand in quotes counts,
// too; no text has half as many.
bool TreeBuilder::is_bounded() {
  constexpr std::size_t kDeepest = 1'000;
  const auto refused = [&](std::string what) {
    errors_.add({file_, 1, 1}, "", std::move(what));
    return false;
  };
  std::size_t depth = 0, marks = 0;
  for (const char c : text_) {
    const bool opens = c == '[' || c == '{';
    if (opens && ++depth > kDeepest) return refused("nested too deeply");
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if ((opens || c == ',' || c == '\n') && ++marks > 2 * kMostValues)
      return refused("has more than " + std::to_string(kMostValues) + " values");
  }
  return true;
}

// yaml-cpp also ends a document silently where its text goes on with something that does not belong to it, and then
// finds there, for ever, an empty document.
bool TreeBuilder::ends_well(YAML::Parser& parser) {
  AnyContent more;
  while (parser.HandleNextDocument(more)) {
    // A new document begins behind a line with ---, or with that line where it is empty.
    const std::size_t at = mark_of(more.at()).line;
    const bool marked = line(at).starts_with("---") || (at > 1 && line(at - 1).starts_with("---"));
    if (more.found() && documents_ == Documents::first && marked) {
      errors_.warn(mark_of(more.at()), "",
                   "a second document starts here and is not read: as for Prometheus the first one counts");
      return true;
    }
    if (more.found()) {
      errors_.add(mark_of(more.at()), "",
                  "a second document starts here, but a file holds one: look for a line with --- or for text after a "
                  "closed bracket or quote");
      return false;
    }
    if (more.stuck()) {
      errors_.add(mark_of(more.at()), "", "this does not belong to what stands before it: check brackets and quotes");
      return false;
    }
  }
  return true;
}

void TreeBuilder::refuse(const YAML::Exception& e) {
  const Mark at = mark_of(e.mark);
  const std::string_view indentation = line(at.line).substr(0, line(at.line).find_first_not_of(" \t"));
  if (const std::size_t tab = indentation.find('\t'); tab != std::string_view::npos)
    return errors_.add({file_, at.line, tab + 1}, "", "a tab in the indentation: use spaces");
  errors_.add(at, "", in_our_words(e.msg));
}

bool TreeBuilder::is_clean_text() {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const std::string_view l = lines_[i];
    const std::size_t good = base::valid_utf8_prefix(l);
    if (good < l.size()) {
      errors_.add({file_, i + 1, good + 1}, "", "not UTF-8 text from here on: save the file as UTF-8");
      return false;
    }
    const auto control = std::find_if(l.begin(), l.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
    });
    if (control != l.end()) {
      errors_.add({file_, i + 1, static_cast<std::size_t>(control - l.begin()) + 1}, "",
                  "a control character is not allowed in YAML: remove it, or write it as an escape in double quotes");
      return false;
    }
  }
  return true;
}

std::string_view TreeBuilder::line(std::size_t number) const {
  return number >= 1 && number <= lines_.size() ? lines_[number - 1] : std::string_view{};
}

Mark TreeBuilder::mark_of(const YAML::Mark& mark) const {
  if (mark.is_null()) return {file_, 0, 0};
  return {file_, static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

// yaml-cpp's mark of a scalar is where its anchor, tag, quote or | stands.
Mark TreeBuilder::text_mark_of(const Mark& at) const {
  std::string_view rest = line(at.line);
  if (at.column == 0 || at.column > rest.size()) return at;
  const std::size_t length = rest.size();
  rest.remove_prefix(at.column - 1);
  while (rest.starts_with('&') || rest.starts_with('!')) {
    rest.remove_prefix(std::min(rest.find_first_of(" \t"), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  }
  const std::size_t column = length - rest.size() + 1;
  if (rest.starts_with('"') || rest.starts_with('\'')) return {at.file, at.line, column + 1};
  if (!rest.starts_with('|') && !rest.starts_with('>')) return {at.file, at.line, column};
  for (std::size_t number = at.line + 1; number <= lines_.size(); ++number) {
    const std::size_t first = line(number).find_first_not_of(" \r");
    if (first != std::string_view::npos) return {at.file, number, first + 1};
  }
  return at;
}

// yaml-cpp takes the end of the file for a missing closing quote.
bool TreeBuilder::quote_is_closed(const Mark& text) const {
  const char quote = line(text.line)[text.column - 2];
  std::size_t column = text.column - 1;
  for (std::size_t number = text.line; number <= lines_.size(); ++number, column = 0) {
    const std::string_view l = line(number);
    for (; column < l.size(); ++column) {
      const bool doubled = quote == '\'' && column + 1 < l.size() && l[column + 1] == '\'';
      if (l[column] == quote && !doubled) return true;
      if (l[column] == (quote == '"' ? '\\' : quote)) ++column;
    }
  }
  return false;
}

TreeBuilder::Rep& TreeBuilder::make(Node::Type type, const YAML::Mark& mark, YAML::anchor_t anchor) {
  Rep& rep = document_->emplace_back();
  rep.type = type;
  rep.mark = rep.text_mark = mark_of(mark);
  if (anchor != 0) anchors_[anchor] = &rep;
  return rep;
}

void TreeBuilder::place(Rep& rep) {
  if (open_.empty()) {
    root_ = &rep;
  } else if (Open& parent = open_.back(); parent.rep->type == Node::Type::sequence) {
    parent.rep->items.push_back(&rep);
  } else if (!parent.key) {
    parent.key = &rep;
  } else {
    // An empty value has no place of its own: yaml-cpp gives that of whatever comes next.
    if (rep.type == Node::Type::null && rep.mark.line != parent.key->mark.line) rep.mark = parent.key->mark;
    parent.rep->entries.emplace_back(std::exchange(parent.key, nullptr), &rep);
  }
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) { place(make(Node::Type::null, mark, anchor)); }

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  Rep* target = anchors_[anchor];
  const bool inside = std::any_of(open_.begin(), open_.end(), [&](const Open& o) { return o.rep == target; });
  if (!target || inside) {
    errors_.add(mark_of(mark), "", "this alias stands inside the value that it names");
    target = &make(Node::Type::null, mark, 0);
  }
  place(*target);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  Rep& rep = make(Node::Type::scalar, mark, anchor);
  rep.scalar = value;
  rep.quoted = tag == "!";
  rep.text_mark = text_mark_of(rep.mark);
  const Mark& text = rep.text_mark;
  const bool in_quotes = rep.quoted && text.column >= 2 && text.column - 2 < line(text.line).size() &&
                         std::string_view("\"'").find(line(text.line)[text.column - 2]) != std::string_view::npos;
  if (in_quotes && !broken_ && !quote_is_closed(text)) {
    errors_.add({file_, text.line, text.column - 1}, "", "this quoted text is not closed");
    broken_ = true;
  }
  place(rep);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value) {
  Rep& rep = make(Node::Type::sequence, mark, anchor);
  place(rep);
  open_.push_back({&rep});
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  Rep& rep = make(Node::Type::mapping, mark, anchor);
  place(rep);
  open_.push_back({&rep});
}

void TreeBuilder::tidy(Rep& rep, const std::string& path) {
  if (std::exchange(rep.tidied, true)) return;
  const auto visit = [&](const Rep* child, const std::string& child_path) {
    tidy(const_cast<Rep&>(*child), child_path);  // made by make(): never const itself
    rep.weight = std::min(rep.weight + child->weight, kMostValues + 1);
  };
  for (std::size_t i = 0; i < rep.items.size(); ++i) visit(rep.items[i], path + "[" + std::to_string(i) + "]");
  if (rep.type == Node::Type::mapping) tidy_mapping(rep, path);
  for (const auto& [key, value] : rep.entries) visit(value, detail::join_path(path, key->scalar));
}

void TreeBuilder::tidy_mapping(Rep& rep, const std::string& path) {
  std::vector<std::pair<const Rep*, const Rep*>> kept;
  std::vector<std::pair<const Rep*, const Rep*>> merged;
  std::map<std::string_view, const Rep*> seen;
  for (const auto& entry : rep.entries) {
    const Rep* key = entry.first;
    if (key->type == Node::Type::null) {
      errors_.add(key->mark, path, "a key is empty: write a word before the ':'");
    } else if (key->type != Node::Type::scalar) {
      errors_.add(key->mark, path, "a key must be a word, not a list or a mapping: quote the text if it is one");
    } else if (key->scalar == "<<" && !key->quoted) {
      merged.push_back(entry);
    } else if (const auto [first, fresh] = seen.emplace(key->scalar, key); !fresh) {
      errors_.add(key->mark, detail::join_path(path, key->scalar),
                  "given twice; the first is in line " + std::to_string(first->second->mark.line));
    } else {
      kept.push_back(entry);
    }
  }
  rep.entries = std::move(kept);
  if (merged.size() > 1)
    errors_.add(merged[1].first->mark, path, "<< is given twice: write <<: [*first, *second], of which the first wins");
  for (const auto& [key, value] : merged) merge(rep, *key, *value, path);
}

// The keys of `value` that the mapping has not got yet.
void TreeBuilder::merge(Rep& rep, const Rep& key, const Rep& value, const std::string& path) {
  if (value.type == Node::Type::sequence) {
    for (const Rep* item : value.items) {
      if (item->type == Node::Type::sequence) errors_.add(item->mark, path, "<< takes no list within its list");
      else merge(rep, key, *item, path);
    }
    return;
  }
  if (value.type != Node::Type::mapping) {
    errors_.add(key.mark, path, "<< takes a mapping or a list of mappings, such as <<: *name");
    return;
  }
  tidy(const_cast<Rep&>(value), path);
  for (const auto& entry : value.entries) {
    const bool known = std::any_of(rep.entries.begin(), rep.entries.end(),
                                   [&](const auto& own) { return own.first->scalar == entry.first->scalar; });
    if (!known) rep.entries.push_back(entry);
  }
}

Node Node::parse(std::string_view text, const std::string& file, Errors& errors, Documents documents) {
  return TreeBuilder(text, file, errors, documents).build();
}

Node TreeBuilder::with_entries(const Node& root, const std::string& key,
                               const std::vector<std::pair<Node, Node>>& more) {
  struct Joined {
    Rep root, key, mapping;
    std::vector<std::shared_ptr<const Rep>> trees;
  };
  const auto joined = std::make_shared<Joined>();
  joined->root = *root.rep_;
  joined->trees.push_back(root.rep_);
  joined->mapping.type = Node::Type::mapping;
  auto& entries = joined->root.entries;
  auto place =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first->scalar == key; });
  if (place == entries.end()) {
    joined->key.type = Node::Type::scalar;
    joined->key.scalar = key;
    joined->key.mark = joined->mapping.mark = root.mark();
    place = entries.insert(entries.end(), {&joined->key, &joined->mapping});
  } else if (place->second->type == Node::Type::mapping || place->second->type == Node::Type::null) {
    joined->mapping = *place->second;
    joined->mapping.type = Node::Type::mapping;
    place->second = &joined->mapping;
  } else {
    return root;
  }
  for (const auto& [name, value] : more) {
    joined->mapping.entries.emplace_back(name.rep_.get(), value.rep_.get());
    joined->trees.insert(joined->trees.end(), {name.rep_, value.rep_});
  }
  return Node(std::shared_ptr<const Rep>(joined, &joined->root));
}

}  // namespace config
