// Numbers as most binary protocols send them: the most significant byte first. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace probe {

// Reads from the front of a message. After a read beyond its end everything is zero or empty, and `broken`.
class BigEndianReader {
 public:
  explicit BigEndianReader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : text(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  // Two's complement of 1, 2, 4 or 8 bytes.
  std::int64_t signed_number(std::size_t size) {
    const std::size_t unused = 64 - 8 * size;
    return static_cast<std::int64_t>(number(size) << unused) >> unused;
  }
  std::string_view text(std::size_t size) {
    if (size > bytes_.size()) {
      broken_ = true;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::size_t left() const { return bytes_.size(); }
  bool broken() const { return broken_; }

 private:
  std::string_view bytes_;
  bool broken_ = false;
};

inline std::string big_endian(std::uint64_t value, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = size; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  return out;
}

}  // namespace probe
