#include "net/stream.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/boundary.h"
#include "net/connect_reason.h"
#include "net/hosts_file.h"
#include "net/ping.h"
#include "net/socket_stream.h"
#include "net/source_address.h"

namespace net {
namespace {

using model::Reason;

std::string with_port_text(const Address& address, std::uint16_t port) {
  return address.is_v6() ? fmt::format("[{}]:{}", address.text, port) : fmt::format("{}:{}", address.text, port);
}

// One connect() with everything before and after it: look-up, addresses in turn, TLS.
class Dialing final : public loop::Registration {
 public:
  Dialing(loop::EventLoop& loop, Resolver& resolver, Dial dial, std::function<void(Connected)> done)
      : loop_(loop), dial_(std::move(dial)), done_(std::move(done)), began_(loop.now()) {
    if (!dial_.unix_path.empty()) {
      inside_constructor_ = false;
      deadline_ = loop_.at(loop_.now(), [this] { connect_unix(); });
    } else if (auto literal = parse_literal(dial_.host); !literal.empty() && fits(literal.front(), dial_.family)) {
      // Nothing to look up, and no turn to wait for it; only what is told must come in a later one.
      addresses_ = {with_port(literal.front(), dial_.port)};
      end_phase("resolve");
      begin();
      inside_constructor_ = false;
    } else {
      inside_constructor_ = false;
      resolving_ = resolver.resolve(dial_.host, dial_.port, dial_.family, dial_.deadline,
                                    [this](base::Result<std::vector<Address>> found) { resolved(std::move(found)); });
    }
  }

 private:
  void resolved(base::Result<std::vector<Address>> found) {
    resolving_.reset();
    end_phase("resolve");
    if (!found) return fail(reason_of_lookup(found.error()), found.error().text);
    addresses_ = *std::move(found);
    begin();
  }

  void begin() {
    std::string why = keep_within(dial_.boundary.get(), dial_.host, dial_.port, addresses_);
    if (!why.empty()) return fail(Reason::unreachable, std::move(why));
    next_address();
  }

  void connect_unix() {
    peer_ = dial_.unix_path;
    if (dial_.boundary != nullptr)
      if (std::string why = dial_.boundary->refuses_socket(dial_.unix_path); !why.empty())
        return fail(Reason::unreachable, std::move(why));
    Address address;
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    if (dial_.unix_path.size() >= sizeof un.sun_path)
      return fail(Reason::unreachable, fmt::format("connect to {}: the path is too long for a socket", peer_));
    dial_.unix_path.copy(un.sun_path, dial_.unix_path.size());
    std::memcpy(&address.storage, &un, sizeof un);
    address.size = sizeof un;
    until_ = dial_.deadline;
    connect(address);
  }

  // Each address gets its share of the time that is left: a dead first one must not use up all of it.
  void next_address() {
    const Address address = addresses_.at(at_++);
    peer_ = with_port_text(address, dial_.port);
    connected_.address = address.text;
    const auto left = static_cast<base::Duration::rep>(addresses_.size() - at_ + 1);
    const base::Instant now = loop_.now();
    until_ = left == 1 || dial_.deadline <= now ? dial_.deadline : now + (dial_.deadline - now) / left;
    connect(address);
  }

