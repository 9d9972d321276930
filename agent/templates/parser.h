// Text to tree, by recursive descent, as text/template reads. After a mistake every function returns null; the first
// message stays.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "templates/ast.h"
#include "templates/lexer.h"

namespace templates {

class Parser {
 public:
  explicit Parser(std::string_view text, Dialect dialect = Dialect::rule)
      : tokens_(tokenize(text)), dialect_(dialect) {}
  base::Result<Tree> run(std::string_view text);

 private:
  enum class Ending { end, otherwise };  // what closed a list
  static constexpr int kMaxNesting = 100;

  // The tokens, one after the other.
  bool failed() const;
  NodePtr fail(std::string message);
  NodePtr fail_at(std::size_t at_line, std::string message);
  std::size_t line() const;
  NodePtr unexpected(const Token& token, std::string_view context);
  const Token& peek() const;
  const Token& next();
  const Token& peek_word();
  const Token& next_word();
  bool is_keyword(const Token& token, std::string_view word) const;
  bool expect(TokenKind kind, std::string_view context);

  // Text, actions, control: parser.cc.
  bool at_definition();
  bool template_name(std::string& quoted, std::string& name, std::string_view context);
  void definition(Tree& tree);
  // A template of its own: it sees no variable of the outer one.
  void body_of(Tree& tree, const std::string& name);
  void unexpected_else();
  // Up to {{end}} or {{else}}, which ending_ tells.
  NodePtr list(Tree& tree);
  NodePtr text_or_action(Tree& tree);
  NodePtr action(Tree& tree);
  NodePtr end();
  NodePtr otherwise();
  NodePtr loop_control(NodeKind kind, const Token& token);
  NodePtr branch(Tree& tree, NodeKind kind, const char* context);
  NodePtr else_branch(Tree& tree, NodeKind kind);
  NodePtr call();
  NodePtr block(Tree& tree);

  // Pipelines and their operands: pipeline.cc.
  // $x :=, $x =, and in a range $i, $x :=. What looks like one but is not stays where it is.
  bool declarations(Node& pipe, std::string_view context);
  bool fail_bool(std::string message);
  bool known(std::string_view name) const;
  static std::string undefined(std::string_view name);
  NodePtr pipeline(std::string_view context, TokenKind closing);
  NodePtr checked(NodePtr pipe, std::string_view context);
  NodePtr command();
  NodePtr operand();
  // Null without a mistake: no operand starts here.
  NodePtr term();

  std::vector<Token> tokens_;
  Dialect dialect_;
  std::size_t at_ = 0;
  std::vector<std::string> variables_, declared_;
  std::optional<Ending> ending_;
  int depth_ = 0, range_depth_ = 0;
  std::string error_;
  std::size_t error_line_ = 0;
};

}  // namespace templates
