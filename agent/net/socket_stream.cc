#include "net/socket_stream.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "net/hosts_file.h"
#include "net/time_wait.h"
#include "os/own_view.h"

namespace net {
namespace {

using model::Reason;

constexpr std::size_t kChunk = 64 * 1024;

std::string message(int code) { return std::error_code(code, std::generic_category()).message(); }

// A datagram may have been refused by its receiver's kernel; a stream never is once it stands.
Reason reason_of_transfer(int code, Reason timeout) {
  if (os::is_own_want(code) || code == EPERM) return Reason::agent_overloaded;
  return code == ETIMEDOUT ? timeout : code == ECONNREFUSED ? Reason::refused : Reason::reset;
}

}  // namespace

SocketStream::SocketStream(loop::EventLoop& loop, base::UniqueFd fd, std::string peer, base::Instant deadline)
    : loop_(loop), fd_(std::move(fd)), peer_(std::move(peer)) {
  deadline_ = loop_.at(deadline, [this] { expire(); });
}

SocketStream::~SocketStream() {
  if (dropped_ != nullptr) *dropped_ = true;
  note_closing(fd_.value());
}

void SocketStream::write(std::string bytes, std::function<void(const StreamFailure*)> done) {
  writes_.push_back({std::move(bytes), 0, std::move(done)});
  // One that nobody wants to be told of is tried here: nearly always the kernel takes all of it.
  if (writes_.size() == 1 && writes_.front().done == nullptr && ssl_ == nullptr && !expired_) {
    Write& write = writes_.front();
    const Attempt attempt = send(write.bytes);
    write.sent += attempt.size;
    if (write.sent == write.bytes.size()) return writes_.clear();
  }
  soon();
}

void SocketStream::read(std::function<void(std::string_view, const StreamFailure*)> on_bytes) {
  on_bytes_ = std::move(on_bytes);
  if (ssl_ != nullptr || expired_) soon();
  else update_watch();
}

void SocketStream::start_tls(std::shared_ptr<TlsContext> tls, std::string server_name, std::string_view unread,
                             std::function<void(const StreamFailure*)> done) {
  tls_ = std::move(tls);
  const std::string& name = tls_->settings().server_name.empty() ? server_name : tls_->settings().server_name;
  verification_ = {};
  verification_.host = name;
  verification_.skip = tls_->settings().insecure_skip_verify;
  verification_.staple_required = tls_->settings().require_ocsp_staple;
  ssl_.reset(SSL_new(static_cast<SSL_CTX*>(tls_->native())));
  verification_.trouble = tls_->trouble();
  CHECK(ssl_ != nullptr);
  attach_verification(ssl_.get(), &verification_);
  SSL_set_fd(ssl_.get(), fd_.value());
  if (!name.empty() && parse_literal(name).empty())
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str()));
  if (!protocol_.empty()) {
    std::string list(1, static_cast<char>(protocol_.size()));
    list += protocol_;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned int>(list.size()));
  }
  SSL_set_connect_state(ssl_.get());
  if (TlsSessions* sessions = TlsSessions::of(ssl_.get()))
    sessions->offer(ssl_.get(), verification_, name + ' ' + peer_);
  shaken_ = std::move(done);
  clear_writes_ = writes_.size();
  if (!unread.empty())
    injected_ = {Reason::protocol_error,
                 fmt::format("{} sent {} bytes more in the clear before TLS began; somebody may stand in between",
                             peer_, unread.size())};
  soon();
}

void SocketStream::soon() {
  soon_ = loop_.at(loop_.now(), [this] { advance({}); });
}

void SocketStream::advance(loop::Ready ready) {
  if (expired_) return expire();
  // What was said in the clear before an upgrade must have left before its hello.
  if (clear_writes_ > 0 && !survives([this] { write_some(); })) return;
  if (!survives([this] { shake_hands(); })) return;
  if (shaken_ == nullptr) {
    if (!survives([this] { write_some(); })) return;
    // What is there already makes the descriptor readable as soon as it is watched; only TLS may hold bytes back.
    const bool may_read = ready.read || ssl_ != nullptr;
    if (may_read && !survives([this] { read_some(); })) return;
  }
  update_watch();
}

