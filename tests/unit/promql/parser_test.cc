#include "promql/parser.h"

#include <doctest/doctest.h>

#include "model/labels.h"

using promql::Compat;

TEST_CASE("an error says line and column, counted in bytes from 1") {
  const promql::Parsed parsed = promql::parse("up +\n  sum by (a (b)");
  REQUIRE_FALSE(parsed.ok());
  REQUIRE(parsed.errors.size() == 1);
  CHECK(parsed.errors[0].line == 2);
  CHECK(parsed.errors[0].column == 13);
  CHECK(parsed.error_text() == "2:13: parse error: unexpected \"(\" in grouping opts, expected \",\" or \")\"");
}

TEST_CASE("an expression of each type knows its type") {
  struct Row {
    const char* text;
    promql::ValueType type;
  };
  for (const Row& row : {Row{"1 + 2", promql::ValueType::scalar}, Row{"up > 1", promql::ValueType::vector},
                         Row{"(up[5m])", promql::ValueType::matrix}, Row{"sum(up)[5m:]", promql::ValueType::matrix},
                         Row{"'x'", promql::ValueType::string}, Row{"-time()", promql::ValueType::scalar}}) {
    CAPTURE(row.text);
    const promql::Parsed parsed = promql::parse(row.text);
    REQUIRE(parsed.ok());
    CHECK(parsed.error_text() == "");
    CHECK(promql::type_of(*parsed.expr) == row.type);
  }
}

TEST_CASE("needs() tells how far each selector looks back and ahead") {
  struct Row {
    const char* text;
    std::int64_t before_s;
    std::int64_t after_s;
    bool absolute;
  };
  for (const Row& row :
       {Row{"up", 300, 0, false}, Row{"rate(up[10m])", 600, 0, false}, Row{"up offset 1m", 360, 0, false},
        Row{"up offset -10m", 0, 600, false}, Row{"rate(up[1m] offset -30s)", 30, 30, false},
        Row{"max_over_time(rate(up[5m])[1h:1m] offset 1m)", 3960, 0, false}, Row{"up @ 5", 300, 0, true},
        Row{"sum_over_time(up[1m:] @ start())", 360, 0, true}, Row{"rate(up[10m] anchored)", 900, 0, false},
        Row{"rate(up[10m] smoothed)", 900, 300, false}, Row{"up smoothed offset 1m", 360, 240, false}}) {
    CAPTURE(row.text);
    const promql::Parsed parsed = promql::parse(row.text);
    REQUIRE(parsed.ok());
    const auto needs = promql::needs(*parsed.expr);
    REQUIRE(needs.size() == 1);
    CHECK(needs[0].before_ms == row.before_s * 1000);
    CHECK(needs[0].after_ms == row.after_s * 1000);
    CHECK(needs[0].absolute == row.absolute);
    REQUIRE(needs[0].matchers.size() == 1);
    CHECK(needs[0].matchers[0].to_string() == "__name__=\"up\"");
  }
  CHECK(promql::needs(*promql::parse("sum(a) / on (x) b > scalar(c)").expr).size() == 3);
}

TEST_CASE("a lone selector gives its matchers, the name last, and nothing else passes for one") {
  const auto matchers = promql::parse_matchers("up{job=~\"a|b\"}");
  REQUIRE(matchers.has_value());
  REQUIRE(matchers->size() == 2);
  CHECK((*matchers)[0].to_string() == "job=~\"a|b\"");
  CHECK((*matchers)[1].to_string() == "__name__=\"up\"");
  CHECK(promql::parse_matchers("sum{by='x'}").has_value());  // here it is a name like any other
  CHECK(promql::parse_matchers("sum(up)").error().text == "1:4: parse error: unexpected \"(\"");
  CHECK(promql::parse_matchers("(up)").error().text == "1:1: parse error: unexpected \"(\"");
  CHECK(promql::parse_matchers("up offset 5m").error().text == "1:4: parse error: unexpected <offset>");
  CHECK(promql::parse_matchers("{}").error().text ==
        "1:1: parse error: vector selector must contain at least one non-empty matcher");
  CHECK_FALSE(promql::parse_matchers("up[5m]").has_value());
  CHECK_FALSE(promql::parse_matchers("").has_value());
}

