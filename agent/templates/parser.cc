#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/rune.h"
#include "go/format.h"
#include "templates/ast.h"
#include "templates/functions.h"
#include "templates/lexer.h"

namespace templates {

const std::string_view kPreamble =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

namespace {

constexpr int kMaxNesting = 100;

std::string describe(const Token& token) {
  if (token.kind == TokenKind::eof) return "EOF";
  if (token.kind == TokenKind::error) return token.text;
  if (token.kind == TokenKind::dot || token.kind == TokenKind::nil || token.kind == TokenKind::keyword)
    return "<" + token.text + ">";
  return go::quote_shortened(token.text);
}

// Go's number syntax: decimal, 0x, 0o, 0b, 017, underscores, floats, hexadecimal floats.
bool parse_integer(std::string text, std::int64_t& out) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.erase(0, 1);
  std::erase(text, '_');
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.erase(0, mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  if (negative) text.insert(0, "-");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool parse_number(const std::string& text, Number& n) {
  if (parse_integer(text, n.integer)) {
    n.is_integer = n.is_float = true;
    n.real = static_cast<double>(n.integer);
    return true;
  }
  std::string plain = text;
  std::erase(plain, '_');
  const auto real = go::parse_float(plain);
  if (!real || plain.find_first_of(".eEpP") == std::string::npos) return false;
  n.is_float = true;
  n.real = *real;
  if (std::abs(n.real) < 9e18 && n.real == std::trunc(n.real)) {
    n.is_integer = true;
    n.integer = static_cast<std::int64_t>(n.real);
  }
  return true;
}

// Recursive descent. After a mistake every function returns null; the first message stays.
class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokenize(text)) {}

  base::Result<Tree> run(std::string_view text) {
    Tree tree;
    tree.text = text;
    tree.root = std::make_unique<Node>(NodeKind::list, 0);
    variables_ = {"$"};
    while (!failed() && peek().kind != TokenKind::eof) {
      if (at_definition()) definition(tree);
      else if (NodePtr node = text_or_action(tree)) tree.root->children.push_back(std::move(node));
      else if (ending_) fail(fmt::format("unexpected {{{{{}}}}}", *ending_ == Ending::end ? "end" : "else"));
    }
    if (failed()) return base::fail(base::Kind::invalid, fmt::format("line {}: {}", error_line_, error_));
    return tree;
  }

 private:
  enum class Ending { end, otherwise };  // what closed a list

  bool failed() const { return !error_.empty(); }
  NodePtr fail(std::string message) { return fail_at(line(), std::move(message)); }
  NodePtr fail_at(std::size_t at_line, std::string message) {
    if (!failed()) {
      error_ = std::move(message);
      error_line_ = at_line;
    }
    return nullptr;
  }
  std::size_t line() const { return tokens_[std::min(at_, tokens_.size() - 1)].line; }
  NodePtr unexpected(const Token& token, std::string_view context) {
    if (token.kind == TokenKind::error) return fail_at(token.line, token.text);
    return fail_at(token.line, fmt::format("unexpected {} in {}", describe(token), context));
  }

  const Token& peek() const { return tokens_[std::min(at_, tokens_.size() - 1)]; }
  const Token& next() {
    const Token& token = peek();
    if (at_ < tokens_.size()) ++at_;
    return token;
  }
  const Token& peek_word() {
    while (peek().kind == TokenKind::space) ++at_;
    return peek();
  }
  const Token& next_word() {
    peek_word();
    return next();
  }
  bool is_keyword(const Token& token, std::string_view word) const {
    return token.kind == TokenKind::keyword && token.text == word;
  }
  bool expect(TokenKind kind, std::string_view context) {
    const Token& token = next_word();
    if (token.kind == kind) return true;
    unexpected(token, context);
    return false;
  }

  // ---- text, actions, control ----

  bool at_definition() {
    if (peek().kind != TokenKind::left_delimiter) return false;
    std::size_t after = at_ + 1;
    while (after < tokens_.size() && tokens_[after].kind == TokenKind::space) ++after;
    return after < tokens_.size() && is_keyword(tokens_[after], "define");
  }

  bool template_name(std::string& quoted, std::string& name, std::string_view context) {
    const Token& token = next_word();
    if (token.kind != TokenKind::string && token.kind != TokenKind::raw_string) {
      unexpected(token, context);
      return false;
    }
    const auto plain = go::unquote(token.text);
    if (!plain) {
      fail(plain.error().text);
      return false;
    }
    quoted = token.text;
    name = *plain;
    return true;
  }

