#include "probe/http/json_check.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/number.h"
#include "base/text.h"
#include "encoding/json.h"
#include "encoding/json_value.h"

namespace probe {
namespace {

using nlohmann::json;

constexpr std::size_t kShown = 80;

// The library writes a value by recursion, and a service may nest brackets until the stack is used up.
constexpr std::size_t kDeepest = 1'000;

base::Result<json> document_of(std::string_view body) {
  const encoding::JsonShape shape = encoding::shape_of(body);
  if (shape.depth > kDeepest)
    return base::fail(base::Kind::protocol, "the body is nested more than " + std::to_string(kDeepest) + " deep");
  if (shape.values > encoding::kMostValues)
    return base::fail(base::Kind::protocol,
                      "the body has more than " + std::to_string(encoding::kMostValues) + " values");
  json document = json::parse(encoding::readable_json(body), nullptr, false);
  if (document.is_discarded()) return base::fail(base::Kind::protocol, "the body is no JSON");
  return document;
}

std::string written(double number) { return json(number).dump(); }

std::string written(const JsonScalar& scalar) { return scalar.quoted ? "'" + scalar.text + "'" : scalar.text; }

std::string written(const json& value) {
  return base::shortened(value.dump(-1, ' ', false, json::error_handler_t::replace), kShown);
}

bool equal(const json& value, const JsonScalar& want) {
  if (value.is_string()) return value.get_ref<const std::string&>() == want.text;
  if (want.quoted) return false;
  if (value.is_boolean()) return want.text == (value.get<bool>() ? "true" : "false");
  if (value.is_null()) return want.text == "null";
  const std::optional<double> number = base::read_number<double>(want.text);
  return value.is_number() && number && value.get<double>() == *number;
}

const json* find(const json& document, const std::vector<JsonStep>& steps) {
  const json* at = &document;
  for (const JsonStep& step : steps) {
    if (const auto* key = std::get_if<std::string>(&step)) {
      if (!at->is_object()) return nullptr;
      const auto found = at->find(*key);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else {
      const std::size_t index = std::get<std::size_t>(step);
      if (!at->is_array() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    }
  }
  return at;
}

std::string failed(const JsonCheck& check, const json& document, const ExpectedScalar& expected) {
  const json* value = find(document, parse_json_path(check.path).value_or(std::vector<JsonStep>{}));
  if (check.exists && !*check.exists) return value ? check.path + " is there: " + written(*value) : "";
  if (!value) return check.path + " is missing";
  std::string is = check.path + " is " + written(*value);
  const auto meant = [&](const JsonScalar& scalar) { return expected ? expected(scalar) : scalar; };
  if (check.equals && !equal(*value, meant(*check.equals))) return is + ", not " + written(meant(*check.equals));
  if (check.not_equals && equal(*value, meant(*check.not_equals))) return is;
  if (check.less_than && !(value->is_number() && value->get<double>() < *check.less_than))
    return is + ", not less than " + written(*check.less_than);
  if (check.greater_than && !(value->is_number() && value->get<double>() > *check.greater_than))
    return is + ", not greater than " + written(*check.greater_than);
  if (check.matches.regex) {
    const std::string text = value->is_string() ? value->get<std::string>() : written(*value);
    if (!check.matches.regex->found_in(text)) return is + ", which does not match " + check.matches.regex->pattern();
  }
  return "";
}

}  // namespace

bool read(const config::Node& node, JsonScalar& out, std::string& why) {
  if (node.is_null()) {
    out = {"null", false};
    return true;
  }
  if (!node.is_scalar()) {
    why = config::expected("a string, a number, true, false or null", node);
    return false;
  }
  out = {node.scalar(), node.quoted()};
  return true;
}

std::string show(const JsonScalar& value) { return written(value); }

const config::Schema<JsonCheck>& json_check_schema() {
  static const auto schema =
      config::Schema<JsonCheck>("json")
          .required("path", &JsonCheck::path, "Where the value is: status, queue.depth, nodes[0].name.")
          .optional("equals", &JsonCheck::equals, "The value it must have.")
          .optional("not_equals", &JsonCheck::not_equals, "A value it must not have.")
          .optional("less_than", &JsonCheck::less_than, "It must be a number below this one.")
          .optional("greater_than", &JsonCheck::greater_than, "It must be a number above this one.")
          .optional("exists", &JsonCheck::exists, "false: it must not be there at all.")
          .optional("matches", &JsonCheck::matches, "Regular expression to find in it.")
          .check([](const JsonCheck& check, const config::Complain& complain) {
            if (!parse_json_path(check.path))
              complain("path", "is no path; write keys and indexes as in nodes[0].name");
            if (!check.equals && !check.not_equals && !check.less_than && !check.greater_than && !check.exists &&
                !check.matches.regex)
              complain("",
                       "says nothing about the value; add equals, not_equals, less_than, greater_than, exists or "
                       "matches");
          });
  return schema;
}

std::optional<std::vector<JsonStep>> parse_json_path(std::string_view path) {
  std::vector<JsonStep> steps;
  if (path.starts_with("$")) path.remove_prefix(1);
  if (path.starts_with(".")) path.remove_prefix(1);
  bool key_may_follow = true;
  while (!path.empty()) {
    if (path[0] == '[') {
      const std::size_t close = path.find(']');
      if (close == std::string_view::npos) return std::nullopt;
      const auto index = base::read_number<std::size_t>(path.substr(1, close - 1));
      if (!index) return std::nullopt;
      steps.emplace_back(*index);
      path.remove_prefix(close + 1);
      key_may_follow = path.starts_with(".");
      if (!key_may_follow) continue;
      path.remove_prefix(1);
      if (path.empty()) return std::nullopt;
      continue;
    }
    const std::size_t length = std::min(path.find_first_of(".["), path.size());
    if (!key_may_follow || length == 0) return std::nullopt;
    steps.emplace_back(std::string(path.substr(0, length)));
    path.remove_prefix(length);
    key_may_follow = path.starts_with(".");
    if (!key_may_follow) continue;
    path.remove_prefix(1);
    if (path.empty()) return std::nullopt;
  }
  return steps;
}

std::string failed_json_check(const std::vector<JsonCheck>& checks, std::string_view body,
                              const ExpectedScalar& expected) {
  const auto document = document_of(body);
  if (!document) return document.error().text;
  for (const JsonCheck& check : checks)
    if (std::string text = failed(check, *document, expected); !text.empty()) return text;
  return "";
}

base::Result<JsonFound> find_json(const std::string& path, std::string_view body) {
  TRY(auto found, find_all_json({path}, body));
  if (!found[0]) return base::fail(base::Kind::not_found, path + " is missing");
  return *std::move(found[0]);
}

base::Result<std::vector<std::optional<JsonFound>>> find_all_json(const std::vector<std::string>& paths,
                                                                  std::string_view body) {
  TRY(const json document, document_of(body));
  std::vector<std::optional<JsonFound>> all;
  for (const std::string& path : paths) {
    const json* value = find(document, parse_json_path(path).value_or(std::vector<JsonStep>{}));
    if (!value) all.emplace_back();
    else if (value->is_string()) all.push_back(JsonFound{value->get<std::string>(), true});
    else all.push_back(JsonFound{value->dump(-1, ' ', false, json::error_handler_t::replace), false});
  }
  return all;
}

}  // namespace probe
