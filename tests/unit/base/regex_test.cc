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