  void definition(Tree& tree) {
    next();
    next_word();
    std::string quoted, name;
    if (!template_name(quoted, name, "define clause") || !expect(TokenKind::right_delimiter, "define clause")) return;
    body_of(tree, name);
  }

  // A template of its own: it sees no variable of the outer one.
  void body_of(Tree& tree, const std::string& name) {
    std::vector<std::string> outer = {"$"};
    outer.swap(variables_);
    NodePtr body = list(tree);
    if (!failed() && ending_ != Ending::end) unexpected_else();
    variables_.swap(outer);
    if (!failed()) tree.definitions[name] = std::move(body);
  }
  void unexpected_else() { fail("unexpected {{else}} in define clause"); }

  // Up to {{end}} or {{else}}, which ending_ tells.
  NodePtr list(Tree& tree) {
    auto out = std::make_unique<Node>(NodeKind::list, peek().pos);
    if (++depth_ > kMaxNesting) return fail("nested too deeply");
    ending_.reset();
    while (!failed()) {
      if (peek().kind == TokenKind::eof) return fail("unexpected EOF");
      NodePtr node = text_or_action(tree);
      if (node) {
        out->children.push_back(std::move(node));
      } else if (ending_) {
        --depth_;
        return out;
      }
    }
    return nullptr;
  }

  NodePtr text_or_action(Tree& tree) {
    const Token& token = next_word();
    if (token.kind == TokenKind::text) {
      auto node = std::make_unique<Node>(NodeKind::text, token.pos);
      node->text = token.text;
      return node;
    }
    if (token.kind != TokenKind::left_delimiter) return unexpected(token, "input");
    ending_.reset();
    return action(tree);
  }

  NodePtr action(Tree& tree) {
    const Token& token = peek_word();
    if (token.kind == TokenKind::keyword) {
      next();
      if (token.text == "if") return branch(tree, NodeKind::branch_if, "if");
      if (token.text == "with") return branch(tree, NodeKind::branch_with, "with");
      if (token.text == "range") return branch(tree, NodeKind::range, "range");
      if (token.text == "end") return end();
      if (token.text == "else") return otherwise();
      if (token.text == "break") return loop_control(NodeKind::leave, token);
      if (token.text == "continue") return loop_control(NodeKind::next, token);
      if (token.text == "template") return call();
      if (token.text == "block") return block(tree);
      return unexpected(token, "command");
    }
    auto node = std::make_unique<Node>(NodeKind::action, token.pos);
    NodePtr pipe = pipeline("command", TokenKind::right_delimiter);
    if (failed()) return nullptr;
    node->children.push_back(std::move(pipe));
    return node;
  }

  NodePtr end() {
    if (expect(TokenKind::right_delimiter, "end")) ending_ = Ending::end;
    return nullptr;
  }
  NodePtr otherwise() {
    const Token& token = peek_word();
    if (is_keyword(token, "if") || is_keyword(token, "with")) ending_ = Ending::otherwise;  // {{else if …}}
    else if (expect(TokenKind::right_delimiter, "else")) ending_ = Ending::otherwise;
    return nullptr;
  }
  NodePtr loop_control(NodeKind kind, const Token& token) {
    const std::string name = "{{" + token.text + "}}";
    const Token& after = next_word();
    if (after.kind != TokenKind::right_delimiter) return unexpected(after, name);
    if (range_depth_ == 0) return fail(name + " outside {{range}}");
    return std::make_unique<Node>(kind, token.pos);
  }

  NodePtr branch(Tree& tree, NodeKind kind, const char* context) {
    const std::size_t variables_before = variables_.size();
    NodePtr pipe = pipeline(context, TokenKind::right_delimiter);
    if (failed()) return nullptr;
    auto node = std::make_unique<Node>(kind, pipe->pos);
    node->children.push_back(std::move(pipe));
    if (kind == NodeKind::range) ++range_depth_;
    NodePtr body = list(tree);
    if (kind == NodeKind::range) --range_depth_;
    if (failed()) return nullptr;
    node->children.push_back(std::move(body));
    if (ending_ == Ending::otherwise) {
      NodePtr other = else_branch(tree, kind);
      if (failed()) return nullptr;
      node->children.push_back(std::move(other));
    } else {
      node->children.push_back(nullptr);
    }
    variables_.resize(variables_before);
    ending_.reset();
    return node;
  }

