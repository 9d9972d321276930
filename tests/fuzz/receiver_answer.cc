// What a receiver or an Alertmanager answers to a message: the first line is its status, the second Retry-After, what
// follows the body.
#include <string>

#include "fuzz/fuzz.h"
#include "notify/retry.h"

void fuzz::one_input(std::string_view bytes) {
  const std::size_t first = bytes.find('\n');
  const std::size_t second = first == std::string_view::npos ? first : bytes.find('\n', first + 1);
  if (second == std::string_view::npos) return;
  http::HttpResponse response;
  response.status = 0;
  for (const char digit : bytes.substr(0, std::min<std::size_t>(first, 3)))
    if (digit >= '0' && digit <= '9') response.status = response.status * 10 + (digit - '0');
  response.headers = {{"Retry-After", std::string(bytes.substr(first + 1, second - first - 1))}};
  response.body = bytes.substr(second + 1);
  const notify::Sent sent = notify::judge(response, base::wall_from_ms(1'700'000'000'000));
  notify::retry_delay(3, 0.5, sent.retry_after);
}
