// Go's strconv, strings, url and time as far as rules and templates show them: numbers, quoting, letters, times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace go {

// Verbs are b, e, E, f, F, g, G, x, X or v; precision -1 is the shortest that reads back the same.
std::string format_float(double v, char verb, int precision);
std::string quote(std::string_view text);                     // %q: "…" with Go's escapes
std::string quote_shortened(std::string_view text);           // %.10q..., and %q of what has at most ten bytes
std::string quote_rune(char32_t rune);                        // %q: 'x'
std::string unicode_name(char32_t rune);                      // %#U: U+0063 'c'
base::Result<std::string> unquote(std::string_view literal);  // of "…", `…` and '…'
// What follows a backslash in a literal between `quote_mark`s, put behind `out`: the bytes taken, 0 for an escape that
// Go does not know. \xff is a byte, but a character between single ones.
std::size_t unescape(std::string_view rest, char quote_mark, std::string& out);

base::Result<double> parse_float(std::string_view text);
std::string time_string(base::WallTime t);  // 2015-06-23 13:19:44.128 +0000 UTC
std::string time_format(base::WallTime t, std::string_view layout);
std::string duration_string(std::int64_t ns);  // 1h30m0s

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string title(std::string_view text);
// The same as Prometheus 3 has it (golang.org/x/text/cases): no word begins inside host.domain or it's, and 5xx becomes
// 5Xx.
std::string title_of_words(std::string_view text);

}  // namespace go
