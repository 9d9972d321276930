#include "go/format.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

TEST_CASE("text is quoted as Go quotes it") {
  struct Row {
    std::string text, want;
  };
  for (const Row& row : {
           Row{"a\"b\\c'`", R"("a\"b\\c'`")"},
           Row{"\a\b\f\n\r\t\v", R"("\a\b\f\n\r\t\v")"},
           Row{std::string("\0\x1b\x7f", 3), R"("\x00\x1b\x7f")"},
           Row{"\xff\xe2\x82", R"("\xff\xe2\x82")"},
           Row{"\ufffd", "\"\ufffd\""},
           Row{"grün €", "\"grün €\""},
           Row{"\u00a0\u00ad\u200b\u2028\u3000\ue000\ufeff", R"("\u00a0\u00ad\u200b\u2028\u3000\ue000\ufeff")"},
           Row{"\U000e0001\U000f0000", R"("\U000e0001\U000f0000")"},
           Row{"\u0378", R"("\u0378")"},  // assigned to nothing
           Row{"\U0001f600", "\"\U0001f600\""},
       }) {
    CAPTURE(row.want);
    CHECK(go::quote(row.text) == row.want);
    CHECK(go::unquote(row.want).value() == row.text);
  }
}

TEST_CASE("a long text is quoted up to its tenth character") {
  CHECK(go::quote_shortened("0123456789") == R"("0123456789")");
  CHECK(go::quote_shortened("0123456789a") == R"("0123456789"...)");
  CHECK(go::quote_shortened("üüüüü\"") == R"("üüüüü\""...)");
  CHECK(go::quote_shortened("üüüüüüüüüüü") == R"("üüüüüüüüüü"...)");
}

TEST_CASE("a character is quoted and named as Go does") {
  CHECK(go::quote_rune(U'x') == "'x'");
  CHECK(go::quote_rune(U'\'') == R"('\'')");
  CHECK(go::quote_rune(U'"') == R"('"')");
  CHECK(go::quote_rune(U'\n') == R"('\n')");
  CHECK(go::quote_rune(0xd800) == "'\ufffd'");
  CHECK(go::quote_rune(0xffffffff) == "'\ufffd'");
  CHECK(go::unicode_name(U'c') == "U+0063 'c'");
  CHECK(go::unicode_name(U'\u200b') == "U+200B");
}

TEST_CASE("literals that Go refuses are refused") {
  for (const char* literal :
       {"\"a", "a", "\"", "\"\\q\"", "\"\\ud800\"", "\"\\400\"", "\"\\x4\"", "\"a\nb\"", "\"\\'\""}) {
    CAPTURE(literal);
    CHECK_FALSE(go::unquote(literal).has_value());
  }
  CHECK(go::unquote("`a\\n\r`").value() == "a\\n");
  CHECK(go::unquote(R"("\x41\101\u00fc\U0001f600")").value() == "AA\u00fc\U0001f600");
}

TEST_CASE("numbers are read as strconv.ParseFloat reads them") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  struct Row {
    const char* text;
    double want;
  };
  for (const Row& row : {Row{"1.5", 1.5}, Row{".5", 0.5}, Row{"5.", 5}, Row{"+3", 3}, Row{"-2e3", -2000},
                         Row{"0x1p4", 16}, Row{"-0X1.8P1", -3}, Row{"+Inf", kInf}, Row{"-infinity", -kInf},
                         Row{"1e-400", 0}, Row{"0x1p-5000", 0}, Row{"-1e-400", 0}}) {
    CAPTURE(row.text);
    CHECK(go::parse_float(row.text).value() == row.want);
  }
  CHECK(std::isnan(go::parse_float("NaN").value()));
  CHECK(go::parse_float("0." + std::string(400, '0') + "1").value() == 0);
  for (const std::string text :
       {"", "+", "--1", "1x", "0x10", "nan(1)", "-nan", "+NaN", "1e", " 1", "1e400", "0x1p5000"}) {
    CAPTURE(text);
    CHECK_FALSE(go::parse_float(text).has_value());
  }
  CHECK_FALSE(go::parse_float("1" + std::string(400, '0') + "e-1").has_value());
  CHECK(go::parse_float("1e400").error().text == R"(strconv.ParseFloat: parsing "1e400": value out of range)");
  CHECK(go::parse_float("x").error().text == R"(strconv.ParseFloat: parsing "x": invalid syntax)");
}