  NodePtr else_branch(Tree& tree, NodeKind kind) {
    const Token& token = peek_word();
    const bool chained = (kind == NodeKind::branch_if && is_keyword(token, "if")) ||
                         (kind == NodeKind::branch_with && is_keyword(token, "with"));
    if (chained) {
      // {{else if}} is an {{if}} inside the else list that shares our {{end}}.
      if (++depth_ > kMaxNesting) return fail("nested too deeply");
      next();
      auto out = std::make_unique<Node>(NodeKind::list, token.pos);
      NodePtr inner = branch(tree, kind, kind == NodeKind::branch_if ? "if" : "with");
      --depth_;
      if (failed()) return nullptr;
      out->children.push_back(std::move(inner));
      return out;
    }
    if (is_keyword(token, "if") || is_keyword(token, "with")) return unexpected(token, "else");
    NodePtr out = list(tree);
    if (!failed() && ending_ != Ending::end) return fail("expected end; found {{else}}");
    return out;
  }

  NodePtr call() {
    const Token& token = peek_word();
    auto node = std::make_unique<Node>(NodeKind::call, token.pos);
    if (!template_name(node->text, node->value, "template clause")) return nullptr;
    if (peek_word().kind == TokenKind::right_delimiter) {
      next();
      return node;
    }
    NodePtr pipe = pipeline("template clause", TokenKind::right_delimiter);
    if (failed()) return nullptr;
    node->children.push_back(std::move(pipe));
    return node;
  }

  NodePtr block(Tree& tree) {
    const Token& token = peek_word();
    auto node = std::make_unique<Node>(NodeKind::call, token.pos);
    if (!template_name(node->text, node->value, "block clause")) return nullptr;
    NodePtr pipe = pipeline("block clause", TokenKind::right_delimiter);
    if (failed()) return nullptr;
    node->children.push_back(std::move(pipe));
    body_of(tree, node->value);
    if (failed()) return nullptr;
    ending_.reset();
    return node;
  }

  // ---- pipelines ----

  // $x :=, $x =, and in a range $i, $x :=. What looks like one but is not stays where it is.
  bool declarations(Node& pipe, std::string_view context) {
    while (peek_word().kind == TokenKind::variable) {
      const std::size_t before = at_;
      const Token& variable = next();
      const Token& after = peek_word();
      if (after.kind == TokenKind::assign || after.kind == TokenKind::declare) {
        pipe.assigns = after.kind == TokenKind::assign;
        next();
        pipe.variables.push_back(variable.text);
        if (pipe.assigns && !known(variable.text)) return fail_bool(undefined(variable.text));
        declared_.push_back(variable.text);
        return true;
      }
      if (after.kind != TokenKind::character || after.text != ",") {
        at_ = before;
        return true;
      }
      next();
      pipe.variables.push_back(variable.text);
      declared_.push_back(variable.text);
      if (context != "range" || pipe.variables.size() >= 2)
        return fail_bool(fmt::format("too many declarations in {}", context));
      const TokenKind then = peek_word().kind;
      if (then != TokenKind::variable && then != TokenKind::right_delimiter && then != TokenKind::right_paren)
        return fail_bool("range can only initialize variables");
    }
    return true;
  }
  bool fail_bool(std::string message) {
    fail(std::move(message));
    return false;
  }
  bool known(std::string_view name) const {
    return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }
  static std::string undefined(std::string_view name) { return "undefined variable " + go::quote(name); }

  NodePtr pipeline(std::string_view context, TokenKind closing) {
    if (++depth_ > kMaxNesting) return fail("nested too deeply");
    auto pipe = std::make_unique<Node>(NodeKind::pipe, peek_word().pos);
    declared_.clear();
    if (!declarations(*pipe, context)) return nullptr;
    // A variable is known from its own pipeline on, as in Go.
    for (const std::string& name : std::exchange(declared_, {})) variables_.push_back(name);
    while (!failed()) {
      const Token& token = peek_word();
      switch (token.kind) {
        case TokenKind::boolean:
        case TokenKind::character_constant:
        case TokenKind::dot:
        case TokenKind::field:
        case TokenKind::identifier:
        case TokenKind::number:
        case TokenKind::nil:
        case TokenKind::raw_string:
        case TokenKind::string:
        case TokenKind::variable:
        case TokenKind::left_paren: {
          NodePtr one = command();
          if (one) pipe->children.push_back(std::move(one));
          break;
        }
        default:
          next();
          if (token.kind != closing) return unexpected(token, context);
          --depth_;
          return checked(std::move(pipe), context);
      }
    }
    return nullptr;
  }

