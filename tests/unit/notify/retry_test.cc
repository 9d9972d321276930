#include "notify/retry.h"

#include <doctest/doctest.h>

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
const base::WallTime kNow = base::wall_from_ms(1'700'000'000'000);  // Tue, 14 Nov 2023 22:13:20 GMT
}

TEST_CASE("retries come after 0, 1, 2, 5, 10, 30, 60 s and then up to 5 min, spread by a fifth") {
  const int plain[] = {0, 1, 2, 5, 10, 30, 60, 120, 240, 300, 300};
  for (int failures = 0; failures < 11; ++failures) {
    CAPTURE(failures);
    CHECK(notify::retry_delay(failures, 0.5, base::Millis{0}) == seconds{plain[failures]});
  }
  CHECK(notify::retry_delay(1000, 0.5, base::Millis{0}) == seconds{300});
  CHECK(notify::retry_delay(4, 0.0, base::Millis{0}) == seconds{8});
  CHECK(notify::retry_delay(4, 0.75, base::Millis{0}) == seconds{11});
}

TEST_CASE("a Retry-After that is longer is honoured, up to an hour") {
  CHECK(notify::retry_delay(1, 0.5, base::Millis{30'000}) == seconds{30});
  CHECK(notify::retry_delay(6, 0.5, base::Millis{30'000}) == seconds{60});
  CHECK(notify::retry_delay(0, 0.5, base::Millis{86'400'000}) == seconds{3600});
}

TEST_CASE("that a receiver asks to wait for longer than we would is said") {
  http::HttpResponse busy;
  busy.status = 503;
  busy.headers = {{"Retry-After", "300"}};
  CHECK(notify::judge(busy, kNow).text == "HTTP status 503");
  busy.headers = {{"Retry-After", "100000"}};
  CHECK(notify::judge(busy, kNow).text == "HTTP status 503; it asks to wait 1h");
}

TEST_CASE("Retry-After is read as seconds or as a date") {
  struct Row {
    const char* text;
    int ms;  // -1: refused
  };
  for (const Row& row :
       {Row{"120", 120'000}, Row{"0", 0}, Row{"Tue, 14 Nov 2023 22:13:50 GMT", 30'000},
        Row{"Tue, 14 Nov 2023 22:00:00 GMT", 0}, Row{"9000000", 86'400'000},
        Row{"Fri, 31 Dec 9999 23:59:59 GMT", 86'400'000}, Row{"soon", -1}, Row{"-5", -1}, Row{"", -1}}) {
    CAPTURE(row.text);
    const auto parsed = notify::parse_retry_after(row.text, kNow);
    CHECK(parsed.has_value() == (row.ms >= 0));
    if (parsed) CHECK(*parsed == milliseconds{row.ms});
  }
}

TEST_CASE("what an answer means: taken, refused, never seen, or nobody knows") {
  using notify::Fate;
  struct Row {
    int status;
    model::Reason reason;
    Fate fate;
    const char* text;
  };
  const Row rows[] = {
      {200, model::Reason::none, Fate::taken, "HTTP status 200"},
      {204, model::Reason::none, Fate::taken, "HTTP status 204"},
      {202, model::Reason::too_large, Fate::taken, "HTTP status 202"},
      {301, model::Reason::none, Fate::unknown,
       "HTTP status 301: said; redirects are not followed, write the final URL"},
      {400, model::Reason::none, Fate::refused, "HTTP status 400: said"},
      {401, model::Reason::none, Fate::refused, "HTTP status 401: said"},
      {408, model::Reason::none, Fate::unknown, "HTTP status 408: said"},
      {410, model::Reason::none, Fate::refused, "HTTP status 410: said"},
      {413, model::Reason::none, Fate::refused, "HTTP status 413: said"},
      {429, model::Reason::none, Fate::unreached, "HTTP status 429: said"},
      {500, model::Reason::none, Fate::unknown, "HTTP status 500: said"},
      {503, model::Reason::none, Fate::unknown, "HTTP status 503: said"},
      {0, model::Reason::refused, Fate::unreached, "refused: connection refused"},
      {0, model::Reason::dns_error, Fate::unreached, "dns_error: connection refused"},
      {0, model::Reason::reset, Fate::unknown, "reset: connection refused"},
      {200, model::Reason::read_timeout, Fate::unknown, "read_timeout: connection refused"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    http::HttpResponse response;
    response.status = row.status;
    response.reason = row.reason;
    response.text = "connection refused";
    response.body = "said\nmore";
    const notify::Sent sent = notify::judge(response, kNow);
    CHECK(sent.fate == row.fate);
    CHECK(sent.text == row.text);
  }
  http::HttpResponse busy;
  busy.status = 503;
  busy.headers = {{"retry-after", "7"}};
  CHECK(notify::judge(busy, kNow).retry_after == base::Millis{7'000});
}

TEST_CASE("without credentials nothing was sent") {
  const notify::Sent sent = notify::judge(base::Result<http::HttpResponse>(base::fail(
                                              base::Kind::permission, "no credentials to send: /k: no\tsuch\x01 file")),
                                          kNow);
  CHECK(sent.fate == notify::Fate::unreached);
  CHECK(sent.text == R"(no credentials to send: /k: no\tsuch\x01 file)");
}

TEST_CASE("a program's end means the same, in the words of sysexits.h") {
  using notify::Blame;
  using notify::Fate;
  struct Row {
    int code;
    const char* said;  // on standard error
    Fate fate;
    const char* text;
    Blame blame = Blame::receiver;
  };
  for (const Row& row : {
           Row{0, "fine", Fate::taken, "exit code 0"},
           Row{1, "no\x1b[1m route\nmore", Fate::unknown, R"(exit code 1: no\x1b[1m route)"},
           Row{64, "", Fate::refused, "exit code 64"},
           Row{65, "", Fate::refused, "exit code 65", Blame::message},
           Row{69, "", Fate::unknown, "exit code 69"},
           Row{71, "", Fate::unknown, "exit code 71"},
           Row{74, "", Fate::unknown, "exit code 74"},
           Row{75, "later", Fate::unknown, "exit code 75: later"},
           Row{78, "", Fate::refused, "exit code 78"},
           Row{79, "", Fate::unknown, "exit code 79"},
           Row{127, "", Fate::unknown, "exit code 127"},
       }) {
    CAPTURE(row.text);
    os::Finished finished;
    finished.exit_code = row.code;
    finished.err = row.said;
    const notify::Sent sent = notify::judge(base::Result<os::Finished>(finished));
    CHECK(sent.fate == row.fate);
    CHECK(sent.blame == row.blame);
    CHECK(sent.text == row.text);
  }
  os::Finished killed;
  killed.signal = 9;
  CHECK(notify::judge(base::Result<os::Finished>(killed)).text == "ended by signal 9");
  os::Finished slow;
  slow.exit_code = 0;  // it obeyed, but too late
  slow.timed_out = true;
  slow.out = "slow";
  const notify::Sent late = notify::judge(base::Result<os::Finished>(slow));
  CHECK(late.fate == Fate::unknown);
  CHECK(late.text == "not ended in time: slow");
  const notify::Sent missing = notify::judge(base::Result<os::Finished>(base::fail(base::Kind::not_found, "no /x")));
  CHECK(missing.fate == Fate::unreached);
  CHECK(missing.text == "no /x");
}
