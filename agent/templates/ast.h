// The tree of a parsed template. One node type with a kind: the tree is walked in one place, by the interpreter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "templates/functions.h"

namespace templates {

enum class NodeKind : std::uint8_t {
  list,         // children
  text,         // text
  action,       // children: pipe
  pipe,         // names of variables, assigns; children: commands
  command,      // children: operands
  dot,          //
  nil,          //
  boolean,      // text
  number,       // text, number
  string,       // text: as written; value: unquoted
  field,        // names
  variable,     // names, the first with its $
  chain,        // children: the operand before the first name; names
  function,     // text
  branch_if,    // children: pipe, list, else list or null
  branch_with,  // the same
  range,        // the same
  call,         // {{template}}: text as written, value; children: pipe or nothing
  leave,        // {{break}}
  next,         // {{continue}}
};

struct Number {
  bool is_integer = false;
  bool is_float = false;
  std::int64_t integer = 0;
  double real = 0;
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  Node(NodeKind k, std::size_t at) : kind(k), pos(static_cast<std::uint32_t>(at)) {}
  NodeKind kind;
  bool assigns = false;
  std::uint32_t pos;  // in the text, the preamble included: what Go's errors show
  std::string text, value;
  std::vector<std::string> names;
  std::unique_ptr<const Number> number;  // of a number; most nodes are none
  std::vector<NodePtr> children;

  // As Go prints it, for the "at <…>" of run-time errors.
  std::string to_string() const;
};

struct Tree {
  std::string text;              // with the preamble
  const Tree* before = nullptr;  // what is walked before the root: the preamble's, which is one for all
  NodePtr root;
  std::map<std::string, NodePtr, std::less<>> definitions;  // {{define}} and {{block}}
  Dialect dialect = Dialect::rule;
  struct Part {
    std::size_t begin;
    std::string name;
  };
  std::vector<Part> parts{};  // of a text that was put together from several; empty: it is one
};

// Before every template of a rule stand the definitions of $labels, $externalLabels, $externalURL and $value.
extern const std::string_view kPreamble;

// Go's message and the line it stands on: "line 2: unclosed action".
base::Result<Tree> parse_template(std::string_view text, Dialect dialect);
// The same of a message, without a preamble.
base::Result<Tree> parse_message_template(std::string_view text);

}  // namespace templates
