// The file of --web.config.file.
#include "web/server/web_config.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  const auto read = web::parse_web_config(bytes, "web.yml");
  if (!read) return require(!read.error().text.empty(), "a refusal has a reason");
  require(!read->tls || !read->files.cert_file.empty(), "TLS has a certificate");
}
