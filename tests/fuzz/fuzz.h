// What a target of this folder is: one parser that reads the bytes of others, and what must hold for any of them.
// A file NAME.cc defines one_input(); fuzz_target() in CMakeLists.txt makes the program of it, with libFuzzer where the
// build has it, else with mutation_main.cc. Both give the same bytes to the same function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fuzz {

// Called for each input, one after the other. Nothing may stay behind from one to the next.
void one_input(std::string_view bytes);

// Ends the program with `why` if a property does not hold; the input is then kept as a crash is.
void require(bool holds, std::string_view why);

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::size_t below(std::size_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_;
};

// Gives `bytes` to `take` in pieces of one to seven bytes; where they are cut depends on nothing but them. A reader
// must say the same as of all at once.
template <typename Take>
void in_pieces(std::string_view bytes, Take take) {
  Random random(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = 1 + random.below(7);
    take(bytes.substr(0, size));
    bytes.remove_prefix(size < bytes.size() ? size : bytes.size());
  }
}

}  // namespace fuzz