void SocketStream::shake_hands() {
  if (shaken_ == nullptr || clear_writes_ > 0) return;
  if (injected_) return end_handshake(*std::exchange(injected_, std::nullopt));
  ERR_clear_error();
  Attempt attempt = tls_result(SSL_do_handshake(ssl_.get()), "TLS handshake with");
  if (attempt.step == Step::again) return;
  if (attempt.step == Step::done) return std::exchange(shaken_, nullptr)(nullptr);
  // What an earlier connection showed is no word of a peer that did not come so far.
  if (verification_.from_session) verification_.chain = {};
  if (verification_.reason != Reason::none) {
    attempt.failure = {verification_.reason,
                       fmt::format("certificate of {}: {}", peer_, verification_.chain.verify_error)};
  } else if (attempt.step == Step::closed) {
    attempt.failure = {Reason::tls_handshake,
                       fmt::format("TLS handshake with {}: the peer closed the connection", peer_)};
  }
  end_handshake(attempt.failure);
}

void SocketStream::end_handshake(const StreamFailure& failure) {
  const auto shaken = std::exchange(shaken_, nullptr);
  shaken(&failure);
}

void SocketStream::write_some() {
  while (may_write()) {
    Write& write = writes_.front();
    Attempt attempt{.step = Step::done};
    while (attempt.step == Step::done && write.sent < write.bytes.size()) {
      attempt = send(std::string_view(write.bytes).substr(write.sent));
      write.sent += attempt.size;
    }
    if (attempt.step == Step::again) return;
    const auto done = std::move(write.done);
    writes_.pop_front();
    const bool before_tls = clear_writes_ > 0;
    if (before_tls) --clear_writes_;
    if (attempt.step == Step::closed)
      attempt.failure = {Reason::closed_early, fmt::format("write to {}: the peer closed the connection", peer_)};
    const bool failed = attempt.step != Step::done;
    if (done != nullptr && !survives([&] { done(failed ? &attempt.failure : nullptr); })) return;
    // Without it the peer waits for what it was not told, and no hands are shaken.
    if (failed && before_tls && shaken_ != nullptr) return end_handshake(attempt.failure);
  }
}

void SocketStream::read_some() {
  if (on_bytes_ == nullptr || shaken_ != nullptr) return;
  std::array<char, kChunk> buffer;
  const Attempt attempt = receive(buffer.data(), buffer.size());
  if (attempt.step == Step::again) return;
  if (attempt.step == Step::done) {
    // Out of the object while it runs: it may drop it, or set another.
    const auto on_bytes = std::exchange(on_bytes_, nullptr);
    if (!survives([&] { on_bytes({buffer.data(), attempt.size}, nullptr); })) return;
    if (on_bytes_ == nullptr) on_bytes_ = on_bytes;
    // Decrypted bytes make no descriptor readable.
    if (ssl_ != nullptr && SSL_has_pending(ssl_.get()) == 1) soon();
    return;
  }
  const auto on_bytes = std::exchange(on_bytes_, nullptr);
  on_bytes({}, attempt.step == Step::failed ? &attempt.failure : nullptr);
}

// The deadline: whatever is going on fails, and so does what is begun later.
void SocketStream::expire() {
  expired_ = true;
  watch_.reset();
  watched_ = {};
  if (shaken_ != nullptr) {
    const StreamFailure unsent{Reason::send_timeout, fmt::format("write to {}: timed out", peer_)};
    const StreamFailure late{Reason::tls_handshake, fmt::format("TLS handshake with {}: timed out", peer_)};
    if (!survives([&] { end_handshake(clear_writes_ > 0 ? unsent : late); })) return;
  }
  while (!writes_.empty()) {
    const auto done = std::move(writes_.front().done);
    writes_.pop_front();
    unsent_ |= done == nullptr;
    const StreamFailure failure{Reason::send_timeout, fmt::format("write to {}: timed out", peer_)};
    if (done != nullptr && !survives([&] { done(&failure); })) return;
  }
  if (const auto on_bytes = std::exchange(on_bytes_, nullptr); on_bytes != nullptr) {
    const StreamFailure failure{unsent_ ? Reason::send_timeout : Reason::read_timeout,
                                fmt::format("{} {}: timed out", unsent_ ? "write to" : "read from", peer_)};
    on_bytes({}, &failure);
  }
}

