#include "net/stream.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <list>
#include <optional>
#include <utility>

#include "base/host_port.h"
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

// How long an address is alone (RFC 8305, 5).
constexpr auto kPatience = std::chrono::milliseconds{250};

// The best first, as the resolver has sorted them, then one of each family in turn.
std::vector<Address> with_families_in_turn(std::vector<Address> addresses) {
  std::vector<Address> out, other;
  for (Address& address : addresses)
    (address.is_v6() == addresses.front().is_v6() ? out : other).push_back(std::move(address));
  for (std::size_t i = 0; i < other.size(); ++i)
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(std::min(2 * i + 1, out.size())), std::move(other[i]));
  return out;
}

// One connect() with everything before and after it: look-up, addresses beside each other, TLS.
class Dialing final : public loop::Registration {
 public:
  Dialing(loop::EventLoop& loop, Resolver& resolver, Dial dial, std::function<void(Connected)> done)
      : loop_(loop), dial_(std::move(dial)), done_(std::move(done)), began_(loop.now()) {
    if (!dial_.unix_path.empty()) {
      inside_constructor_ = false;
      later_ = loop_.at(loop_.now(), [this] { connect_unix(); });
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
  // An address that has not answered yet; null for a unix socket.
  struct Try {
    const Address* address;
    std::string peer;
    base::UniqueFd fd;
    loop::Handle watch;
  };
  using Tries = std::list<Try>;

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
    if (dial_.family == Family::any) addresses_ = with_families_in_turn(std::move(addresses_));
    next_address();
  }

  void connect_unix() {
    if (dial_.boundary != nullptr)
      if (std::string why = dial_.boundary->refuses_socket(dial_.unix_path); !why.empty())
        return fail(Reason::unreachable, std::move(why));
    Address address;
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    if (dial_.unix_path.size() >= sizeof un.sun_path)
      return fail(Reason::unreachable,
                  fmt::format("connect to {}: the path is too long for a socket", dial_.unix_path));
    dial_.unix_path.copy(un.sun_path, dial_.unix_path.size());
    std::memcpy(&address.storage, &un, sizeof un);
    address.size = sizeof un;
    connect(address, nullptr, dial_.unix_path);
  }

  // One that answers neither yes nor no does not keep the others waiting, nor do they end it (RFC 8305): the first that
  // is connected is taken.
  void next_address() {
    const Address& address = addresses_.at(at_++);
    if (at_ < addresses_.size() && !dial_.udp) next_ = loop_.after(kPatience, [this] { next_address(); });
    else next_.reset();
    connect(address, &address, base::host_and_port(address.text, dial_.port));
  }

  // `named`: the address for texts, null for a unix socket.
  void connect(const Address& address, const Address* named, std::string peer) {
    tries_.push_back({named, std::move(peer), {}, {}});
    const auto it = std::prev(tries_.end());
    base::UniqueFd& fd = it->fd;
    fd.reset(
        ::socket(address.storage.ss_family, (dial_.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return not_connected(it, own_failure(errno, "cannot open a socket to " + it->peer));
    if (address.storage.ss_family != AF_UNIX && !dial_.udp) {
      const linger reset{.l_onoff = 1, .l_linger = 0};
      const int on = 1;
      ::setsockopt(fd.value(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      ::setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (!bind_source(fd.value(), dial_.source))
      return not_connected(it, own_failure(errno, "cannot connect to " + it->peer + " from " + dial_.source));
    const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
    bool at_once = ::connect(fd.value(), to, address.size) == 0;
    if (const int code = errno; !at_once && code != EINPROGRESS) return not_connected(it, code);
    // On this node the handshake is over before the call returns, or refused, and asking again says so: no waiting, no
    // waking up for it.
    if (!at_once) at_once = ::connect(fd.value(), to, address.size) == 0;
    if (const int code = errno; !at_once && code != EALREADY && code != EINPROGRESS) return not_connected(it, code);
    if (at_once && inside_constructor_) {
      later_ = loop_.at(loop_.now(), [this, it] { connected(it); });
      return;
    }
    if (at_once) return connected(it);
    if (tries_.size() == 1) deadline_ = loop_.at(dial_.deadline, [this] { expire(); });
    it->watch = loop_.watch(fd.value(), {.write = true}, [this, it](loop::Ready) {
      int code = 0;
      socklen_t size = sizeof code;
      ::getsockopt(it->fd.value(), SOL_SOCKET, SO_ERROR, &code, &size);
      if (code != 0) return not_connected(it, code);
      connected(it);
    });
  }

  void not_connected(Tries::iterator it, int code) {
    not_connected(it, connect_failure(code, it->peer, dial_.unix_path, it->address));
  }
  void not_connected(Tries::iterator it, StreamFailure failure) {
    note(*it, std::move(failure));
    tries_.erase(it);
    if (at_ < addresses_.size() && loop_.now() < dial_.deadline) return next_address();
    if (tries_.empty()) fail(told_->reason, told_->text);
  }

  // What one address said of the service stays true when the agent cannot try the next.
  void note(const Try& failed, StreamFailure failure) {
    if (told_ && failure.reason == Reason::agent_overloaded) return;
    told_ = std::move(failure);
    connected_.address = failed.address != nullptr ? failed.address->text : "";
  }

  void expire() {
    next_.reset();
    for (const Try& each : tries_) note(each, connect_failure(ETIMEDOUT, each.peer, dial_.unix_path, each.address));
    tries_.clear();
    fail(told_->reason, told_->text);
  }

  void connected(Tries::iterator it) {
    connected_.address = it->address != nullptr ? it->address->text : "";
    stream_ = std::make_unique<SocketStream>(loop_, std::move(it->fd), it->peer, dial_.deadline);
    // The watch of the socket goes before those of its TLS, and the other addresses with it.
    next_.reset();
    deadline_.reset();
    tries_.clear();
    end_phase("connect");
    if (dial_.tls == nullptr) return succeed();
    stream_->offer_protocol(dial_.alpn);
    stream_->start_tls(dial_.tls, dial_.tls_name.empty() ? dial_.host : dial_.tls_name, {},
                       [this](const StreamFailure* failure) {
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
    if (inside_constructor_) later_ = loop_.at(loop_.now(), [this] { tell(); });
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
  base::Instant began_;
  Tries tries_;
  loop::Handle resolving_, next_, deadline_, later_;
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
