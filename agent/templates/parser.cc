#include "templates/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "go/format.h"

namespace templates {

const std::string_view kPreamble =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

namespace {

std::string describe(const Token& token) {
  if (token.kind == TokenKind::eof) return "EOF";
  if (token.kind == TokenKind::error) return token.text;
  if (token.kind == TokenKind::dot || token.kind == TokenKind::nil || token.kind == TokenKind::keyword)
    return "<" + token.text + ">";
  return go::quote_shortened(token.text);
}

}  // namespace

base::Result<Tree> Parser::run(std::string_view text) {
  Tree tree;
  tree.text = text;
  tree.dialect = dialect_;
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

bool Parser::failed() const { return !error_.empty(); }

NodePtr Parser::fail(std::string message) { return fail_at(line(), std::move(message)); }

NodePtr Parser::fail_at(std::size_t at_line, std::string message) {
  if (!failed()) {
    error_ = std::move(message);
    error_line_ = at_line;
  }
  return nullptr;
}

std::size_t Parser::line() const { return tokens_[std::min(at_, tokens_.size() - 1)].line; }

NodePtr Parser::unexpected(const Token& token, std::string_view context) {
  if (token.kind == TokenKind::error) return fail_at(token.line, token.text);
  return fail_at(token.line, fmt::format("unexpected {} in {}", describe(token), context));
}

const Token& Parser::peek() const { return tokens_[std::min(at_, tokens_.size() - 1)]; }

const Token& Parser::next() {
  const Token& token = peek();
  if (at_ < tokens_.size()) ++at_;
  return token;
}

const Token& Parser::peek_word() {
  while (peek().kind == TokenKind::space) ++at_;
  return peek();
}

const Token& Parser::next_word() {
  peek_word();
  return next();
}

bool Parser::is_keyword(const Token& token, std::string_view word) const {
  return token.kind == TokenKind::keyword && token.text == word;
}

bool Parser::expect(TokenKind kind, std::string_view context) {
  const Token& token = next_word();
  if (token.kind == kind) return true;
  unexpected(token, context);
  return false;
}

// ---- text, actions, control ----

bool Parser::at_definition() {
  if (peek().kind != TokenKind::left_delimiter) return false;
  std::size_t after = at_ + 1;
  while (after < tokens_.size() && tokens_[after].kind == TokenKind::space) ++after;
  return after < tokens_.size() && is_keyword(tokens_[after], "define");
}

bool Parser::template_name(std::string& quoted, std::string& name, std::string_view context) {
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

void Parser::definition(Tree& tree) {
  next();
  next_word();
  std::string quoted, name;
  if (!template_name(quoted, name, "define clause") || !expect(TokenKind::right_delimiter, "define clause")) return;
  body_of(tree, name);
}

void Parser::body_of(Tree& tree, const std::string& name) {
  std::vector<std::string> outer = {"$"};
  outer.swap(variables_);
  NodePtr body = list(tree);
  if (!failed() && ending_ != Ending::end) unexpected_else();
  variables_.swap(outer);
  if (!failed()) tree.definitions[name] = std::move(body);
}

void Parser::unexpected_else() { fail("unexpected {{else}} in define clause"); }

NodePtr Parser::list(Tree& tree) {
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

NodePtr Parser::text_or_action(Tree& tree) {
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

NodePtr Parser::action(Tree& tree) {
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

NodePtr Parser::end() {
  if (expect(TokenKind::right_delimiter, "end")) ending_ = Ending::end;
  return nullptr;
}

NodePtr Parser::otherwise() {
  const Token& token = peek_word();
  if (is_keyword(token, "if") || is_keyword(token, "with")) ending_ = Ending::otherwise;  // {{else if …}}
  else if (expect(TokenKind::right_delimiter, "else")) ending_ = Ending::otherwise;
  return nullptr;
}

NodePtr Parser::loop_control(NodeKind kind, const Token& token) {
  const std::string name = "{{" + token.text + "}}";
  const Token& after = next_word();
  if (after.kind != TokenKind::right_delimiter) return unexpected(after, name);
  if (range_depth_ == 0) return fail(name + " outside {{range}}");
  return std::make_unique<Node>(kind, token.pos);
}

NodePtr Parser::branch(Tree& tree, NodeKind kind, const char* context) {
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

NodePtr Parser::else_branch(Tree& tree, NodeKind kind) {
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

NodePtr Parser::call() {
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

NodePtr Parser::block(Tree& tree) {
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

base::Result<Tree> parse_template(std::string_view text, Dialect dialect) {
  const std::string whole = std::string(kPreamble) + std::string(text);
  TRY(Tree tree, Parser(whole, dialect).run(whole));
  static const base::Result<Tree> kParsedPreamble = Parser(kPreamble, Dialect::rule).run(kPreamble);
  tree.before = &*kParsedPreamble;
  std::erase_if(tree.root->children, [](const NodePtr& node) { return node->pos < kPreamble.size(); });
  tree.root->children.shrink_to_fit();
  return tree;
}

base::Result<Tree> parse_message_template(std::string_view text) { return Parser(text, Dialect::message).run(text); }

}  // namespace templates
