// The way in for libFuzzer, which brings its own main().
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::one_input(std::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
