// "did you mean": the known word nearest to a wrong one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace base {

// Insertions, deletions, substitutions and swaps of neighbours needed to turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, if it is near enough to be a slip (two edits, or a third of a long word); else "".
std::string nearest(std::string_view wrong, std::span<const std::string> known);

}  // namespace base
