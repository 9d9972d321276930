// How many lines of one message the log takes, and the priorities that the journal gets.
#include "base/log_limit.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/journal.h"

using base::log::LineLimit;

TEST_CASE("a message that comes too often is left out, others are not, and what was left out is said") {
  LineLimit limit;
  const base::Instant start{std::chrono::hours{1}};
  for (std::uint64_t i = 0; i < LineLimit::kLines; ++i) CHECK(limit.take("again", start).write);
  for (int i = 0; i < 7; ++i) CHECK_FALSE(limit.take("again", start).write);
  CHECK(limit.take("another", start).write);
  CHECK(limit.left_out() == 7);
  const auto later = limit.take("another", start + LineLimit::kWindow);
  CHECK(later.write);
  REQUIRE(later.ended.size() == 1);
  CHECK(later.ended[0].message == "again");
  CHECK(later.ended[0].lines == 7);
  CHECK(limit.take("again", start + LineLimit::kWindow).write);
}

TEST_CASE("more messages than are watched are written") {
  LineLimit limit;
  const base::Instant start{std::chrono::hours{1}};
  for (std::size_t i = 0; i < LineLimit::kMessages + 10; ++i) CHECK(limit.take(fmt::format("{}", i), start).write);
}

TEST_CASE("lines begin with the priorities of sd-daemon where standard error is the journal's") {
  using base::log::Level;
  CHECK(base::log::journal_priority(Level::error) == "<3>");
  CHECK(base::log::journal_priority(Level::warn) == "<4>");
  CHECK(base::log::journal_priority(Level::info) == "<6>");
  CHECK(base::log::journal_priority(Level::debug) == "<7>");
  struct stat status {};
  REQUIRE(::fstat(STDOUT_FILENO, &status) == 0);
  const std::string own = fmt::format("{}:{}", status.st_dev, status.st_ino);
  CHECK(base::log::is_journal(own.c_str(), STDOUT_FILENO));
  CHECK_FALSE(base::log::is_journal("1:2", STDOUT_FILENO));
  CHECK_FALSE(base::log::is_journal(nullptr, STDOUT_FILENO));
  CHECK_FALSE(base::log::is_journal(own.c_str(), -1));
}
