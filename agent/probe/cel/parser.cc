#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/edit_distance.h"
#include "probe/cel/expression.h"

namespace probe::cel {
namespace {

using Made = std::unique_ptr<Expression>;
using Sort = Expression::Kind;

constexpr int kDeepest = 60;
constexpr std::size_t kMostTokens = 2000;
constexpr std::size_t kMostVariables = 16;  // comprehensions inside each other

struct Known {
  std::string_view name;
  Function function;
  std::size_t arguments;  // with the value before the dot
  bool as_method;         // value.name(…)
  bool as_function;       // name(value, …)
};
constexpr std::array<Known, 13> kFunctions{{
    {"size", Function::size, 1, true, true},
    {"startsWith", Function::starts_with, 2, true, false},
    {"endsWith", Function::ends_with, 2, true, false},
    {"contains", Function::contains, 2, true, false},
    {"matches", Function::matches, 2, true, true},
    {"lowerAscii", Function::lower_ascii, 1, true, false},
    {"upperAscii", Function::upper_ascii, 1, true, false},
    {"int", Function::to_int, 1, false, true},
    {"uint", Function::to_uint, 1, false, true},
    {"double", Function::to_double, 1, false, true},
    {"string", Function::to_string, 1, false, true},
    {"bool", Function::to_bool, 1, false, true},
    {"dyn", Function::dyn, 1, false, true},
}};

// Of CEL, and not here: a document's times are text, and its bytes, too.
constexpr std::array<std::string_view, 14> kElsewhere{
    "timestamp", "duration",   "type",       "bytes",        "getFullYear",  "getMonth",      "getDate",
    "getHours",  "getMinutes", "getSeconds", "getDayOfWeek", "getDayOfYear", "getDayOfMonth", "getMilliseconds"};

constexpr std::array<std::pair<std::string_view, Sort>, 5> kMacros{{{"all", Sort::all},
                                                                    {"exists", Sort::exists},
                                                                    {"exists_one", Sort::exists_one},
                                                                    {"map", Sort::map_each},
                                                                    {"filter", Sort::filter}}};

constexpr std::array<std::string_view, 16> kReserved{"as",        "break",  "const",  "continue", "else", "for",
                                                     "function",  "if",     "import", "let",      "loop", "package",
                                                     "namespace", "return", "var",    "void"};

struct Operator {
  std::string_view sign;
  int strength;
  Function function;
};
constexpr std::array<Operator, 12> kOperators{{{"==", 1, Function::equals},
                                               {"!=", 1, Function::differs},
                                               {"<", 1, Function::less},
                                               {"<=", 1, Function::at_most},
                                               {">", 1, Function::greater},
                                               {">=", 1, Function::at_least},
                                               {"in", 1, Function::contained},
                                               {"+", 2, Function::add},
                                               {"-", 2, Function::subtract},
                                               {"*", 3, Function::multiply},
                                               {"/", 3, Function::divide},
                                               {"%", 3, Function::modulo}}};

class Parser {
 public:
  Parser(std::string_view text, std::string_view document) : tokens_(tokens_of(text)), document_(document) {}

  Made whole() {
    // A tree that is too deep could not even be taken apart.
    if (tokens_.size() > kMostTokens)
      throw ParseError{tokens_[kMostTokens].at, "the expression has more than 2000 words"};
    if (now().kind == Token::Kind::end) throw ParseError{0, "the expression is empty"};
    Made made = expression();
    if (now().kind != Token::Kind::end) throw ParseError{now().at, "unexpected " + said(now())};
    return made;
  }

 private:
  struct Depth {
    explicit Depth(Parser& p) : parser(p) {
      if (++parser.depth_ > kDeepest) throw ParseError{parser.now().at, "the expression is nested too deeply"};
    }
    ~Depth() { --parser.depth_; }
    Parser& parser;
  };

  const Token& now() const { return tokens_[next_]; }
  bool is_sign(std::string_view sign) const { return now().kind == Token::Kind::sign && now().text == sign; }
  bool take(std::string_view sign) {
    if (!is_sign(sign)) return false;
    ++next_;
    return true;
  }
  void expect(std::string_view sign, std::string_view after) {
    if (!take(sign))
      throw ParseError{now().at, "expected '" + std::string(sign) + "' " + std::string(after) + ", got " + said(now())};
  }
  static std::string said(const Token& token) {
    switch (token.kind) {
      case Token::Kind::end: return "the end of the expression";
      case Token::Kind::word:
      case Token::Kind::sign: return "'" + token.text + "'";
      case Token::Kind::string: return "a string";
      default: return "a number";
    }
  }

  static Made make(Sort kind, std::size_t at, std::vector<Made> inner = {}) {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->at = at;
    made->inner = std::move(inner);
    return made;
  }
  static Made make(Sort kind, std::size_t at, Made a, Made b) {
    std::vector<Made> inner;
    inner.push_back(std::move(a));
    inner.push_back(std::move(b));
    return make(kind, at, std::move(inner));
  }
  static Made call(Function function, std::size_t at, std::vector<Made> arguments) {
    Made made = make(Sort::call, at, std::move(arguments));
    made->function = function;
    return made;
  }

