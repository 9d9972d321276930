// CEL expressions over documents: what they are, and what is wrong with them.
#include "probe/cel/program.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "fakes/probe_trial.h"
#include "probe/registry.h"

namespace {

std::string value_of(const std::string& expression, std::string_view json = "null") {
  const auto program = probe::cel::Program::compile(expression);
  if (!program) return "mistake at " + std::to_string(program.error().at) + ": " + program.error().text;
  return program->evaluate(json).text;
}

constexpr std::string_view kShop = R"({
  "status": "ok", "version": "2.4.1", "ready": true, "leader": null, "load": 0.75, "orders": 12, "big": 9007199254740993,
  "queue": {"depth": 120, "name": "orders", "late-ones": 3, "size": 5},
  "nodes": [{"name": "a", "up": true, "lag": 1}, {"name": "b", "up": false, "lag": 9.5}, {"name": "c", "up": true}],
  "tags": ["eu", "gold"], "empty": [], "bär": "Käse"
})";

}  // namespace

TEST_CASE("an expression of CEL has the value that Go's implementation gives it") {
  struct Row {
    const char *expression, *want;
  };
  for (const Row& row : {
           // Literals
           Row{"1", "1"},
           Row{"-9223372036854775808", "-9223372036854775808"},
           Row{"0x1F", "31"},
           Row{"7u", "7u"},
           Row{"1.5e3", "1500.0"},
           Row{".5", "0.5"},
           Row{"true", "true"},
           Row{"null", "null"},
           Row{R"('it''s')", "mistake at 4: unexpected a string"},
           Row{R"("a\tb\x41\u00e4\101\"")", "\"a\tbAäA\\\"\""},
           Row{R"(r'\d+')", R"("\\d+")"},
           Row{"'''one\n'two' '''", "\"one\\n'two' \""},
           Row{"[1, 'two', [3.0],]", R"([1, "two", [3.0]])"},
           Row{"{'b': 1, 'a': {1: true}}", R"({"a": {1: true}, "b": 1})"},
           Row{"1 // what follows is for people\n + 1", "2"},
           // Fields and indices
           Row{"body.status", R"("ok")"},
           Row{"body.queue.depth", "120.0"},
           Row{"body['queue']['late-ones']", "3.0"},
           Row{"body.queue.size", "5.0"},
           Row{"body['bär']", R"("Käse")"},
           Row{"body.nodes[1].name", R"("b")"},
           Row{"body.nodes[1.0].name", R"("b")"},
           Row{"body.nodes[3].name", "error: index out of bounds: 3"},
           Row{"body.nodes[0.5]", "error: index out of bounds: 0.5"},
           Row{"body.missing", "error: no such key: missing"},
           Row{"body.status.length", "error: a string has no field length"},
           Row{"{'a': 1}.a", "1"},
           Row{"{1: 'x'}[1.0]", R"("x")"},
           Row{"has(body.status)", "true"},
           Row{"has(body.leader)", "true"},
           Row{"has(body.missing)", "false"},
           Row{"has(body.missing.deeper)", "error: no such key: missing"},
           Row{"'eu' in body.tags", "true"},
           Row{"'us' in body.tags", "false"},
           Row{"'depth' in body.queue", "true"},
           Row{"120 in [body.queue.depth]", "true"},
           Row{"1 in 'text'", "error: no such overload: @in(int, string)"},
           // Comparison
           Row{"body.orders == 12", "true"},
           Row{"body.orders == 12u", "true"},
           Row{"body.orders == '12'", "false"},
           Row{"body.leader == null", "true"},
           Row{"body.leader == false", "false"},
           Row{"body.load < 1", "true"},
           Row{"1 <= body.load", "false"},
           Row{"body.big == 9007199254740992", "true"},
           Row{"9007199254740993 == 9007199254740992.0", "false"},
           Row{"-1 < 1u", "true"},
           Row{"18446744073709551615u > -1", "true"},
           Row{"'abc' < 'abd'", "true"},
           Row{"false < true", "true"},
           Row{"[1, 2] == [1.0, 2u]", "true"},
           Row{"{'a': [1]} == {'a': [1.0]}", "true"},
           Row{"[1] < [2]", "error: no such overload: _<_(list, list)"},
           Row{"'a' < 1", "error: no such overload: _<_(string, int)"},
           Row{"body.tags != ['eu']", "true"},
           // Logic
           Row{"true || false && false", "true"},
           Row{"!body.ready", "false"},
           Row{"!!true", "true"},
           Row{"!1", "error: no such overload: !_(int)"},
           Row{"false && body.missing", "false"},
           Row{"body.missing && false", "false"},
           Row{"body.missing || true", "true"},
           Row{"body.missing || false", "error: no such key: missing"},
           Row{"body.missing && true", "error: no such key: missing"},
           Row{"1 && true", "error: no such overload: _&&_(int, bool)"},
           Row{"1 || true", "true"},
           Row{"body.ready ? 'yes' : body.missing", R"("yes")"},
           Row{"1 ? 2 : 3", "error: no such overload: _?_:_(int)"},
           Row{"false ? 1 : true ? 2 : 3", "2"},
           // Arithmetic
           Row{"2 + 3 * 4 - 6 / 4 % 2", "13"},
           Row{"-7 / 2", "-3"},
           Row{"-7 % 4", "-3"},
           Row{"7.0 / 2.0", "3.5"},
           Row{"-(-3)", "3"},
           Row{"1 / 0", "error: division by zero"},
           Row{"1 % 0", "error: modulus by zero"},
           Row{"1.0 / 0.0", "inf"},
           Row{"9223372036854775807 + 1", "error: the result does not fit into an integer"},
           Row{"-9223372036854775808 / -1", "error: the result does not fit into an integer"},
           Row{"1u - 2u", "error: the result does not fit into an integer"},
           Row{"1 + 1.0", "error: no such overload: _+_(int, double)"},
           Row{"body.orders + 1", "error: no such overload: _+_(double, int)"},
           Row{"body.orders + 1.0", "13.0"},
           Row{"'a' + 'b'", R"("ab")"},
           Row{"[1] + [2]", "[1, 2]"},
           Row{"-body.load", "-0.75"},
           // Functions
           Row{"size(body.tags) + body.status.size()", "4"},
           Row{"size('Käse')", "4"},
           Row{"size(body.queue)", "4"},
           Row{"size(1)", "error: no such overload: size(int)"},
           Row{"body.version.startsWith('2.')", "true"},
           Row{"body.version.endsWith('.1')", "true"},
           Row{"body.version.contains('.4.')", "true"},
           Row{"body.version.matches('^[0-9]+\\\\.[0-9]+')", "true"},
           Row{"matches(body.version, r'^3\\.')", "false"},
           Row{"body.orders.startsWith('1')", "error: no such overload: startsWith(double, string)"},
           Row{"'ÄBC'.lowerAscii()", "\"Äbc\""},
           Row{"'abc'.upperAscii()", "\"ABC\""},
           Row{"int(body.load)", "0"},
           Row{"int('42') + int(3.9) + int(2u)", "47"},
           Row{"int('4 2')", "error: '4 2' is no int"},
           Row{"int(1e19)", "error: the number does not fit into an int"},
           Row{"uint(-1)", "error: the number does not fit into a uint"},
           Row{"uint('7')", "7u"},
           Row{"double('1.5') + double(1)", "2.5"},
           Row{"string(body.orders) + string(true)", R"("12true")"},
           Row{"string(1.25)", R"("1.25")"},
           Row{"bool('true')", "true"},
           Row{"bool('yes')", "error: 'yes' is no bool"},
           Row{"dyn(1) == 1.0", "true"},
           // Macros
           Row{"body.nodes.all(n, n.up)", "false"},
           Row{"body.nodes.exists(n, n.name == 'c')", "true"},
           Row{"body.nodes.exists_one(n, n.up)", "false"},
           Row{"body.nodes.exists_one(n, !n.up)", "true"},
           Row{"body.nodes.filter(n, n.up).map(n, n.name)", R"(["a", "c"])"},
           Row{"body.nodes.map(n, has(n.lag), n.lag)", "[1.0, 9.5]"},
           Row{"body.nodes.all(n, n.lag < 100)", "error: no such key: lag"},
           Row{"body.nodes.all(n, n.lag > 100)", "false"},
           Row{"body.nodes.exists(n, n.lag > 9)", "true"},
           Row{"body.empty.all(n, false)", "true"},
           Row{"body.empty.exists(n, true)", "false"},
           Row{"body.queue.exists(key, key.startsWith('late'))", "true"},
           Row{"body.tags.all(body, body.size() > 1)", "true"},
           Row{"[1, 2].map(x, [10, 20].map(y, x * y))", "[[10, 20], [20, 40]]"},
           Row{"[[1, 2], [3]].all(l, l.exists(x, x == size(l) + 1 || x == 2))", "false"},
           Row{"[1].filter(x, x)", "error: the predicate of a macro is a int, not a bool"},
           Row{"'text'.all(c, true)", "error: a macro goes through a list or a map, not a string"},
           Row{"1.5 in [1.5]", "true"},
           Row{"body.status == 'ok' && body.queue.depth < 200 && body.nodes.exists(n, n.up)", "true"},
       }) {
    CAPTURE(row.expression);
    CHECK(value_of(row.expression, kShop) == row.want);
  }
}

