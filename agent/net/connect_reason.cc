#include "net/connect_reason.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/unique_fd.h"
#include "os/own_view.h"

namespace net {
namespace {

using model::Reason;

std::string message(int code) { return std::error_code(code, std::generic_category()).message(); }

// connect(2) gives EADDRNOTAVAIL when every local port to this peer is taken, and also when this node has no address
// that could reach it. Datagrams have ports of their own: if they find the way, the address is not at fault.
bool ports_are_used_up(const Address* address) {
  if (address == nullptr) return false;
  const base::UniqueFd fd(::socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fd && ::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address->storage), address->size) == 0;
}

bool wants_zone(const Address* address) {
  if (address == nullptr || !address->is_v6()) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address->storage);
  return IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) && v6.sin6_scope_id == 0;
}

}  // namespace

Reason reason_of_connect(int code) {
  switch (code) {
    case ECONNREFUSED:
    case ENOENT:  // no such unix socket: nobody listens
      return Reason::refused;
    case ETIMEDOUT:
    case EAGAIN:  // the accept queue of a unix socket is full
      return Reason::connect_timeout;
    case ECONNRESET: return Reason::reset;
    case EPERM:  // a filter of this node, or of the agent's own unit
      return Reason::agent_overloaded;
    default: return os::is_own_want(code) ? Reason::agent_overloaded : Reason::unreachable;
  }
}

Reason reason_of_lookup(const base::Error& error) {
  return error.kind == base::Kind::limit ? Reason::agent_overloaded : Reason::dns_error;
}

StreamFailure connect_failure(int code, const std::string& where, const std::string& unix_path,
                              const Address* address) {
  StreamFailure failure{reason_of_connect(code),
                        fmt::format("connect to {}: {}", where, code == ETIMEDOUT ? "timed out" : message(code))};
  const auto own = [&](const std::string& hint) {
    failure.reason = Reason::agent_overloaded;
    failure.text += "; " + hint;
  };
  if (!unix_path.empty()) {
    if (code == EACCES || code == EPERM)
      own("the agent's user may not: give it the socket's group (SupplementaryGroups= in a drop-in of its unit), or "
          "the "
          "socket another mode");
    else if (const std::string hidden = code == ENOENT ? os::hidden_by_sandbox(unix_path) : ""; !hidden.empty())
      own(hidden);
  } else if (code == EPERM) {
    own("this node forbids it: its packet filter, or IPAddressDeny= of the agent's unit");
  } else if (code == EINVAL && wants_zone(address)) {
    failure.text += fmt::format("; an address of one link needs the link behind it, as in {}%eth0", address->text);
  } else if (code == EAGAIN || (code == EADDRNOTAVAIL && ports_are_used_up(address))) {
    own("all local ports to it are taken (net.ipv4.ip_local_port_range)");
  }
  return failure;
}

StreamFailure own_failure(int code, const std::string& what) {
  return {Reason::agent_overloaded, fmt::format("{}: {}", what, message(code))};
}

}  // namespace net