  Made expression() {
    const Depth depth(*this);
    Made condition = disjunction();
    if (!is_sign("?")) return condition;
    const std::size_t at = now().at;
    ++next_;
    Made yes = disjunction();
    expect(":", "between the two sides of ?");
    Made made = make(Sort::conditional, at, std::move(condition), std::move(yes));
    made->inner.push_back(expression());
    return made;
  }

  Made disjunction() {
    Made made = conjunction();
    while (is_sign("||")) {
      const std::size_t at = now().at;
      ++next_;
      made = make(Sort::logical_or, at, std::move(made), conjunction());
    }
    return made;
  }

  Made conjunction() {
    Made made = binary(1);
    while (is_sign("&&")) {
      const std::size_t at = now().at;
      ++next_;
      made = make(Sort::logical_and, at, std::move(made), binary(1));
    }
    return made;
  }

  const Operator* operator_here(int strength) const {
    if (now().kind != Token::Kind::sign && now().kind != Token::Kind::word) return nullptr;
    for (const Operator& each : kOperators)
      if (each.strength == strength && each.sign == now().text) return &each;
    return nullptr;
  }

  Made binary(int strength) {
    if (strength > 3) return unary();
    Made made = binary(strength + 1);
    while (const Operator* op = operator_here(strength)) {
      const std::size_t at = now().at;
      ++next_;
      std::vector<Made> sides;
      sides.push_back(std::move(made));
      sides.push_back(binary(strength + 1));
      made = call(op->function, at, std::move(sides));
    }
    return made;
  }

  Made unary() {
    const Depth depth(*this);
    const std::size_t at = now().at;
    if (take("!")) {
      std::vector<Made> of;
      of.push_back(unary());
      return call(Function::logical_not, at, std::move(of));
    }
    if (take("-")) {
      if (now().kind == Token::Kind::integer) return member(number(true));
      std::vector<Made> of;
      of.push_back(unary());
      return call(Function::negate, at, std::move(of));
    }
    return member(primary());
  }

  Made member(Made of) {
    while (true) {
      const std::size_t at = now().at;
      if (take("[")) {
        if (is_sign("?")) throw ParseError{now().at, "optional values are not offered; ask with has() or in"};
        of = make(Sort::index, at, std::move(of), expression());
        expect("]", "after an index");
      } else if (take(".")) {
        if (is_sign("?")) throw ParseError{now().at, "optional values are not offered; ask with has() or in"};
        if (now().kind != Token::Kind::word)
          throw ParseError{now().at, "expected a name after '.', got " + said(now())};
        const Token name = now();
        ++next_;
        of = is_sign("(") ? method(std::move(of), name) : select(std::move(of), name);
      } else if (is_sign("{")) {
        throw ParseError{now().at, "messages are not offered; there are lists [1, 2] and maps {\"a\": 1}"};
      } else {
        return of;
      }
    }
  }

  static Made select(Made of, const Token& name) {
    std::vector<Made> inner;
    inner.push_back(std::move(of));
    Made made = make(Sort::select, name.at, std::move(inner));
    made->text = name.text;
    return made;
  }

  std::vector<Made> arguments(std::string_view end) {
    std::vector<Made> all;
    while (!take(end)) {
      if (!all.empty()) {
        expect(",", "or '" + std::string(end) + "'");
        if (end == "]" && take(end)) break;
      }
      all.push_back(expression());
    }
    return all;
  }

  Made method(Made of, const Token& name) {
    expect("(", "");
    for (const auto& [macro, kind] : kMacros)
      if (name.text == macro && is_macro()) return comprehension(kind, std::move(of), name);
    std::vector<Made> all = arguments(")");
    all.insert(all.begin(), std::move(of));
    return known_call(name, std::move(all), true);
  }

  // "x, …": what a macro's parentheses begin with.
  bool is_macro() const {
    return now().kind == Token::Kind::word && tokens_[next_ + 1].kind == Token::Kind::sign &&
           tokens_[next_ + 1].text == ",";
  }

  Made comprehension(Sort kind, Made range, const Token& name) {
    const Depth depth(*this);
    if (variables_.size() == kMostVariables) throw ParseError{name.at, "macros are nested too deeply"};
    const Token variable = now();
    check_name(variable);
    next_ += 2;
    std::vector<Made> inner;
    inner.push_back(std::move(range));
    variables_.push_back(variable.text);
    inner.push_back(expression());
    if (kind == Sort::map_each && take(",")) inner.push_back(expression());
    variables_.pop_back();
    expect(")", "after the arguments of " + name.text);
    Made made = make(kind, name.at, std::move(inner));
    made->slot = variables_.size();
    return made;
  }

