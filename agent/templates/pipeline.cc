// Pipelines: declarations, commands and their operands.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/rune.h"
#include "go/format.h"
#include "templates/functions.h"
#include "templates/number.h"
#include "templates/parser.h"

namespace templates {

bool Parser::declarations(Node& pipe, std::string_view context) {
  while (peek_word().kind == TokenKind::variable) {
    const std::size_t before = at_;
    const Token& variable = next();
    const Token& after = peek_word();
    if (after.kind == TokenKind::assign || after.kind == TokenKind::declare) {
      pipe.assigns = after.kind == TokenKind::assign;
      next();
      pipe.names.push_back(variable.text);
      if (pipe.assigns && !known(variable.text)) return fail_bool(undefined(variable.text));
      declared_.push_back(variable.text);
      return true;
    }
    if (after.kind != TokenKind::character || after.text != ",") {
      at_ = before;
      return true;
    }
    next();
    pipe.names.push_back(variable.text);
    declared_.push_back(variable.text);
    if (context != "range" || pipe.names.size() >= 2)
      return fail_bool(fmt::format("too many declarations in {}", context));
    const TokenKind then = peek_word().kind;
    if (then != TokenKind::variable && then != TokenKind::right_delimiter && then != TokenKind::right_paren)
      return fail_bool("range can only initialize variables");
  }
  return true;
}

bool Parser::fail_bool(std::string message) {
  fail(std::move(message));
  return false;
}

bool Parser::known(std::string_view name) const {
  return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
}

std::string Parser::undefined(std::string_view name) { return "undefined variable " + go::quote(name); }

NodePtr Parser::pipeline(std::string_view context, TokenKind closing) {
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

NodePtr Parser::checked(NodePtr pipe, std::string_view context) {
  if (pipe->children.empty()) return fail(fmt::format("missing value for {}", context));
  for (std::size_t i = 1; i < pipe->children.size(); ++i) {
    const NodeKind first = pipe->children[i]->children[0]->kind;
    if (first == NodeKind::boolean || first == NodeKind::dot || first == NodeKind::nil || first == NodeKind::number ||
        first == NodeKind::string)
      return fail(fmt::format("non executable command in pipeline stage {}", i + 1));
  }
  return pipe;
}

NodePtr Parser::command() {
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

NodePtr Parser::operand() {
  NodePtr node = term();
  if (!node || peek().kind != TokenKind::field) return node;
  const auto pos = static_cast<std::uint32_t>(peek().pos);
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

NodePtr Parser::term() {
  const Token& token = peek_word();
  const auto plain = [&](NodeKind kind) {
    auto node = std::make_unique<Node>(kind, token.pos);
    node->text = token.text;
    next();
    return node;
  };
  switch (token.kind) {
    case TokenKind::identifier:
      if (find_function(token.text, dialect_) == nullptr)
        return fail(fmt::format("function {} not defined", go::quote(token.text)));
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
      Number number;
      if (!parse_number(token.text, number)) return fail(fmt::format("bad number syntax: {}", go::quote(token.text)));
      node->number = std::make_unique<const Number>(number);
      return node;
    }
    case TokenKind::character_constant: {
      NodePtr node = plain(NodeKind::number);
      const auto text = go::unquote(token.text);
      std::size_t bytes = 0;
      if (!text || text->empty()) return fail(fmt::format("malformed character constant: {}", token.text));
      const std::int64_t rune = base::first_rune(*text, bytes);
      if (bytes != text->size()) return fail(fmt::format("malformed character constant: {}", token.text));
      node->number = std::make_unique<const Number>(Number{true, true, rune, static_cast<double>(rune)});
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

}  // namespace templates
