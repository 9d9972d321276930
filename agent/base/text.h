// Text from outside (a peer, a program, a list of targets, a person), made fit for labels, pages, logs and
// terminals. Pure; from every thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// Bytes of the UTF-8 character that `text` begins with (RFC 3629: no surrogates, no overlong forms); 0 if it is none.
std::size_t utf8_length(std::string_view text);
// The number of leading bytes that are UTF-8.
std::size_t valid_utf8_prefix(std::string_view text);
// Each byte that belongs to no character becomes U+FFFD: the characters that Go sees in the bytes.
std::string valid_utf8(std::string_view bytes);

// Bytes read as UTF-8 in that way. A copy is made only of those that are none; the others must live as long as this.
class Utf8 {
 public:
  explicit Utf8(std::string_view bytes);
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;
  std::string_view text() const { return text_; }

 private:
  std::string repaired_;
  std::string_view text_;
};

// The code point of a character that a terminal or a reader may take for an order: controls, ends of lines, marks of
// direction, tags that are not seen. 0 of all others.
std::uint32_t steering_rune(std::string_view character);

// As much of UTF-8 text as fits into `limit` bytes, cut between two characters and not within one.
std::string_view cut(std::string_view text, std::size_t limit);
// The same with "…" as the last of the bytes if something was cut off. Whoever shows a part of what a peer said cuts
// with this, or with a function below: KnownSecrets finds the beginning of a secret in front of that mark.
std::string shortened(std::string_view text, std::size_t limit);
// What stands before the first end of a line, shortened.
std::string first_line(std::string_view text, std::size_t limit);

// One line: UTF-8 as above, characters that steer a terminal, end a line or turn the direction of reading written out
// (\x1b, \n, \u202e), at most `limit` bytes; the last of them are "…" if something was cut off.
std::string foreign_text(std::string_view bytes, std::size_t limit);
// The same, but ends of lines and tabs stay.
std::string foreign_lines(std::string_view bytes, std::size_t limit);

// What a person says about a silence, a maintenance, a recovery or an acknowledgement, made fit as foreign_lines()
// does. An error if it is longer than kCommentLimit.
inline constexpr std::size_t kCommentLimit = 1024;
Result<std::string> parse_comment(std::string_view bytes);

// A piece of what a peer said, fit for one line of text: 'PONG', with dots for what cannot be printed.
std::string shown(std::string_view bytes);

}  // namespace base