TEST_CASE("a series description becomes labels") {
  CHECK(promql::parse_metric("up{job=\"a\", b='c'}")->to_string() == "up{b=\"c\", job=\"a\"}");
  CHECK(promql::parse_metric("{__name__=\"up\"}")->to_string() == "up");
  CHECK(promql::parse_metric("{}")->empty());
  CHECK(promql::parse_metric("up{job!=\"a\"}").error().text ==
        "1:1: parse error: a series has label values, not conditions: job!=\"a\" cannot stand here");
}

TEST_CASE("a regular expression that is none is refused in Go's words") {
  struct Row {
    std::string pattern, v2, v3;
  };
  const Row rows[] = {
      {"(", "missing closing ): `^(?:()$`", "missing closing ): `(`"},
      {"a)", "unexpected ): `^(?:a))$`", "unexpected ): `a)`"},
      {"[a", "missing closing ]: `[a)$`", "missing closing ]: `[a`"},
      {"[b-a]", "invalid character class range: `b-a`", "invalid character class range: `b-a`"},
      {"*", "missing argument to repetition operator: `*`", "missing argument to repetition operator: `*`"},
      {"a**", "invalid nested repetition operator: `**`", "invalid nested repetition operator: `**`"},
      {"a{1001}", "invalid repeat count: `{1001}`", "invalid repeat count: `{1001}`"},
      {"(?<a)", "invalid or unsupported Perl syntax: `(?<`", "invalid named capture: `(?<a)`"},
      {R"(\\y)", R"(invalid escape sequence: `\y`)", R"(invalid escape sequence: `\y`)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    const std::string text = "up{a=~\"" + row.pattern + "\"}";
    const std::string start = "1:4: parse error: error parsing regexp: ";
    CHECK(promql::parse(text, promql::Compat::v2).error_text() == start + row.v2);
    CHECK(promql::parse(text, promql::Compat::v3).error_text() == start + row.v3);
  }
}

TEST_CASE("what is too deep is refused with an advice and not with a crash") {
  std::string sum = "up";
  for (int i = 0; i < 5000; ++i) sum += " + up";
  CHECK(promql::parse(sum).error_text() ==
        "1:1: parse error: expression is more than 400 levels deep; split it into recording rules");
  CHECK(promql::parse(std::string(5000, '(')).error_text() ==
        "1:151: parse error: expression is nested more than 150 levels deep; split it into recording rules");
}

TEST_CASE("the grammar of 2.x refuses what 3.x added") {
  for (const char* text : {"1_000", "5m", "up[60]", "{\"up\"}", "up offset 60", "sum by (\"a\") (up)"}) {
    CAPTURE(text);
    CHECK(promql::parse(text, Compat::v3).ok());
    CHECK_FALSE(promql::parse(text, Compat::v2).ok());
  }
  CHECK(promql::parse("holt_winters(up[5m], 0.5, 0.5)", Compat::v2).ok());
  CHECK_FALSE(promql::parse("holt_winters(up[5m], 0.5, 0.5)", Compat::v3).ok());
}

TEST_CASE("values print as in Prometheus' API") {
  struct Row {
    double v;
    const char* text;
  };
  for (const Row& row :
       {Row{0, "0"}, Row{-0.0, "-0"}, Row{0.1, "0.1"}, Row{1e20, "100000000000000000000"},
        Row{0x1p62, "4611686018427388000"}, Row{-0x1p62, "-4611686018427388000"}, Row{0x1p53, "9007199254740992"},
        Row{1e21, "1e+21"}, Row{1e-6, "0.000001"}, Row{1e-7, "1e-07"}, Row{1.0 / 0.0, "+Inf"}, Row{-1.0 / 0.0, "-Inf"},
        Row{123456789.123456789, "123456789.12345679"}}) {
    CAPTURE(row.v);
    CHECK(promql::format_value(row.v) == row.text);
  }
  CHECK(promql::format_value(model::stale_marker()) == "NaN");
}
