#include "encoding/gzip.h"

#include <libdeflate.h>

#include <memory>

#include "base/check.h"

namespace encoding {
namespace {

// The lowest level: it costs a third of zlib's level 4 and makes metrics smaller than that, a twelfth of what they
// were.
constexpr int kLevel = 1;

}  // namespace

std::string gzip(std::string_view text) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  CHECK(compressor);
  // Not a string of that size: its zeros would touch memory that the answer does not need.
  const std::size_t most = libdeflate_gzip_compress_bound(compressor.get(), text.size());
  const std::unique_ptr<char[]> out(new char[most]);
  const std::size_t size = libdeflate_gzip_compress(compressor.get(), text.data(), text.size(), out.get(), most);
  CHECK(size > 0);
  return {out.get(), size};
}

}  // namespace encoding
