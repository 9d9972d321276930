#include "net/wire.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/check.h"
#include "net/tls/tls.h"

namespace net {

struct Wire::Tls {
  Tls(std::shared_ptr<const ServerTls> c, int fd)
      : context(std::move(c)), ssl(SSL_new(static_cast<SSL_CTX*>(context->native()))) {
    CHECK(ssl != nullptr);
    SSL_set_fd(ssl, fd);
    SSL_set_accept_state(ssl);
  }
  ~Tls() { SSL_free(ssl); }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  std::shared_ptr<const ServerTls> context;
  SSL* ssl;
};

Wire::Wire(loop::EventLoop& loop, base::UniqueFd fd, std::shared_ptr<const ServerTls> tls,
           std::function<void()> on_ready)
    : loop_(loop), fd_(std::move(fd)), on_ready_(std::move(on_ready)) {
  if (tls != nullptr) tls_ = std::make_unique<Tls>(std::move(tls), fd_.value());
}

Wire::~Wire() = default;

base::Result<base::UniqueFd> Wire::connect_unix(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  CHECK(path.size() < sizeof name.sun_path);
  path.copy(name.sun_path, path.size());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(errno, "socket");
  if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return base::fail_errno(errno, fmt::format("connect to {}", path));
  return fd;
}

Wire::Moved Wire::read(char* into, std::size_t size) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    read_wants_ = {.read = true};
    return tls_result(
        SSL_read(tls_->ssl, into, static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()))),
        read_wants_);
  }
  const ssize_t n = ::recv(fd_.value(), into, size, 0);
  if (n > 0) return {Step::done, static_cast<std::size_t>(n)};
  if (n == 0) return {Step::closed};
  return {errno == EAGAIN || errno == EINTR ? Step::again : Step::failed};
}

Wire::Moved Wire::write(std::string_view bytes) {
  if (bytes.empty()) return {Step::done};
  if (tls_ != nullptr) {
    ERR_clear_error();
    write_wants_ = {.write = true};
    const auto size = static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max()));
    return tls_result(SSL_write(tls_->ssl, bytes.data(), size), write_wants_);
  }
  const ssize_t n = ::send(fd_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return {Step::done, static_cast<std::size_t>(n)};
  return {errno == EAGAIN || errno == EINTR ? Step::again : Step::failed};
}

Wire::Moved Wire::tls_result(int result, loop::Ready& wants) {
  if (result > 0) return {Step::done, static_cast<std::size_t>(result)};
  switch (SSL_get_error(tls_->ssl, result)) {
    case SSL_ERROR_WANT_READ: wants = {.read = true}; return {};
    case SSL_ERROR_WANT_WRITE: wants = {.write = true}; return {};
    case SSL_ERROR_ZERO_RETURN: return {Step::closed};
    default: return {Step::failed};
  }
}

void Wire::watch(loop::Ready want) {
  want_ = want;
  rewatch();
}

void Wire::rewatch() {
  const loop::Ready now{.read = (want_.read && read_wants_.read) || (want_.write && write_wants_.read),
                        .write = (want_.write && write_wants_.write) || (want_.read && read_wants_.write)};
  if (now.read == watched_.read && now.write == watched_.write) return;
  watched_ = now;
  watch_.reset();
  if (now.read || now.write)
    watch_ = loop_.watch(fd_.value(), now, [this](loop::Ready) {
      const auto call = on_ready_;  // it may destroy this
      call();
    });
}

bool Wire::secured() const { return tls_ == nullptr || SSL_is_init_finished(tls_->ssl) == 1; }

void Wire::end_writing() {
  if (tls_ != nullptr && secured()) {
    ERR_clear_error();
    SSL_shutdown(tls_->ssl);
  }
  ::shutdown(fd_.value(), SHUT_WR);
}

void Wire::reset_on_close() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_.value(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace net
