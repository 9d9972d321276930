// Assertions about a JSON document: {path: queue.depth, less_than: 100}.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/schema.h"
#include "probe/common/values.h"

namespace probe {

// A scalar as the file has it: 1, true, null or text. A quoted "1" is text and equals no number.
struct JsonScalar {
  std::string text;
  bool quoted = false;
};
bool read(const config::Node& node, JsonScalar& out, std::string& why);
std::string show(const JsonScalar& value);

struct JsonCheck {
  std::string path;  // a.b[0].c; "" or "$" is the whole document
  std::optional<JsonScalar> equals;
  std::optional<JsonScalar> not_equals;
  std::optional<double> less_than;
  std::optional<double> greater_than;
  std::optional<bool> exists;
  Pattern matches;  // the value as text
};

const config::Schema<JsonCheck>& json_check_schema();

using JsonStep = std::variant<std::string, std::size_t>;  // a key, or an index counted from 0
// Nothing if `path` is no path.
std::optional<std::vector<JsonStep>> parse_json_path(std::string_view path);

// "" if all hold; else the first that does not, as a sentence: "queue.depth is 120, not less than 100". `expected`, if
// given, says what the words of equals and not_equals stand for.
using ExpectedScalar = std::function<JsonScalar(const JsonScalar&)>;
std::string failed_json_check(const std::vector<JsonCheck>& checks, std::string_view body,
                              const ExpectedScalar& expected = nullptr);

struct JsonFound {
  std::string text;  // of a string without its quotes, else JSON
  bool string = false;
};
// Errors: the body is no JSON (protocol), or nothing is at `path` (not_found).
base::Result<JsonFound> find_json(const std::string& path, std::string_view body);
// The same of many paths at once; nothing where nothing is.
base::Result<std::vector<std::optional<JsonFound>>> find_all_json(const std::vector<std::string>& paths,
                                                                  std::string_view body);

}  // namespace probe
