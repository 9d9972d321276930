// Go's strconv, strings, url and time as far as rules and templates show them: numbers, quoting, letters, times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace go {

// Verbs are e, E, f, F, g, G or v; precision -1 is the shortest that reads back the same.
std::string format_float(double v, char verb, int precision);
std::string quote(std::string_view text);                     // "…" with Go's escapes
base::Result<std::string> unquote(std::string_view literal);  // of "…", `…` and '…'
std::string query_escape(std::string_view text);              // url.QueryEscape

base::Result<double> parse_float(std::string_view text);
std::string time_string(base::WallTime t);  // 2015-06-23 13:19:44.128 +0000 UTC
std::string time_format(base::WallTime t, std::string_view layout);
std::string duration_string(std::int64_t ns);  // 1h30m0s

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string title(std::string_view text);

// One character of UTF-8 from the front of `text` (not empty); 0xFFFD and one byte for what is none.
char32_t first_rune(std::string_view text, std::size_t& bytes);
void append_rune(std::string& out, char32_t rune);

}  // namespace go
