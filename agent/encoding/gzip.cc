#include "encoding/gzip.h"

#include <zlib.h>

#include "base/check.h"

namespace encoding {

std::string gzip(std::string_view text) {
  z_stream stream{};
  // 16 + 15: a gzip header and the whole window. Level 4 costs half of level 6 and metrics shrink to a tenth anyway.
  CHECK(deflateInit2(&stream, 4, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  // zlib's interface predates const.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace encoding
