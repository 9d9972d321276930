#include "config/node.h"
#include "config/flow_text.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

namespace {

std::string mistakes_of(const std::string& text) {
  config::Errors errors;
  const config::Node node = config::Node::parse(text, "f.yml", errors);
  return errors.text();
}

std::string where(const config::Mark& mark) { return std::to_string(mark.line) + ":" + std::to_string(mark.column); }

}  // namespace

TEST_CASE("a file that is no YAML is answered in our words with its place") {
  struct Row {
    std::string name, input, want;
  };
  const std::vector<Row> rows = {
      {"good", "a: 1\n", ""},
      {"empty", "", ""},
      {"comments only", "# nothing\n", ""},
      {"a tab as indentation", "a:\n\tb: 1\n", "f.yml:2:1: a tab in the indentation: use spaces\n"},
      {"an open brace", "a: {b: 1\n", "f.yml:2:1: a '{' is not closed by '}', or a ',' is missing\n"},
      {"an open quote", "a: \"b\n", "f.yml:1:4: this quoted text is not closed\n"},
      {"two colons", "a: b: c\n", "f.yml:1:5: a ':' is not allowed here: quote the text if the colon belongs to it\n"},
      {"wrong indentation", "a: 1\n  b: 2\n",
       "f.yml:2:4: a ':' is not allowed here: quote the text if the colon belongs to it\n"},
      {"a list in a mapping", "a: 1\n- b\n",
       "f.yml:2:1: this does not fit into the mapping that it stands in: check the indentation, the ':' and the quotes "
       "before it\n"},
      {"an alias without anchor", "a: *b\n", "f.yml:1:4: this alias (*name) has no anchor (&name) before it\n"},
      {"a percent sign first", "a: @b\n", "f.yml:1:4: no value can start with this character: quote the text\n"},
      {"an unknown escape", "a: \"\\d\"\n",
       "f.yml:1:7: unknown escape in double quotes: double the backslash, or use single quotes, which have no "
       "escapes\n"},
      {"Latin 1", "a: caf\xe9\n", "f.yml:1:7: not UTF-8 text from here on: save the file as UTF-8\n"},
      {"a bell", "a: b\n\na\a: c\n",
       "f.yml:3:2: a control character is not allowed in YAML: remove it, or write it as an escape in double quotes\n"},
      {"two documents", "a: 1\n---\nb: 2\n",
       "f.yml:3:1: a second document starts here, but a file holds one: look for a line with --- or for text after a "
       "closed bracket or quote\n"},
      {"text after a closed brace", "{a: 1}\nb: 2\n",
       "f.yml:2:1: a second document starts here, but a file holds one: look for a line with --- or for text after a "
       "closed bracket or quote\n"},
      {"text after a directive", "a: 1\n%\n,\n",
       "f.yml:3:1: this does not belong to what stands before it: check brackets and quotes\n"},
      {"a bracket too many", "a: [1]]\n", "f.yml:1:7: a closing bracket without an opening one\n"},
      {"an empty second document", "a: 1\n---\n", ""},
      {"a key twice", "a: 1\nb: {c: 1, c: 2}\na: 2\n",
       "f.yml:2:11: b.c: given twice; the first is in line 2\nf.yml:3:1: a: given twice; the first is in line 1\n"},
      {"a merge key of no mapping", "a: &x 1\nc:\n  <<: *x\n  d: 1\n",
       "f.yml:3:3: c: << takes a mapping or a list of mappings, such as <<: *name\n"},
      {"two merge keys", "a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n",
       "f.yml:4:3: c: << is given twice: write <<: [*first, *second], of which the first wins\n"},
      {"a key twice in what is merged", "c:\n  <<: {b: 1, b: 2}\n",
       "f.yml:2:14: c.b: given twice; the first is in line 2\n"},
      {"a list as a key", "[a]: 1\n",
       "f.yml:1:1: a key must be a word, not a list or a mapping: quote the text if it is one\n"},
      {"an alias inside its anchor", "a: &x [*x]\n", "f.yml:1:8: this alias stands inside the value that it names\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(mistakes_of(row.input) == row.want);
  }
}

TEST_CASE("a bomb of aliases is refused") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) text += before + ", ";
    text += before + "]\n";
  }
  CHECK(mistakes_of(text) == "f.yml:1:1: the aliases of this file stand for more than 200000 values\n");
}

