#include "encoding/smtp_reply.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/number.h"

namespace encoding {

std::optional<SmtpReply> take_smtp_reply(std::string& bytes, bool& broken) {
  SmtpReply reply;
  for (std::size_t at = 0;;) {
    const std::size_t newline = bytes.find('\n', at);
    std::string_view line = std::string_view(bytes).substr(at, newline == std::string::npos ? newline : newline - at);
    const bool whole = newline != std::string::npos;
    if (line.ends_with('\r')) line.remove_suffix(1);  // the end has begun
    // What cannot become a reply is told before its line ends: other protocols wait for us to speak.
    const std::string_view digits = line.substr(0, 3);
    const auto read = base::read_number<int>(digits);
    const int code = read.value_or(0);
    const bool number = digits.empty() || read;
    const bool mark = line.size() < 4 || line[3] == ' ' || line[3] == '-';
    const bool short_line = whole && line.size() < 3;
    const bool in_range = digits.size() < 3 || (code >= 200 && code < 600);
    const bool same = reply.lines.empty() || digits.size() < 3 || code == reply.code;
    broken = !number || !mark || short_line || !in_range || !same;
    if (broken || !whole) return std::nullopt;
    reply.code = code;
    reply.lines.emplace_back(line.size() > 4 ? line.substr(4) : "");
    at = newline + 1;
    if (line.size() > 3 && line[3] == '-') continue;
    bytes.erase(0, at);
    return reply;
  }
}

std::optional<std::string_view> smtp_offer(std::string_view line, std::string_view keyword) {
  if (!base::same_word(line.substr(0, keyword.size()), keyword)) return std::nullopt;
  if (line.size() == keyword.size()) return "";
  const char mark = line[keyword.size()];
  if (mark != ' ' && mark != '=') return std::nullopt;
  return line.substr(keyword.size() + 1);
}

bool has_smtp_word(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (smtp_offer(words.substr(0, end), wanted) == "") return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace encoding
