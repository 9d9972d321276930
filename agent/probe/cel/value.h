// The values of the Common Expression Language, as far as JSON and its expressions have them. Values are cheap to copy:
// what is long lies in a Memory, or in the expression, and both outlive the evaluation.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace probe::cel {

enum class Kind { null, boolean, integer, unsigned_integer, real, string, list, map, error };

struct Value;
using List = std::vector<Value>;
struct KeyOrder {
  bool operator()(const Value& a, const Value& b) const;
};
using Map = std::map<Value, Value, KeyOrder>;

struct Value {
  Kind kind = Kind::null;
  union {
    bool boolean;
    std::int64_t integer;
    std::uint64_t unsigned_integer;
    double real;
    const List* list;
    const Map* map;
  };
  std::string_view text{};  // of a string; of an error, what went wrong

  Value() : integer(0) {}
  explicit Value(bool b) : kind(Kind::boolean), boolean(b) {}
  explicit Value(std::int64_t i) : kind(Kind::integer), integer(i) {}
  explicit Value(std::uint64_t u) : kind(Kind::unsigned_integer), unsigned_integer(u) {}
  explicit Value(double d) : kind(Kind::real), real(d) {}
  explicit Value(std::string_view s) : kind(Kind::string), integer(0), text(s) {}
  explicit Value(const List& l) : kind(Kind::list), list(&l) {}
  explicit Value(const Map& m) : kind(Kind::map), map(&m) {}
  explicit Value(const char*) = delete;

  bool is(Kind k) const { return kind == k; }
  bool is_number() const { return is(Kind::integer) || is(Kind::unsigned_integer) || is(Kind::real); }
  bool is_true() const { return is(Kind::boolean) && boolean; }
  bool is_false() const { return is(Kind::boolean) && !boolean; }
};

// Where long values lie while an expression is evaluated.
class Memory {
 public:
  Value string(std::string text) { return Value(std::string_view(strings_.emplace_back(std::move(text)))); }
  Value list(List list) { return Value(lists_.emplace_back(std::move(list))); }
  Value map(Map map) { return Value(maps_.emplace_back(std::move(map))); }
  Value error(std::string text);

 private:
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Map> maps_;
};

std::string_view name_of(Kind kind);  // "int", "uint", "double", "string", "null_type" …
// Numbers are equal across their types; other values of different types are not equal. Never an error.
bool equal(const Value& a, const Value& b);
// -1, 0 or 1; 2: the two have no order (NaN); 3: there is none between such types.
int compare(const Value& a, const Value& b);
// As an expression would be written: 1, 1u, 1.5, "text", [1, 2], {"a": 1}; "error: …".
std::string shown(const Value& value);

}  // namespace probe::cel
