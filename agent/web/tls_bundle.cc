#include "web/tls_bundle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "loop/tls.h"

namespace web {
namespace {

base::Result<std::string> text_of(const TlsFiles& files) {
  TRY(std::string text, base::read_file(files.cert_file));
  TRY(const std::string key, base::read_file(files.key_file));
  return text + '\n' + key;
}

base::Result<std::string> with_authorities(const base::Result<std::string>& pair, const TlsFiles& files) {
  if (!pair || files.client_ca_file.empty()) return pair;
  TRY(const std::string authorities, base::read_file(files.client_ca_file));
  return *pair + '\n' + authorities;
}

base::Result<base::UniqueFd> in_memory(std::string_view text, int generation) {
  base::UniqueFd fd(::memfd_create("fettle-tls", MFD_CLOEXEC));
  if (!fd) return base::fail_errno(errno, "memfd_create");
  while (!text.empty()) {
    const ssize_t n = ::write(fd.value(), text.data(), text.size());
    if (n < 0) return base::fail_errno(errno, "writing the TLS key to memory");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  // CivetWeb looks at whole seconds, and two changes may come within one.
  const timespec when{.tv_sec = 1'000'000'000 + generation, .tv_nsec = 0};
  const std::array<timespec, 2> both{when, when};
  if (::futimens(fd.value(), both.data()) != 0) return base::fail_errno(errno, "futimens");
  return fd;
}

}  // namespace

base::Result<TlsBundle> TlsBundle::read(const TlsFiles& files) {
  TRY(std::string text, text_of(files));
  TRY(base::UniqueFd fd, in_memory(text, 0));
  TRY(std::string all, with_authorities(text, files));
  return TlsBundle(files, std::move(all), std::move(fd));
}

std::string TlsBundle::path() const { return fmt::format("/proc/self/fd/{}", fd_.value()); }

void TlsBundle::read_what_changed() {
  const auto text = text_of(files_);
  const auto all = with_authorities(text, files_);
  std::string now = all ? *all : all.error().text;
  if (now == tried_) return;
  tried_ = std::move(now);
  base::Result<> usable;
  const auto fit = loop::TlsContext::get(
      {.ca_file = files_.client_ca_file, .cert_file = files_.cert_file, .key_file = files_.key_file});
  if (!all) {
    usable = base::fail(all.error().kind, all.error().text);
  } else if (!fit) {
    usable = base::fail(fit.error().kind, fit.error().text);
  } else if (!(*fit)->trouble().empty()) {
    usable = base::fail(base::Kind::io, (*fit)->trouble());
  } else if (auto next = in_memory(*text, ++generation_); !next || ::dup3(next->value(), fd_.value(), O_CLOEXEC) < 0) {
    usable = base::fail(base::Kind::io, "cannot put the certificate into memory");
  }
  if (usable)
    base::log::info("the web server's changed TLS files were read again",
                    {{"cert_file", files_.cert_file}, {"client_ca_file", files_.client_ca_file}});
  else
    base::log::warn("the web server's changed TLS files cannot be used; those before stay in use",
                    {{"cert_file", files_.cert_file}, {"error", usable.error().text}});
}

}  // namespace web
