#include "web/tls_bundle.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace web {

base::Result<TlsBundle> TlsBundle::read(const TlsFiles& files) {
  TRY(std::string text, base::read_file(files.cert_file));
  TRY(const std::string key, base::read_file(files.key_file));
  text += '\n' + key;
  base::UniqueFd fd(::memfd_create("fettle-tls", MFD_CLOEXEC));
  if (!fd) return base::fail_errno(errno, "memfd_create");
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd.value(), rest.data(), rest.size());
    if (n < 0) return base::fail_errno(errno, "writing the TLS key to memory");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return TlsBundle(std::move(fd));
}

std::string TlsBundle::path() const { return fmt::format("/proc/self/fd/{}", fd_.value()); }

}  // namespace web