  NodePtr checked(NodePtr pipe, std::string_view context) {
    if (pipe->children.empty()) return fail(fmt::format("missing value for {}", context));
    for (std::size_t i = 1; i < pipe->children.size(); ++i) {
      const NodeKind first = pipe->children[i]->children[0]->kind;
      if (first == NodeKind::boolean || first == NodeKind::dot || first == NodeKind::nil || first == NodeKind::number ||
          first == NodeKind::string)
        return fail(fmt::format("non executable command in pipeline stage {}", i + 1));
    }
    return pipe;
  }

  NodePtr command() {
    auto out = std::make_unique<Node>(NodeKind::command, peek_word().pos);
    while (!failed()) {
      peek_word();
      if (NodePtr one = operand()) out->children.push_back(std::move(one));
      if (failed()) return nullptr;
      const Token& token = peek();
      if (token.kind == TokenKind::space) {
        next();
        continue;
      }
      if (token.kind == TokenKind::right_delimiter || token.kind == TokenKind::right_paren) break;
      next();
      if (token.kind == TokenKind::pipe) break;
      return unexpected(token, "operand");
    }
    if (out->children.empty()) return fail("empty command");
    return out;
  }

  NodePtr operand() {
    NodePtr node = term();
    if (!node || peek().kind != TokenKind::field) return node;
    const std::size_t pos = peek().pos;
    std::vector<std::string> names;
    while (peek().kind == TokenKind::field) names.push_back(next().text.substr(1));
    switch (node->kind) {
      case NodeKind::field:
      case NodeKind::variable:
        node->pos = pos;
        node->names.insert(node->names.end(), names.begin(), names.end());
        return node;
      case NodeKind::boolean:
      case NodeKind::string:
      case NodeKind::number:
      case NodeKind::nil:
      case NodeKind::dot: return fail(fmt::format("unexpected . after term {}", go::quote(node->to_string())));
      default: break;
    }
    auto chain = std::make_unique<Node>(NodeKind::chain, pos);
    chain->children.push_back(std::move(node));
    chain->names = std::move(names);
    return chain;
  }

  // Null without a mistake: no operand starts here.
  NodePtr term() {
    const Token& token = peek_word();
    const auto plain = [&](NodeKind kind) {
      auto node = std::make_unique<Node>(kind, token.pos);
      node->text = token.text;
      next();
      return node;
    };
    switch (token.kind) {
      case TokenKind::identifier:
        if (!is_function(token.text)) return fail(fmt::format("function {} not defined", go::quote(token.text)));
        return plain(NodeKind::function);
      case TokenKind::dot: return plain(NodeKind::dot);
      case TokenKind::nil: return plain(NodeKind::nil);
      case TokenKind::boolean: return plain(NodeKind::boolean);
      case TokenKind::variable: {
        if (!known(token.text)) return fail(undefined(token.text));
        NodePtr node = plain(NodeKind::variable);
        node->names = {token.text};
        return node;
      }
      case TokenKind::field: {
        NodePtr node = plain(NodeKind::field);
        node->names = {token.text.substr(1)};
        return node;
      }
      case TokenKind::number: {
        NodePtr node = plain(NodeKind::number);
        if (!parse_number(token.text, node->number))
          return fail(fmt::format("bad number syntax: {}", go::quote(token.text)));
        return node;
      }
      case TokenKind::character_constant: {
        NodePtr node = plain(NodeKind::number);
        const auto text = go::unquote(token.text);
        std::size_t bytes = 0;
        if (!text || text->empty()) return fail(fmt::format("malformed character constant: {}", token.text));
        node->number = {true, true, static_cast<std::int64_t>(base::first_rune(*text, bytes)), 0};
        if (bytes != text->size()) return fail(fmt::format("malformed character constant: {}", token.text));
        node->number.real = static_cast<double>(node->number.integer);
        return node;
      }
      case TokenKind::string:
      case TokenKind::raw_string: {
        NodePtr node = plain(NodeKind::string);
        auto text = go::unquote(token.text);
        if (!text) return fail(text.error().text);
        node->value = std::move(*text);
        return node;
      }
      case TokenKind::left_paren: next(); return pipeline("parenthesized pipeline", TokenKind::right_paren);
      default: return nullptr;
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::vector<std::string> variables_, declared_;
  std::optional<Ending> ending_;
  int depth_ = 0, range_depth_ = 0;
  std::string error_;
  std::size_t error_line_ = 0;
};

}  // namespace

base::Result<Tree> parse_template(std::string_view text) {
  const std::string whole = std::string(kPreamble) + std::string(text);
  return Parser(whole).run(whole);
}

}  // namespace templates
