// A byte stream to a peer: TCP or unix socket, TLS if asked, everything under one absolute deadline. And ICMP echo,
// which needs no more than an address. Closing resets TCP (linger 0), so that a thousand probes leave no TIME_WAIT.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "loop/handle.h"
#include "model/outcome.h"
#include "net/address.h"
#include "net/tls/peer_chain.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

class Boundary;
class Resolver;
class TlsContext;

struct StreamFailure {
  model::Reason reason = model::Reason::none;
  std::string text;  // "connect to 127.0.0.1:8081: Connection refused"
};

struct Dial {
  std::string host{};  // name or literal; resolved by the Resolver given to the Dialer
  std::uint16_t port = 0;
  std::string unix_path{};  // instead of host and port
  Family family = Family::any;
  std::shared_ptr<TlsContext> tls{};  // null: plain
  base::Instant deadline{};
  std::string source{};    // literal to connect from; "": the kernel chooses
  std::string tls_name{};  // what TLS calls the peer; "": the host
  std::string alpn{};      // protocol to offer with TLS, such as http/1.1; "": none
  bool udp = false;        // each write() is one datagram, each call of read()'s callback brings one; without TLS
  std::shared_ptr<const Boundary> boundary{};  // null: anywhere
};

// Dropping it closes the connection and silences every callback, also from inside one. The deadline of the Dial ends
// whatever is going on: send_timeout for a write, read_timeout for a read, tls_handshake for start_tls.
class Stream {
 public:
  virtual ~Stream() = default;
  // Writes all, after what was written before; `done` once, in a later turn. Without one, read() tells of a failure.
  virtual void write(std::string bytes, std::function<void(const StreamFailure*)> done) = 0;
  // Bytes as they come, call after call (up to 64 KiB each), until the peer closed its side (an empty view) or reading
  // failed (`failure`, else null), which is told once. Reading rests while start_tls shakes hands. A second read()
  // replaces the callback.
  virtual void read(std::function<void(std::string_view bytes, const StreamFailure* failure)> on_bytes) = 0;
  // STARTTLS: goes on in TLS on the same connection. What was written before leaves first, in the clear; what is
  // written from here on goes in TLS. `unread`: what the caller holds of the bytes that read() brought and that it has
  // not taken for an answer. It was said in the clear and would be believed as if it had come in TLS, so that with any
  // of it the upgrade fails as protocol_error (the command injection of CVE-2011-0411). `done` once, in a later turn.
  virtual void start_tls(std::shared_ptr<TlsContext> tls, std::string server_name, std::string_view unread,
                         std::function<void(const StreamFailure*)> done) = 0;
  virtual const PeerChain* peer_chain() const = 0;  // null without TLS
  virtual std::string peer() const = 0;             // "127.0.0.1:8081"
};

struct Connected {
  std::unique_ptr<Stream> stream;  // null on failure
  StreamFailure failure;
  std::vector<model::Phase> phases;  // resolve, connect, tls: those that were reached
  std::string address;               // literal that was used; "" for unix
  PeerChain chain;                   // filled also when verification failed
  bool tls_seen = false;
};

// An ICMP echo request.
struct Ping {
  std::string host{};
  Family family = Family::any;
  base::Instant deadline{};
  std::size_t payload_size = 56;  // bytes after the ICMP header, at least 8
  int hop_limit = 0;              // of the request; 0: the kernel's
  bool dont_fragment = false;
  std::string source{};                        // literal to ask from; "": the kernel chooses
  std::shared_ptr<const Boundary> boundary{};  // null: anywhere
};

struct Pinged {
  StreamFailure failure;             // reason none: it answered; agent_overloaded: this process may not ping at all
  std::vector<model::Phase> phases;  // resolve, setup, rtt: those that were reached
  std::string address;               // literal that was asked
  std::optional<int> hop_limit;      // what was left of the answer's
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  virtual loop::Handle connect(Dial dial, std::function<void(Connected)> done) = 0;  // `done` once, in a later turn
  virtual loop::Handle ping(Ping ping, std::function<void(Pinged)> done) = 0;        // the same
};

class StreamDialer final : public Dialer {
 public:
  StreamDialer(loop::EventLoop& loop, Resolver& resolver) : loop_(loop), resolver_(resolver) {}
  loop::Handle connect(Dial dial, std::function<void(Connected)> done) override;
  loop::Handle ping(Ping ping, std::function<void(Pinged)> done) override;

 private:
  loop::EventLoop& loop_;
  Resolver& resolver_;
};

}  // namespace net
