// The same for libFuzzer, which follows the coverage: built by clang with
// FETTLE_SANITIZE=fuzzer-no-link,address,undefined (tests/fuzz/CMakeLists.txt says how). The input is an expression;
// each is checked with both dialects.
#include <cstdlib>

#include "fuzz/expression_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const promql::MemoryQueryable data = fuzz::some_data();
  static fuzz::ExpressionCheck v2(promql::Compat::v2);
  static fuzz::ExpressionCheck v3(promql::Compat::v3);
  const std::string text(bytes, bytes + size);
  v2.text(text, data);
  v3.text(text, data);
  if (v2.wrong() + v3.wrong() > 0) std::abort();
  return 0;
}
