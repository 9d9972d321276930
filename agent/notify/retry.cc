#include "notify/retry.h"

#include <fmt/format.h>
#include <strings.h>
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "base/number.h"
#include "base/text.h"

namespace notify {
namespace {

constexpr std::array<int, 7> kSeconds{0, 1, 2, 5, 10, 30, 60};
constexpr base::Millis kLongest{300'000};
constexpr base::Millis kLongestAsked{3'600'000};
constexpr double kJitter = 0.2;

// Failures before the first byte of the request.
bool before_request(model::Reason reason) {
  switch (reason) {
    case model::Reason::dns_error:
    case model::Reason::refused:
    case model::Reason::connect_timeout:
    case model::Reason::unreachable:
    case model::Reason::tls_handshake:
    case model::Reason::tls_verify:
    case model::Reason::tls_expired: return true;
    default: return false;
  }
}

// EX_USAGE to EX_CONFIG but those that may be otherwise in a minute: a service, the system or a file that does not
// work, and EX_TEMPFAIL.
bool is_refusal(int code) {
  return code >= EX_USAGE && code <= EX_CONFIG && code != EX_UNAVAILABLE && code != EX_OSERR && code != EX_IOERR &&
         code != EX_TEMPFAIL;
}

std::string foreign_line(std::string_view bytes) {
  return base::foreign_text(base::first_line(bytes, std::string::npos), 200);
}

}  // namespace

base::Duration retry_delay(int failures, double chance, base::Millis retry_after) {
  base::Millis plain = kLongest;
  const auto n = static_cast<std::size_t>(std::max(0, failures));
  if (n < kSeconds.size()) plain = std::chrono::seconds{kSeconds[n]};
  else if (n - kSeconds.size() < 8) plain = std::min(kLongest, base::Millis{60'000LL << (n - kSeconds.size() + 1)});
  const auto spread = base::Millis{
      std::llround(static_cast<double>(plain.count()) * (1 + (failures > 0 ? kJitter * (2 * chance - 1) : 0)))};
  return std::max(spread, std::min(retry_after, kLongestAsked));
}

std::optional<base::Millis> parse_retry_after(std::string_view value, base::WallTime now) {
  constexpr std::int64_t kMost = 86'400;
  if (const auto whole = base::read_number<std::int64_t>(value); whole && *whole >= 0)
    return base::Millis{std::min(*whole, kMost) * 1000};
  std::tm date{};
  const std::string text(value);
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return std::nullopt;
  // In milliseconds: a year that a server may write is more than the nanoseconds of a WallTime hold.
  const std::int64_t left = static_cast<std::int64_t>(::timegm(&date)) * 1000 - base::to_ms(now);
  return base::Millis{std::clamp<std::int64_t>(left, 0, kMost * 1000)};
}

Sent judge(const base::Result<http::HttpResponse>& response, base::WallTime now) {
  if (response) return judge(*response, now);
  Sent sent;
  sent.fate = Fate::unreached;
  sent.text = base::foreign_text(response.error().text, 1024);
  return sent;
}

Sent judge(const http::HttpResponse& response, base::WallTime now) {
  Sent sent;
  sent.status = response.status;
  // An answer longer than we read is an answer all the same.
  if (response.reason != model::Reason::none &&
      !(response.reason == model::Reason::too_large && response.status != 0)) {
    sent.text = fmt::format("{}: {}", to_string(response.reason), base::foreign_text(response.text, 1024));
    sent.fate = before_request(response.reason) ? Fate::unreached : Fate::unknown;
    return sent;
  }
  const int status = response.status;
  if (status == 400 || status == 413 || status == 422) sent.blame = Blame::message;
  if (status >= 200 && status < 300) sent.fate = Fate::taken;
  else if (status == 429) sent.fate = Fate::unreached;  // it was not looked at
  else if (status >= 400 && status < 500 && status != 408 && status != 425) sent.fate = Fate::refused;
  const bool ok = sent.fate == Fate::taken;
  const std::string said = foreign_line(response.body);
  sent.text = fmt::format("HTTP status {}{}{}", response.status, said.empty() || ok ? "" : ": ", ok ? "" : said);
  if (response.status >= 300 && response.status < 400) sent.text += "; redirects are not followed, write the final URL";
  for (const auto& [name, value] : response.headers)
    if (::strcasecmp(name.c_str(), "retry-after") == 0)
      sent.retry_after = parse_retry_after(value, now).value_or(base::Millis{0});
  if (!ok && sent.retry_after > kLongest)
    sent.text += "; it asks to wait " + base::format_duration(std::min(sent.retry_after, kLongestAsked));
  return sent;
}

Sent judge(const base::Result<os::Finished>& finished) {
  Sent sent;
  if (!finished) {
    sent.fate = Fate::unreached;
    sent.text = base::foreign_text(finished.error().text, 1024);
    return sent;
  }
  const std::string said = foreign_line(finished->err.empty() ? finished->out : finished->err);
  if (finished->timed_out) sent.text = "not ended in time";
  else if (finished->signal != 0) sent.text = fmt::format("ended by signal {}", finished->signal);
  else sent.text = fmt::format("exit code {}", finished->exit_code);
  if (finished->timed_out || finished->signal != 0) sent.fate = Fate::unknown;
  else if (finished->exit_code == 0) sent.fate = Fate::taken;
  else if (is_refusal(finished->exit_code)) sent.fate = Fate::refused;
  if (sent.fate == Fate::refused && finished->exit_code == EX_DATAERR) sent.blame = Blame::message;
  if (!said.empty() && sent.fate != Fate::taken) sent.text += ": " + said;
  return sent;
}

}  // namespace notify