TEST_CASE("deep nesting is refused, not overflowed") {
  CHECK(mistakes_of(std::string(100'000, '[')) == "f.yml:1:1: nested too deeply\n");
}

TEST_CASE("a file that is little else than brackets, commas or lines takes no memory") {
  const auto peak_kib = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const auto times = [](std::size_t count, const char* text) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
  };
  const long before = peak_kib();
  CHECK(mistakes_of(std::string(4'000'000, '[')) == "f.yml:1:1: nested too deeply\n");
  CHECK(mistakes_of("'\"'\n" + std::string(4'000'000, '{')) == "f.yml:1:1: nested too deeply\n");
  for (const char* item : {"{},", "- a\n", ",", "[],"})
    CHECK(mistakes_of("[" + times(1'000'000, item)) == "f.yml:1:1: has more than 200000 values\n");
  CHECK(peak_kib() - before < 100 * 1024);
}

TEST_CASE("a node knows its place and keeps its document alive") {
  config::Node order;
  {
    config::Errors errors;
    const config::Node root =
        config::Node::parse("services:\n  order:\n    unit: 'a.service'\n    empty:\n  last: 1\n", "f.yml", errors);
    REQUIRE(errors.empty());
    order = root.find("services").find("order");
  }
  CHECK(order.is_mapping());
  CHECK(where(order.mark()) == "3:5");
  CHECK(order.find("unit").scalar() == "a.service");
  CHECK(order.find("unit").quoted());
  CHECK(where(order.find("unit").mark()) == "3:11");
  CHECK(order.find("empty").is_null());
  CHECK(where(order.find("empty").mark()) == "4:5");
  CHECK(order.find("nothing").is_null());
  CHECK(where(order.find("nothing").mark()) == "0:0");
}

TEST_CASE("the place of a text is its first character, whatever is written before it") {
  struct Row {
    std::string name, input, want;
  };
  const std::vector<Row> rows = {
      {"plain", "expr: up == 0\n", "1:7"},
      {"double quotes", "expr: \"up == 0\"\n", "1:8"},
      {"single quotes after a tag", "expr: !!str 'up'\n", "1:14"},
      {"an anchor", "expr: &e up\n", "1:10"},
      {"literal block", "expr: |\n  up\n  == 0\n", "2:3"},
      {"folded block with an empty first line", "expr: >-\n\n    up\n", "3:5"},
      {"on the next line", "expr:\n  up\n", "2:3"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    config::Errors errors;
    const config::Node node = config::Node::parse(row.input, "f.yml", errors);
    REQUIRE(errors.text() == "");
    CHECK(where(node.find("expr").text_mark()) == row.want);
  }
}

TEST_CASE("mistakes are sorted by place, and a log has only the first twenty") {
  config::Errors errors;
  for (std::size_t i = 25; i > 0; --i) errors.add({"f.yml", i, 1}, "a", "wrong");
  errors.add({"e.yml", 7, 1}, "", "first");
  errors.add({"", 0, 0}, "", "no place");
  const std::string text = errors.short_text();
  const std::string whole = errors.text();
  CHECK(whole.ends_with("f.yml:25:1: a: wrong\n"));
  CHECK(std::count(whole.begin(), whole.end(), '\n') == 27);
  CHECK(text.starts_with("no place\ne.yml:7:1: first\nf.yml:1:1: a: wrong\nf.yml:2:1: a: wrong\n"));
  CHECK(text.ends_with("f.yml:18:1: a: wrong\nand 7 more mistakes\n"));
  CHECK(errors.size() == 27);
}

TEST_CASE("a mistake is one line, whatever foreign words are in it") {
  config::Errors errors;
  errors.add({"f\x1b.yml", 1, 2}, "a\r\nb", "got '\x1b[2J\n\u202e'");
  errors.warn({"f.yml", 1, 2}, "", "module \"\n\"");
  CHECK(errors.text() == "f\\x1b.yml:1:2: a\\r\\nb: got '\\x1b[2J\\n\\u202e'\n");
  CHECK(errors.warnings() == std::vector<std::string>{"f.yml:1:2: module \"\\n\""});
}

TEST_CASE("a node as one line of text parses to the same node again") {
  config::Errors errors;
  const auto parse = [&](const std::string& text) { return config::Node::parse(text, "t.yml", errors); };
  for (const auto& [text, want] : std::initializer_list<std::pair<std::string, std::string>>{
           {"a: 1\nb: [x, 'y z', \"1\", -5, 1.5, true]\n", R"({"a": 1, "b": [x, "y z", "1", -5, 1.5, true]})"},
           {"a: |\n  two\n  lines\nb: \"\\r\\t\\\"\"\n", R"({"a": "two\x0alines\x0a", "b": "\x0d\x09\""})"},
           {"'a.b': {c: , d: {}}\n", R"({"a.b": {"c": null, "d": {}}})"},
           {"['- a', '#', 'a: b']\n", R"(["- a", "#", "a: b"])"},
           {"? " + std::string(2'000, 'k') + "\n: 1\n", "{? \"" + std::string(2'000, 'k') + "\" : 1}"},
       }) {
    const std::string flow = config::flow_text(parse(text));
    CHECK(flow == want);
    CHECK(config::flow_text(parse(flow)) == flow);
  }
}

TEST_CASE("mistakes are shortened to their first lines and a number") {
  CHECK(config::first_lines("", 2) == "");
  CHECK(config::first_lines("a\nb\n", 2) == "a\nb\n");
  CHECK(config::first_lines("a\nb", 2) == "a\nb");
  CHECK(config::first_lines("a\nb\nc\n", 2) == "a\nb\nand 1 more mistake\n");
  CHECK(config::first_lines("a\nb\nc\nd", 2) == "a\nb\nand 2 more mistakes\n");
}

// What Go's decoder makes of them: a key of the mapping itself wins, then the first of a list.
TEST_CASE("merge keys fill in what a mapping does not say itself") {
  config::Errors errors;
  const config::Node node = config::Node::parse(
      "a: &a {x: 1, y: 2}\n"
      "b: &b {y: 3, z: 4}\n"
      "one: {<<: *a, y: 5}\n"
      "list: {<<: [*b, *a], z: 6}\n"
      "chain: {<<: {<<: *a, w: 7}}\n"
      "quoted: {\"<<\": *a}\n",
      "f.yml", errors);
  CHECK(errors.text() == "");
  const auto values = [&](const char* name) {
    std::string out;
    for (const auto& [key, value] : node.find(name).entries()) out += key.scalar() + value.scalar() + " ";
    return out;
  };
  CHECK(values("one") == "y5 x1 ");
  CHECK(values("list") == "z6 y3 x1 ");
  CHECK(values("chain") == "w7 x1 y2 ");
  CHECK(values("quoted") == "<< ");
  CHECK(node.find("one").find("x").mark().line == 1);
}

TEST_CASE("of several documents the first counts where Prometheus reads so, and a slip stays a mistake") {
  config::Errors errors;
  const config::Node node = config::Node::parse("a: 1\n---\nb: 2\n", "f.yml", errors, config::Documents::first);
  CHECK(errors.text() == "");
  CHECK(node.find("a").scalar() == "1");
  CHECK(errors.warnings() ==
        std::vector<std::string>{
            "f.yml:3:1: a second document starts here and is not read: as for Prometheus the first one counts"});
  config::Errors slip;
  (void)config::Node::parse("{a: 1}\nb: 2\n", "f.yml", slip, config::Documents::first);
  CHECK(slip.size() == 1);
}