  void connect(const Address& address) {
    fd_.reset(
        ::socket(address.storage.ss_family, (dial_.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return not_connected(own_failure(errno, "cannot open a socket to " + peer_));
    if (address.storage.ss_family != AF_UNIX && !dial_.udp) {
      const linger reset{.l_onoff = 1, .l_linger = 0};
      const int on = 1;
      ::setsockopt(fd_.value(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      ::setsockopt(fd_.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (!bind_source(fd_.value(), dial_.source))
      return not_connected(own_failure(errno, "cannot connect to " + peer_ + " from " + dial_.source));
    const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
    bool at_once = ::connect(fd_.value(), to, address.size) == 0;
    if (const int code = errno; !at_once && code != EINPROGRESS) return not_connected(code);
    // On this node the handshake is over before the call returns, or refused, and asking again says so: no waiting, no
    // waking up for it.
    if (!at_once) at_once = ::connect(fd_.value(), to, address.size) == 0;
    if (const int code = errno; !at_once && code != EALREADY && code != EINPROGRESS) return not_connected(code);
    if (at_once && inside_constructor_) {
      deadline_ = loop_.at(loop_.now(), [this] { connected(); });
      return;
    }
    if (at_once) return connected();
    deadline_ = loop_.at(until_, [this] { not_connected(ETIMEDOUT); });
    watch_ = loop_.watch(fd_.value(), {.write = true}, [this](loop::Ready) {
      int code = 0;
      socklen_t size = sizeof code;
      ::getsockopt(fd_.value(), SOL_SOCKET, SO_ERROR, &code, &size);
      if (code != 0) return not_connected(code);
      connected();
    });
  }

  void not_connected(int code) {
    const Address* address = at_ > 0 ? &addresses_[at_ - 1] : nullptr;
    not_connected(connect_failure(code, peer_, dial_.unix_path, address));
  }
  void not_connected(StreamFailure failure) {
    watch_.reset();
    deadline_.reset();
    fd_.reset();
    // What one address said of the service stays true when the agent cannot try the next.
    if (!told_ || failure.reason != Reason::agent_overloaded) told_ = std::move(failure);
    if (at_ < addresses_.size() && loop_.now() < dial_.deadline) return next_address();
    fail(told_->reason, told_->text);
  }

  void connected() {
    watch_.reset();
    deadline_.reset();
    end_phase("connect");
    stream_ = std::make_unique<SocketStream>(loop_, std::move(fd_), peer_, dial_.deadline);
    if (dial_.tls == nullptr) return succeed();
    stream_->offer_protocol(dial_.alpn);
    stream_->start_tls(dial_.tls, dial_.host, {}, [this](const StreamFailure* failure) {
      connected_.chain = *stream_->peer_chain();
      connected_.tls_seen = !connected_.chain.version.empty();
      end_phase("tls");
      if (failure != nullptr) return fail(failure->reason, failure->text);
      succeed();
    });
  }

  void end_phase(std::string_view name) {
    const base::Instant now = loop_.now();
    connected_.phases.push_back({name, now - began_});
    began_ = now;
  }

  void succeed() {
    connected_.stream = std::move(stream_);
    tell();
  }

  void fail(Reason reason, std::string text) {
    connected_.failure = {reason, std::move(text)};
    if (inside_constructor_) deadline_ = loop_.at(loop_.now(), [this] { tell(); });
    else tell();
  }

  // May destroy this object.
  void tell() {
    const auto done = std::move(done_);
    const auto failed = std::move(stream_);  // may be telling us: it lives until it has returned
    done(std::move(connected_));
  }

  loop::EventLoop& loop_;
  Dial dial_;
  std::function<void(Connected)> done_;
  Connected connected_;
  std::vector<Address> addresses_;
  std::size_t at_ = 0;
  std::optional<StreamFailure> told_;  // of the addresses so far
  bool inside_constructor_ = true;
  std::string peer_;
  base::Instant began_, until_{};
  base::UniqueFd fd_;
  loop::Handle resolving_, watch_, deadline_;
  std::unique_ptr<SocketStream> stream_;
};

}  // namespace

loop::Handle StreamDialer::connect(Dial dial, std::function<void(Connected)> done) {
  return loop::Handle(std::make_unique<Dialing>(loop_, resolver_, std::move(dial), std::move(done)));
}

loop::Handle StreamDialer::ping(Ping ping, std::function<void(Pinged)> done) {
  return send_ping(loop_, resolver_, std::move(ping), std::move(done));
}

}  // namespace net
