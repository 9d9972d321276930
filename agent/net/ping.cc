#include "net/ping.h"

#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/random.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/boundary.h"
#include "net/connect_reason.h"
#include "net/source_address.h"

namespace net {
namespace {

using model::Reason;

constexpr std::size_t kHeader = 8;  // type, code, checksum, identifier, sequence: the same in ICMP and ICMPv6
constexpr std::size_t kToken = 8;   // random bytes by which the answer is known
constexpr std::size_t kLargest = 64 * 1024;

// RFC 1071.
std::uint16_t checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto high = static_cast<unsigned char>(bytes[i]);
    const auto low = i + 1 < bytes.size() ? static_cast<unsigned char>(bytes[i + 1]) : 0U;
    sum += static_cast<std::uint32_t>(high << 8U) | low;
  }
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

std::string echo_request(bool v6, std::size_t payload_size) {
  static base::Random random = base::Random::from_entropy();
  std::string bytes(kHeader + std::max(payload_size, kToken), '\0');
  bytes[0] = static_cast<char>(v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
  for (std::size_t i = 4; i < kHeader + kToken; ++i) bytes[i] = static_cast<char>(random.below(256));
  // A ping socket fills in identifier and checksum itself, and ICMPv6 its checksum.
  const std::uint16_t sum = v6 ? 0 : checksum(bytes);
  bytes[2] = static_cast<char>(sum >> 8U);
  bytes[3] = static_cast<char>(sum & 0xffU);
  return bytes;
}

std::string not_allowed() {
  std::ifstream file("/proc/sys/net/ipv4/ping_group_range");
  std::string from, to;
  file >> from >> to;
  return fmt::format(
      "the agent may not ping: net.ipv4.ping_group_range is '{} {}' and leaves its group out, and it has no "
      "CAP_NET_RAW; allow it with sysctl net.ipv4.ping_group_range='0 2147483647'",
      from, to);
}

class Pinging final : public loop::Registration {
 public:
  Pinging(loop::EventLoop& loop, Resolver& resolver, Ping ping, std::function<void(Pinged)> done)
      : loop_(loop), ping_(std::move(ping)), done_(std::move(done)), began_(loop.now()) {
    resolving_ = resolver.resolve(ping_.host, 0, ping_.family, ping_.deadline,
                                  [this](base::Result<std::vector<Address>> found) { resolved(std::move(found)); });
  }

 private:
  void resolved(base::Result<std::vector<Address>> found) {
    resolving_.reset();
    end_phase("resolve");
    if (!found) return tell({reason_of_lookup(found.error()), found.error().text});
    if (std::string why = keep_within(ping_.boundary.get(), ping_.host, 0, *found); !why.empty())
      return tell({Reason::unreachable, std::move(why)});
    const Address address = found->front();
    v6_ = address.is_v6();
    pinged_.address = address.text;
    if (!open()) return;
    if (!bind_source(fd_.value(), ping_.source))
      return tell(own_failure(errno, fmt::format("cannot ping {} from {}", pinged_.address, ping_.source)));
    if (::connect(fd_.value(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0)
      return fail(errno);
    request_ = echo_request(v6_, ping_.payload_size);
    end_phase("setup");
    if (::send(fd_.value(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) return fail(errno);
    deadline_ = loop_.at(ping_.deadline, [this] {
      tell({Reason::read_timeout, fmt::format("ping {}: no answer in time", pinged_.address)});
    });
    watch_ = loop_.watch(fd_.value(), {.read = true}, [this](loop::Ready) { receive(); });
  }

  // False: it was told why not.
  bool open() {
    const int family = v6_ ? AF_INET6 : AF_INET;
    const int protocol = v6_ ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
    fd_.reset(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!fd_ && errno == EACCES) {
      raw_ = true;
      fd_.reset(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
      if (!fd_ && errno == EPERM) {
        tell({Reason::agent_overloaded, not_allowed()});
        return false;
      }
    }
    if (!fd_) {
      tell(own_failure(errno, fmt::format("cannot open a socket to ping {}", pinged_.address)));
      return false;
    }
    const auto set = [this](int of, int of_v6, int value) {
      ::setsockopt(fd_.value(), v6_ ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP), v6_ ? of_v6 : of,
                   &value, sizeof value);
    };
    set(IP_RECVTTL, IPV6_RECVHOPLIMIT, 1);
    set(IP_RECVERR, IPV6_RECVERR, 1);  // "unreachable" and "time exceeded" of routers on the way
    if (ping_.hop_limit > 0) set(IP_TTL, IPV6_UNICAST_HOPS, ping_.hop_limit);
    if (ping_.dont_fragment) set(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, v6_ ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO);
    return true;
  }

  void receive() {
    static std::array<char, kLargest> bytes;  // loop thread only
    alignas(cmsghdr) std::array<char, 256> control;
    iovec where{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &where;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(fd_.value(), &message, 0);
    if (n < 0) {
      const int code = errno;
      if (code != EAGAIN && code != EINTR) fail(code);
      return;
    }
    std::string_view answer(bytes.data(), static_cast<std::size_t>(n));
    // A raw socket shows the IP header, and everybody's ICMP: also our own request, when it came over loopback.
    if (raw_ && !v6_ && !answer.empty())
      answer.remove_prefix(std::min<std::size_t>(static_cast<unsigned char>(answer[0] & 0x0f) * 4U, answer.size()));
    const auto type = static_cast<char>(v6_ ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
    if (answer.size() != request_.size() || answer[0] != type ||
        answer.substr(6) != std::string_view(request_).substr(6))
      return;
    end_phase("rtt");
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if ((header->cmsg_level != IPPROTO_IP || header->cmsg_type != IP_TTL) &&
          (header->cmsg_level != IPPROTO_IPV6 || header->cmsg_type != IPV6_HOPLIMIT))
        continue;
      int hops = 0;
      std::memcpy(&hops, CMSG_DATA(header), sizeof hops);
      pinged_.hop_limit = hops;
    }
    tell({});
  }

  void end_phase(std::string_view name) {
    const base::Instant now = loop_.now();
    pinged_.phases.push_back({name, now - began_});
    began_ = now;
  }

  void fail(int code) {
    const Reason reason = code == EMSGSIZE ? Reason::too_large : reason_of_connect(code);
    tell({reason,
          fmt::format("ping {}: {}", pinged_.address, std::error_code(code, std::generic_category()).message())});
  }

  // May destroy this object.
  void tell(StreamFailure failure) {
    watch_.reset();
    deadline_.reset();
    fd_.reset();
    pinged_.failure = std::move(failure);
    const auto done = std::move(done_);
    done(std::move(pinged_));
  }

  loop::EventLoop& loop_;
  Ping ping_;
  std::function<void(Pinged)> done_;
  Pinged pinged_;
  base::Instant began_;
  bool v6_ = false;
  bool raw_ = false;
  std::string request_;
  base::UniqueFd fd_;
  loop::Handle resolving_, watch_, deadline_;
};

}  // namespace

loop::Handle send_ping(loop::EventLoop& loop, Resolver& resolver, Ping ping, std::function<void(Pinged)> done) {
  return loop::Handle(std::make_unique<Pinging>(loop, resolver, std::move(ping), std::move(done)));
}

}  // namespace net
