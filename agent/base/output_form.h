// How a command says what it found: for people, or one JSON document on standard output (-o json). Exit codes are the
// same, and what is wrong with the line itself is said on standard error in both.
#pragma once

namespace base {

enum class OutputForm { text, json };

}  // namespace base
