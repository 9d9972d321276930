#include "net/agent_check_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <utility>

#include "base/number.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/hosts_file.h"

namespace net {
namespace {

constexpr int kAcceptsPerTurn = 32;
constexpr std::string_view kUnix = "unix:";

struct Place {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  std::string path;  // of a unix socket
};

template <typename Sockaddr>
void put(const Sockaddr& from, Place& to) {
  std::memcpy(&to.bytes, &from, sizeof from);
  to.size = sizeof from;
}

base::Result<Place> parse(const std::string& text) {
  Place out;
  if (text.starts_with(kUnix)) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    out.path = text.substr(kUnix.size());
    if (out.path.empty() || out.path.size() >= sizeof un.sun_path)
      return base::fail(base::Kind::invalid,
                        fmt::format("a socket's path has 1 to {} characters", sizeof un.sun_path - 1));
    out.path.copy(un.sun_path, out.path.size());
    put(un, out);
    return out;
  }
  const std::size_t colon = text.rfind(':');
  const std::string digits = colon == text.npos ? "" : text.substr(colon + 1);
  const auto port = base::read_number<std::uint16_t>(digits);
  if (!port) return base::fail(base::Kind::invalid, "an address ends in :port, or is unix:/path");
  std::string host = text.substr(0, colon);
  if (host.empty() || host == "*") host = "0.0.0.0";
  const auto literal = parse_literal(host);
  if (literal.empty())
    return base::fail(base::Kind::invalid, fmt::format("'{}' is no literal address of this node", host));
  const Address address = with_port(literal.front(), *port);
  out.bytes = address.storage;
  out.size = address.size;
  return out;
}

std::string peer_text(const sockaddr_storage& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text.data(), text.size());
  else if (peer.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr, text.data(), text.size());
  else return "unix";
  return text.data();
}

struct Listening final : loop::Registration {
  // The answer is sent; the peer closes when it has read it. Closing first, with bytes of the peer unread, would reset
  // the connection and could take the answer away.
  struct Open {
    base::UniqueFd fd;
    loop::Handle watch, limit;
  };

  Listening(loop::EventLoop& l, std::function<std::string(const std::string&)> t) : loop(l), line(std::move(t)) {}
  ~Listening() override {
    if (!path.empty()) ::unlink(path.c_str());
  }

  void accept_all() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      base::UniqueFd fd(
          ::accept4(listener.value(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd.value() < 0) return;
      answer(std::move(fd), peer_text(from));
    }
  }

  void answer(base::UniqueFd fd, const std::string& peer) {
    const std::string text = line(peer);
    // An empty socket buffer takes a line whole.
    (void)::send(fd.value(), text.data(), text.size(), MSG_NOSIGNAL);
    (void)::shutdown(fd.value(), SHUT_WR);
    if (open.size() >= SocketAgentCheckServer::kOpen) open.pop_front();
    open.push_back({std::move(fd), {}, {}});
    const auto place = std::prev(open.end());
    place->watch = loop.watch(place->fd.value(), {.read = true}, [this, place](loop::Ready) { swallow(place); });
    place->limit = loop.after(SocketAgentCheckServer::kLinger, [this, place] { close(place); });
  }

  void swallow(std::list<Open>::iterator place) {
    std::array<char, 4096> bytes;
    const ssize_t n = ::recv(place->fd.value(), bytes.data(), bytes.size(), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close(place);
  }

  void close(std::list<Open>::iterator place) {
    const Open own = std::move(*place);  // the callback that is running lives in it
    open.erase(place);
  }

  loop::EventLoop& loop;
  std::function<std::string(const std::string&)> line;
  std::string path;
  base::UniqueFd listener;
  std::list<Open> open;
  loop::Handle watch;
};

}  // namespace

base::Result<loop::Handle> SocketAgentCheckServer::serve(const std::string& address,
                                                         std::function<std::string(const std::string& peer)> line) {
  const std::string what = fmt::format("cannot listen at {}", address);
  const auto parsed = parse(address);
  if (!parsed) return base::fail(parsed.error().kind, fmt::format("{}: {}", what, parsed.error().text));
  auto listening = std::make_unique<Listening>(loop_, std::move(line));
  listening->listener.reset(::socket(parsed->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = listening->listener.value();
  if (fd < 0) return base::fail_errno(errno, what);
  struct stat old {};
  if (!parsed->path.empty() && ::lstat(parsed->path.c_str(), &old) == 0) {
    if (!S_ISSOCK(old.st_mode)) return base::fail(base::Kind::io, what + ": a file that is no socket is there");
    ::unlink(parsed->path.c_str());
  }
  const int on = 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!parsed->path.empty()) (void)::fchmod(fd, 0660);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&parsed->bytes), parsed->size) != 0 || ::listen(fd, 64) != 0)
    return base::fail_errno(errno, what);
  listening->path = parsed->path;
  Listening& there = *listening;
  listening->watch = loop_.watch(fd, {.read = true}, [&there](loop::Ready) { there.accept_all(); });
  return loop::Handle(std::move(listening));
}

}  // namespace net