void SocketStream::update_watch() {
  loop::Ready want{};
  if (clear_writes_ > 0) {
    want.write = true;
  } else if (shaken_ != nullptr) {
    want = tls_wants_;
  } else {
    want.read = on_bytes_ != nullptr || (!writes_.empty() && tls_wants_.read);
    want.write = !writes_.empty() || (on_bytes_ != nullptr && tls_wants_.write);
  }
  if (want.read == watched_.read && want.write == watched_.write) return;
  watched_ = want;
  watch_.reset();
  if (want.read || want.write) watch_ = loop_.watch(fd_.value(), want, [this](loop::Ready ready) { advance(ready); });
}

SocketStream::Attempt SocketStream::send(std::string_view bytes) {
  if (ssl_ != nullptr && clear_writes_ == 0) {
    ERR_clear_error();
    const auto size = static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max()));
    return tls_result(SSL_write(ssl_.get(), bytes.data(), size), "write to");
  }
  const ssize_t n = ::send(fd_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return {.step = Step::done, .size = static_cast<std::size_t>(n)};
  const int code = errno;
  if (code == EAGAIN || code == EINTR) return {};
  const Reason reason = reason_of_transfer(code, Reason::send_timeout);
  return {.step = Step::failed, .failure = {reason, fmt::format("write to {}: {}", peer_, message(code))}};
}

SocketStream::Attempt SocketStream::receive(char* into, std::size_t size) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    Attempt attempt = tls_result(SSL_read(ssl_.get(), into, static_cast<int>(size)), "read from");
    if (attempt.step == Step::done) {
      heard_ = true;
      verification_.wants_certificate = false;
    }
    return attempt;
  }
  const ssize_t n = ::recv(fd_.value(), into, size, 0);
  if (n > 0) return {.step = Step::done, .size = static_cast<std::size_t>(n)};
  if (n == 0) return {.step = Step::closed};
  const int code = errno;
  if (code == EAGAIN || code == EINTR) return {};
  const Reason reason = reason_of_transfer(code, Reason::read_timeout);
  return {.step = Step::failed, .failure = {reason, fmt::format("read from {}: {}", peer_, message(code))}};
}

SocketStream::Attempt SocketStream::tls_result(int result, const char* what) {
  Attempt attempt = tls_step(result, what);
  const bool ended = attempt.step == Step::closed || attempt.step == Step::failed;
  if (!ended || !verification_.wants_certificate) return attempt;
  if (attempt.step == Step::closed)
    attempt.failure.text = fmt::format("TLS handshake with {}: the peer closed the connection", peer_);
  return {.step = Step::failed,
          .failure = {Reason::tls_handshake, attempt.failure.text + certificate_hint(verification_)}};
}

SocketStream::Attempt SocketStream::tls_step(int result, const char* what) {
  const int code = errno;
  tls_wants_ = {};
  if (result > 0) return {.step = Step::done, .size = static_cast<std::size_t>(result)};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: tls_wants_.read = true; return {};
    case SSL_ERROR_WANT_WRITE: tls_wants_.write = true; return {};
    case SSL_ERROR_ZERO_RETURN: return {.step = Step::closed};
    case SSL_ERROR_SYSCALL:
      if (code == 0) return {.step = Step::closed};
      return {.step = Step::failed, .failure = {Reason::reset, fmt::format("{} {}: {}", what, peer_, message(code))}};
    default: {
      // Of TLS 1.3 a client has shaken hands before the server has seen its certificate.
      const unsigned long cause = ERR_peek_error();
      const bool refused =
          !heard_ && ERR_GET_LIB(cause) == ERR_LIB_SSL && ERR_GET_REASON(cause) >= SSL_AD_REASON_OFFSET;
      const bool at_hello = shaken_ != nullptr || refused;
      if (refused) what = "TLS handshake with";
      const std::string error = take_openssl_error();
      if (error.find("unexpected eof") != std::string::npos) return {.step = Step::closed};
      return {.step = Step::failed,
              .failure = {at_hello ? Reason::tls_handshake : Reason::protocol_error,
                          fmt::format("{} {}: {}", what, peer_, error)}};
    }
  }
}

}  // namespace net