  Made known_call(const Token& name, std::vector<Made> all, bool as_method) {
    std::vector<std::string> names;
    for (const Known& known : kFunctions) {
      if (!(as_method ? known.as_method : known.as_function)) continue;
      names.emplace_back(known.name);
      if (known.name != name.text) continue;
      if (all.size() != known.arguments)
        throw ParseError{name.at, name.text + "() takes " + std::to_string(known.arguments - (as_method ? 1 : 0)) +
                                      " arguments, got " + std::to_string(all.size() - (as_method ? 1 : 0))};
      Made made = call(known.function, name.at, std::move(all));
      if (known.function == Function::matches) compile_pattern(*made);
      return made;
    }
    if (std::find(kElsewhere.begin(), kElsewhere.end(), name.text) != kElsewhere.end())
      throw ParseError{name.at, "the function " + name.text + "() is not offered"};
    for (const auto& [macro, kind] : kMacros)
      if (as_method && name.text == macro)
        throw ParseError{name.at, name.text + "() takes a name and an expression: list." + name.text + "(x, x > 1)"};
    const std::string near = base::nearest(name.text, names);
    throw ParseError{
        name.at, "there is no function " + name.text + "()" + (near.empty() ? "" : "; did you mean " + near + "()?")};
  }

  static void compile_pattern(Expression& call) {
    const Expression& pattern = *call.inner[1];
    if (pattern.kind != Sort::literal || !pattern.literal.is(Kind::string)) return;
    auto compiled = base::Regex::compile(pattern.literal.text);
    if (!compiled) throw ParseError{pattern.at, compiled.error().text};
    call.regex = std::move(*compiled);
  }

  Made primary() {
    const Token& token = now();
    const std::size_t at = token.at;
    switch (token.kind) {
      case Token::Kind::end: throw ParseError{at, "the expression ends where a value is expected"};
      case Token::Kind::integer: return number(false);
      case Token::Kind::unsigned_integer: return literal(Value(now().number));
      case Token::Kind::real: return literal(Value(now().real));
      case Token::Kind::string: {
        Made made = make(Sort::literal, at);
        made->text = token.text;
        made->literal = Value(std::string_view(made->text));
        ++next_;
        return made;
      }
      case Token::Kind::word: return word();
      case Token::Kind::sign: break;
    }
    if (take("(")) {
      Made made = expression();
      expect(")", "to close '('");
      return made;
    }
    if (take("[")) return make(Sort::list, at, arguments("]"));
    if (take("{")) return map(at);
    throw ParseError{at, "expected a value, got " + said(token)};
  }

  Made literal(Value value) {
    Made made = make(Sort::literal, now().at);
    made->literal = value;
    ++next_;
    return made;
  }

  Made number(bool negative) {
    constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
    const std::uint64_t digits = now().number;
    if (digits > kLargest + (negative ? 1 : 0)) throw ParseError{now().at, "the number does not fit into an int"};
    return literal(Value(negative ? static_cast<std::int64_t>(0 - digits) : static_cast<std::int64_t>(digits)));
  }

  Made map(std::size_t at) {
    std::vector<Made> inner;
    while (!take("}")) {
      if (!inner.empty()) {
        expect(",", "or '}'");
        if (take("}")) break;
      }
      inner.push_back(expression());
      expect(":", "between a key and its value");
      inner.push_back(expression());
    }
    return make(Sort::map, at, std::move(inner));
  }

  void check_name(const Token& name) const {
    if (std::find(kReserved.begin(), kReserved.end(), name.text) != kReserved.end())
      throw ParseError{name.at, "'" + name.text + "' is reserved"};
  }

  Made word() {
    const Token name = now();
    ++next_;
    if (name.text == "true" || name.text == "false" || name.text == "null") {
      Made made = make(Sort::literal, name.at);
      if (name.text != "null") made->literal = Value(name.text == "true");
      return made;
    }
    check_name(name);
    if (take("(")) {
      if (name.text == "has") return has(name);
      return known_call(name, arguments(")"), false);
    }
    for (std::size_t slot = variables_.size(); slot-- > 0;) {
      if (variables_[slot] != name.text) continue;
      Made made = make(Sort::variable, name.at);
      made->slot = slot;
      return made;
    }
    if (name.text != document_)
      throw ParseError{name.at,
                       "there is no variable '" + name.text + "'; the document is called " + std::string(document_)};
    return make(Sort::document, name.at);
  }

  Made has(const Token& name) {
    Made of = expression();
    expect(")", "after the argument of has");
    if (of->kind != Sort::select) throw ParseError{name.at, "has() takes a field, such as has(body.status)"};
    of->kind = Sort::has;
    return of;
  }

  std::vector<Token> tokens_;
  std::string_view document_;
  std::size_t next_ = 0;
  int depth_ = 0;
  std::vector<std::string> variables_;
};

}  // namespace

std::unique_ptr<Expression> parse(std::string_view text, std::string_view document) {
  return Parser(text, document).whole();
}

}  // namespace probe::cel
