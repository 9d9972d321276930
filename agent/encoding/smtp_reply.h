// What a mail server answers (RFC 5321, 4.2), for the probe and for the receiver. Pure; from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace encoding {

// One reply: its code, and its lines without it. The last line is the one without a dash.
struct SmtpReply {
  int code = 0;
  std::vector<std::string> lines;  // at least one
};

// Takes the first reply off `bytes`; none: it is not complete. `broken`: this is no reply.
std::optional<SmtpReply> take_smtp_reply(std::string& bytes, bool& broken);

// What an EHLO's line says of `keyword` ("AUTH": "PLAIN LOGIN"); none: the line is about another.
std::optional<std::string_view> smtp_offer(std::string_view line, std::string_view keyword);
// Whether `wanted` is one of these words, which blanks separate; upper and lower case are the same.
bool has_smtp_word(std::string_view words, std::string_view wanted);

}  // namespace encoding
