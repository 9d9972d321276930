// Values of headers that clients and servers choose: Accept, Accept-Encoding, Location.
#include "encoding/accept.h"
#include "encoding/url.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  encoding::preferred_exposition(bytes);
  encoding::accepts_gzip(bytes);
  if (const auto url = encoding::parse_url(bytes)) {
    require(url->path.starts_with('/'), "a path begins with a slash");
    require(url->query.empty() || url->query.starts_with('?'), "a query has its sign");
  }
  const encoding::Url base = *encoding::parse_url("http://order:8081/a/b?c");
  encoding::resolved(base, bytes);
}