TEST_CASE("what cannot be an expression is a mistake with its place") {
  struct Row {
    const char *expression, *want;
  };
  for (const Row& row : {
           Row{"", "mistake at 0: the expression is empty"},
           Row{"1 +", "mistake at 3: the expression ends where a value is expected"},
           Row{"body.a = 1", "mistake at 7: unexpected character '='; equality is written =="},
           Row{"body.a & true", "mistake at 7: unexpected character '&'; write it twice"},
           Row{"(1", "mistake at 2: expected ')' to close '(', got the end of the expression"},
           Row{"[1 2]", "mistake at 3: expected ',' or ']', got a number"},
           Row{"{'a' 1}", "mistake at 5: expected ':' between a key and its value, got a number"},
           Row{"body.", "mistake at 5: expected a name after '.', got the end of the expression"},
           Row{"body[0", "mistake at 6: expected ']' after an index, got the end of the expression"},
           Row{"true ? 1", "mistake at 8: expected ':' between the two sides of ?, got the end of the expression"},
           Row{"'open", "mistake at 0: a string is not closed; its end is '"},
           Row{"'\\q'", "mistake at 1: a string has an escape that is none; a backslash is written \\\\"},
           Row{"1x", "mistake at 0: a number that goes on with a letter"},
           Row{"9223372036854775808", "mistake at 0: the number does not fit into an int"},
           Row{"bodi.a", "mistake at 0: there is no variable 'bodi'; the document is called body"},
           Row{"body.a.startWith('x')", "mistake at 7: there is no function startWith(); did you mean startsWith()?"},
           Row{"timestamp(body.at)", "mistake at 0: the function timestamp() is not offered"},
           Row{"body.at.getHours() > 3", "mistake at 8: the function getHours() is not offered"},
           Row{"type(body)", "mistake at 0: the function type() is not offered"},
           Row{"size()", "mistake at 0: size() takes 1 arguments, got 0"},
           Row{"'a'.contains('b', 'c')", "mistake at 4: contains() takes 1 arguments, got 2"},
           Row{"body.all(1, true)", "mistake at 5: all() takes a name and an expression: list.all(x, x > 1)"},
           Row{"has(body)", "mistake at 0: has() takes a field, such as has(body.status)"},
           Row{"b'bytes'", "mistake at 0: bytes are not offered; write a string"},
           Row{"body.?a", "mistake at 5: optional values are not offered; ask with has() or in"},
           Row{"Point{x: 1}", "mistake at 0: there is no variable 'Point'; the document is called body"},
           Row{"for", "mistake at 0: 'for' is reserved"},
           Row{"'a'.matches('(')", "mistake at 12: bad regular expression '(': missing ): ("},
           Row{"1 2", "mistake at 2: unexpected a number"},
       }) {
    CAPTURE(row.expression);
    CHECK(value_of(row.expression) == row.want);
  }
  CHECK(value_of(std::string(200, '(') + "1" + std::string(200, ')')) ==
        "mistake at 30: the expression is nested too deeply");
  std::string chain = "1";
  for (int i = 0; i < 1500; ++i) chain += "+1";
  CHECK(value_of(chain) == "mistake at 2000: the expression has more than 2000 words");
  CHECK(value_of(std::string(10'001, ' ')) == "mistake at 10000: the expression is longer than 10000 characters");
}

TEST_CASE("the work of an expression is bounded") {
  std::string numbers = "[0";
  for (int i = 1; i < 1000; ++i) numbers += "," + std::to_string(i);
  numbers += "]";
  const std::string limit = "error: the expression takes more than 100000 steps";
  CHECK(value_of("body.all(a, body.all(b, body.all(c, a + b + c >= 0.0)))", numbers) == limit);
  CHECK(value_of("body.map(a, body.map(b, body))", numbers) == limit);
  CHECK(value_of("body.all(a, a in body)", numbers) == limit);
  CHECK(value_of("body.all(a, a >= 0)", numbers) == "true");
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += '[';
  deep += std::string(1000, ']');
  CHECK(value_of("size(body)", deep) == "1");
  CHECK(value_of("body", "no json") == "error: the body is no JSON");
  CHECK(value_of("body.name == 'caf\ufffd'", "{\"name\": \"caf\xe9\"}") == "true");
}

TEST_CASE("a mistake in a probe's expression has the line and column of the file") {
  config::Errors errors;
  const config::Node node = config::Node::parse(R"(url: http://shop.test/
fail_if_body_json_matches_cel: "body.a = 1"
fail_if_body_json_not_matches_cel: |
  body.ok &&
    bodi.ok
)",
                                                "fettle.yml", errors);
  (void)probe::types().find("http")->parse(node, "probe", {}, errors);
  CHECK(errors.text() ==
        "fettle.yml:2:40: probe.fail_if_body_json_matches_cel: unexpected character '='; equality is written ==\n"
        "fettle.yml:5:5: probe.fail_if_body_json_not_matches_cel: there is no variable 'bodi'; the document is called "
        "body\n");
}

TEST_CASE("an http probe is judged by its expressions") {
  struct Row {
    const char *name, *settings, *body;
    model::Reason reason;
    const char* text;
    double by_cel;
  };
  using model::Reason;
  for (const Row& row : {
           Row{"it must not hold, and does not", "fail_if_body_json_matches_cel=body.depth > 100", R"({"depth": 7})",
               Reason::none, "status 200 in 0s", 0},
           Row{"it must not hold, and does", "fail_if_body_json_matches_cel=body.depth > 100", R"({"depth": 700})",
               Reason::json_mismatch, "the body matches CEL body.depth > 100", 1},
           Row{"it must hold, and does not", "fail_if_body_json_not_matches_cel=body.ok", R"({"ok": false})",
               Reason::json_mismatch, "the body does not match CEL body.ok", 1},
           Row{"it must hold, and does", "fail_if_body_json_not_matches_cel=body[0] == 'x'", R"(["x"])", Reason::none,
               "status 200 in 0s", 0},
           Row{"an answer that is none", "fail_if_body_json_matches_cel=body.depth", R"({"depth": 7})",
               Reason::json_mismatch, "CEL body.depth: the answer is 7.0, neither true nor false", 1},
           Row{"an error", "fail_if_body_json_matches_cel=body.depth > 1", "{}", Reason::json_mismatch,
               "CEL body.depth > 1: the answer is error: no such key: depth, neither true nor false", 1},
           Row{"no JSON", "fail_if_body_json_matches_cel=body.depth > 1", "<html>", Reason::json_mismatch,
               "CEL body.depth > 1: the answer is error: the body is no JSON, neither true nor false", 1},
       }) {
    CAPTURE(row.name);
    fakes::ConnectedTrial trial("http", "http://shop.test/", {row.settings});
    trial.connect();
    trial.peer.say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(std::string_view(row.body).size()) +
                   "\r\n\r\n" + row.body);
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == row.reason);
    CHECK(trial.found.text == row.text);
    CHECK(trial.measured("probe_failed_due_to_cel") == row.by_cel);
  }
}
