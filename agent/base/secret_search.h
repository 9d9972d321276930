// Where a text has secrets in it, in the codings in which a peer repeats what it was told: capitals, percent signs,
// entities, escapes, base64 and hexadecimal digits, also up to three of them around each other. Pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// A secret that is shorter has codings that are ordinary words and numbers.
inline constexpr std::size_t kCodableSecret = 4;

// Of base::shortened(), shown() and foreign_text(). In front of it a secret may have only its beginning.
inline constexpr std::string_view kCutMark = "…";

struct TextRange {
  std::size_t begin = 0, end = 0;
};

class SecretSearch {
 public:
  // `codings`: secrets and what they are as a whole in other codings, the longest first.
  explicit SecretSearch(std::vector<std::string> codings);
  SecretSearch(SecretSearch&&) noexcept;
  SecretSearch& operator=(SecretSearch&&) noexcept;
  ~SecretSearch();

  // Ranges in order, none overlaps another.
  std::vector<TextRange> find(std::string_view text);

 private:
  class Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace base
