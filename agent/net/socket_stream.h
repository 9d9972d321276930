// The Stream over a connected, non-blocking socket. Used inside net/ only.
#pragma once

#include <openssl/ssl.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/stream.h"
#include "net/tls/certificate_verifier.h"
#include "net/tls/tls_sessions.h"

namespace net {

class SocketStream final : public Stream {
 public:
  SocketStream(loop::EventLoop& loop, base::UniqueFd fd, std::string peer, base::Instant deadline);
  ~SocketStream() override;

  void write(std::string bytes, std::function<void(const StreamFailure*)> done) override;
  void read(std::function<void(std::string_view bytes, const StreamFailure* failure)> on_bytes) override;
  void start_tls(std::shared_ptr<TlsContext> tls, std::string server_name, std::string_view unread,
                 std::function<void(const StreamFailure*)> done) override;
  // Of ALPN, to be offered by start_tls(): "http/1.1". Before it.
  void offer_protocol(std::string name) { protocol_ = std::move(name); }
  const PeerChain* peer_chain() const override { return ssl_ ? &verification_.chain : nullptr; }
  std::string peer() const override { return peer_; }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const {
      TlsSessions::leave(ssl);
      SSL_free(ssl);
    }
  };
  struct Write {
    std::string bytes;
    std::size_t sent = 0;
    std::function<void(const StreamFailure*)> done;
  };
  // What one attempt of the transport gave.
  enum class Step { done, again, closed, failed };
  struct Attempt {
    Step step = Step::again;
    std::size_t size = 0;
    StreamFailure failure{};
  };

  void soon();
  void advance(loop::Ready ready);
  void shake_hands();
  void end_handshake(const StreamFailure& failure);
  bool may_write() const { return !writes_.empty() && (shaken_ == nullptr || clear_writes_ > 0); }
  void write_some();
  void read_some();
  void expire();
  void update_watch();
  Attempt send(std::string_view bytes);
  Attempt receive(char* into, std::size_t size);
  Attempt tls_result(int result, const char* what);
  Attempt tls_step(int result, const char* what);
  // Runs a callback that may destroy this; false if it did.
  template <typename Call>
  bool survives(Call&& call) {
    bool* const outer = dropped_;
    bool dropped = false;
    dropped_ = &dropped;
    call();
    if (dropped) {
      if (outer != nullptr) *outer = true;
      return false;
    }
    dropped_ = outer;
    return true;
  }

  loop::EventLoop& loop_;
  base::UniqueFd fd_;
  std::string peer_;
  std::string protocol_;
  std::shared_ptr<TlsContext> tls_;
  Verification verification_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::function<void(const StreamFailure*)> shaken_;  // set while hands are shaken
  std::deque<Write> writes_;
  bool heard_ = false;            // bytes have come over TLS
  std::size_t clear_writes_ = 0;  // of those in front, which were there before start_tls and leave before its hello
  std::optional<StreamFailure> injected_;  // why start_tls must not go on
  std::function<void(std::string_view, const StreamFailure*)> on_bytes_;
  loop::Ready tls_wants_{};  // what the TLS layer needs beyond what is asked of it
  loop::Ready watched_{};
  bool expired_ = false;
  bool unsent_ = false;  // at the deadline there was something to write that was not told
  bool* dropped_ = nullptr;
  loop::Handle watch_, soon_, deadline_;
};

}  // namespace net
