#include "base/regex.h"

#include <doctest/doctest.h>

TEST_CASE("a regular expression matches the whole text, a search any part of it") {
  struct Row {
    const char* pattern;
    const char* text;
    bool full, found;
  };
  for (const Row& row : {Row{"a|b", "a", true, true}, Row{"a|b", "ab", false, true}, Row{"a.*", "xa", false, true},
                         Row{"", "", true, true}, Row{"(?i)UP", "up", true, true}, Row{"x", "y", false, false}}) {
    CAPTURE(row.pattern);
    CAPTURE(row.text);
    const auto regex = base::Regex::compile(row.pattern);
    REQUIRE(regex.has_value());
    CHECK(regex->matches_fully(row.text) == row.full);
    CHECK(regex->found_in(row.text) == row.found);
  }
}

TEST_CASE("a dot stops at a newline only when told so") {
  CHECK_FALSE(base::Regex::compile("a.b", base::DotNewline::excluded)->matches_fully("a\nb"));
  CHECK(base::Regex::compile("a.b", base::DotNewline::included)->matches_fully("a\nb"));
}

TEST_CASE("a bad pattern is refused, also one that would only balance inside a group") {
  for (const char* pattern : {"(", "a)", "a)(b", "[", "*"}) {
    CAPTURE(pattern);
    CHECK_FALSE(base::Regex::compile(pattern).has_value());
  }
}

TEST_CASE("groups come with the whole match first and are empty if they took no part") {
  const auto regex = base::Regex::compile("(?P<host>[^:]+)(:(\\d+))?");
  const auto groups = regex->groups_of_full_match("shop");
  REQUIRE(groups.size() == 4);
  CHECK(groups[0] == "shop");
  CHECK(groups[1] == "shop");
  CHECK(groups[3] == "");
  CHECK(regex->group_number("host") == 1);
  CHECK(regex->group_number("port") == -1);
}

TEST_CASE("only plain alternatives have literals") {
  CHECK(base::Regex::compile("a|b")->literals() == std::vector<std::string>{"a", "b"});
  CHECK(base::Regex::compile("a|")->literals() == std::vector<std::string>{"a", ""});
  CHECK(base::Regex::compile("a.b")->literals().empty());
}

TEST_CASE("all matches are replaced with Go's rules for groups and for empty matches") {
  struct Row {
    const char *pattern, *text, *replacement, *want;
  };
  for (const Row& row : {Row{"(.*):(.*)", "node:9100", "$2/$1", "9100/node"}, Row{"[aeiou]", "checkout", "", "chckt"},
                         Row{"a", "banana", "<$0>", "b<a>n<a>n<a>"}, Row{"(?P<x>n)", "no", "${x}$$$x", "n$no"},
                         Row{"(n)", "no", "$1x", "o"}, Row{"b*", "abc", "-", "-a-c-"}, Row{"", "é", "-", "-é-"},
                         Row{"x", "abc", "y", "abc"}, Row{"a", "a", "$", "$"}, Row{"^a", "aa", "b", "ba"}}) {
    CAPTURE(row.pattern);
    CHECK(base::Regex::compile(row.pattern)->replace_all(row.text, row.replacement) == row.want);
  }
}

TEST_CASE("a byte that is no UTF-8 is one character, as in Go") {
  struct Row {
    const char* pattern;
    std::string bytes;
    bool found;  // by Go's regexp.MatchString
  };
  for (const Row& row : {Row{"caf.*hello", "caf\xe9 hello ok", true},
                         Row{"(?s)^.*ok.*$", "caf\xe9 hello ok\n\xff", true},
                         Row{"^K.se$", "K\xe4se", true},
                         Row{"^K..se$", "K\xe4se", false},
                         Row{"^.+ READY", "\x80\x81\xfe READY", true},
                         Row{"^.{4}$", "caf\xe9", true},
                         Row{"^..$", "\xe2\x82", true},
                         Row{"^.$", "€", true},
                         Row{"^[^a-z]+$", "\xff\xfe", true},
                         Row{"^\\W$", "\xff", true},
                         Row{"^\\w$", "\xff", false},
                         Row{"^\\x{FFFD}$", "\xff", true},
                         Row{"^a\\b", "a\xff", true},
                         Row{"\\xff", "\xff", false},
                         Row{"^\\p{L}$", "\xe9", false},
                         Row{"^\\S+$", "\xed\xa0\x80", true},
                         Row{"(?i)CAF.$", "caf\xe9", true},
                         Row{"ok$", "\xff\xfeok", true},
                         Row{"^$", "\xff", false},
                         Row{"^\\x00.$", std::string("\0\xff", 2), true}}) {
    CAPTURE(row.pattern);
    const auto regex = base::Regex::compile(row.pattern);
    REQUIRE(regex.has_value());
    CHECK(regex->found_in(row.bytes) == row.found);
  }
}

TEST_CASE("what a group found in such bytes is UTF-8, and nothing else of the text is in it") {
  const std::string banner =
      "SSH-2.0-Caf\xe9_1 comm\xff"
      "ent";
  const auto groups = base::Regex::compile("^SSH-2.0-([^ -]+) (.*)$")->groups_of_full_match(banner);
  REQUIRE(groups.size() == 3);
  CHECK(groups[1] == "Caf\ufffd_1");
  CHECK(groups[2] == "comm\ufffdent");
  CHECK(base::Regex::compile(".*SSH-2.0-([^ -]+).*")->replace_all(banner, "$1") == "Caf\ufffd_1");
  CHECK(base::Regex::compile("f.")->replace_all("caf\xe9 \xff", "-") == "ca- \ufffd");
}
