// Text with variables in it, such as "/cart/${cart}": what a journey learnt on its way stands in for them in later
// steps. $${ stands for the characters ${ themselves.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/node.h"

namespace probe {

struct Variable {
  std::string text;
  bool json = false;  // `text` is JSON other than a string: a number, true, null, a list …
};
using Variables = std::map<std::string, Variable, std::less<>>;

class Template {
 public:
  // What the value of a variable must not break out of.
  enum class Encoding {
    plain,       // as it is
    url,         // percent-encoded, except at the very beginning, where it may be a whole URL
    json_text,   // inside a JSON string
    json_value,  // a JSON value of its own: a string in quotes, anything else as it was captured
  };

  // Errors: a ${ without its end, or a name that is none.
  static base::Result<Template> parse(std::string_view text, Encoding encoding = Encoding::plain);
  // A JSON document as the file has it: quoted words are strings, plain ones numbers, true, false, null or strings.
  static base::Result<Template> parse_json(const config::Node& node);

  void append(std::string_view literal);
  void append(const Template& other);

  std::vector<std::string> variables() const;
  // Errors (not_found): the first variable that has no value.
  base::Result<std::string> fill(const Variables& variables) const;
  const std::string& text() const { return text_; }  // as in the file, for messages

 private:
  struct Piece {
    std::string text;  // of a literal, or the variable's name
    bool variable = false;
    Encoding encoding = Encoding::plain;
  };
  base::Result<> append_parsed(std::string_view text, Encoding encoding);
  base::Result<> append_json(const config::Node& node);
  base::Result<> append_json_string(const std::string& text);

  std::vector<Piece> pieces_;
  std::string text_;
};

bool read(const config::Node& node, Template& out, std::string& why);
std::string show(const Template& value);

// [A-Za-z_][A-Za-z0-9_]*
bool is_variable_name(std::string_view name);

}  // namespace probe
