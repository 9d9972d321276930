#include "net/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "base/file.h"
#include "loop/event_loop.h"
#include "net/hosts_file.h"

namespace net {
namespace {

using namespace std::chrono_literals;
using Answer = base::Result<std::vector<Address>>;
using Done = std::function<void(Answer)>;

constexpr auto kLongestKept = std::chrono::seconds{60};
constexpr std::size_t kMostKept = 1000;
// Per try and server. The caller's deadline comes first or last as it may; this only bounds what goes on without it.
constexpr int kTryMs = 1000;
constexpr int kTries = 3;

bool is_localhost(const std::string& name) { return name == "localhost" || name.ends_with(".localhost"); }

Answer with_ports(const std::vector<Address>& addresses, std::uint16_t port) {
  std::vector<Address> out;
  for (const Address& address : addresses) out.push_back(with_port(address, port));
  return out;
}

// The families that are asked for, to choose from.
Family asked_for(Family family) {
  switch (family) {
    case Family::first_v4: return Family::v4;
    case Family::first_v6: return Family::v6;
    case Family::prefer_v4:
    case Family::prefer_v6: return Family::any;
    default: return family;
  }
}

Answer chosen(Answer answer, Family family) {
  if (!answer || family == asked_for(family)) return answer;
  const bool v6 = family == Family::first_v6 || family == Family::prefer_v6;
  for (const Address& address : *answer)
    if (address.is_v6() == v6) return std::vector<Address>{address};
  return std::vector<Address>{answer->back()};
}

base::Error to_error(int status, const std::string& name) {
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME: return {base::Kind::not_found, fmt::format("no address for {}", name)};
    case ARES_ETIMEOUT: return {base::Kind::timeout, fmt::format("no name server answered about {}", name)};
    case ARES_ENOMEM: return {base::Kind::limit, fmt::format("cannot resolve {}: {}", name, ares_strerror(status))};
    case ARES_EBADNAME: return {base::Kind::not_found, fmt::format("{} is no host name", name)};
    default: return {base::Kind::unavailable, fmt::format("cannot resolve {}: {}", name, ares_strerror(status))};
  }
}

}  // namespace

struct AresResolver::Channel {
  using Key = std::pair<std::string, Family>;
  class Waiter;
  struct Lookup {
    Channel* channel = nullptr;
    Key key;
    std::vector<Waiter*> waiters;  // none left: the answer is only kept
  };
  struct Kept {
    std::vector<Address> addresses;
    base::Instant until{};
  };

  Channel(loop::EventLoop& l, ResolverSettings s) : loop(l), settings(std::move(s)), hosts(settings.hosts_file) {
    open();
  }
  ~Channel();

  void open();
  void close();
  void reopen_if_changed();
  // What is known without asking.
  std::optional<Answer> known(const std::string& name, Family family);
  void ask(const Key& key, Waiter& waiter);
  void answered(Lookup& lookup, int status, ares_addrinfo* found);
  void on_socket(ares_socket_t fd, bool read, bool write);
  void arm();

  loop::EventLoop& loop;
  ResolverSettings settings;
  HostsFile hosts;
  ares_channel ares = nullptr;
  bool closing = false;
  struct timespec config_modified {};
  std::unordered_map<ares_socket_t, loop::Handle> sockets;
  loop::Handle timer;
  std::map<Key, std::unique_ptr<Lookup>> lookups;
  std::map<Key, Kept> kept;
};

// One caller of resolve() that waits for a lookup.
class AresResolver::Channel::Waiter final : public loop::Registration {
 public:
  Waiter(Channel& channel, std::uint16_t port, base::Instant deadline, const std::string& name, Done done)
      : channel_(channel), port_(port), done_(std::move(done)) {
    timer_ = channel.loop.at(deadline, [this, name] {
      leave();
      tell(base::fail(base::Kind::timeout, fmt::format("no answer about {} in time", name)));
    });
  }
  ~Waiter() override { leave(); }

  void wait_for(Lookup& lookup) {
    lookup_ = &lookup;
    lookup.waiters.push_back(this);
  }
  // In a later turn: c-ares may answer from inside the question.
  void answer(Answer answer) {
    lookup_ = nullptr;
    timer_ = channel_.loop.at(channel_.loop.now(), [this, answer = std::move(answer)]() mutable {
      if (answer) answer = with_ports(*answer, port_);
      tell(std::move(answer));
    });
  }

 private:
  void leave() {
    if (lookup_ != nullptr) std::erase(lookup_->waiters, this);
    lookup_ = nullptr;
  }
  void tell(Answer answer) {
    const Done done = std::move(done_);
    done(std::move(answer));
  }

  Channel& channel_;
  std::uint16_t port_;
  Done done_;
  loop::Handle timer_;
  Lookup* lookup_ = nullptr;
};

AresResolver::Channel::~Channel() { close(); }

void AresResolver::Channel::open() {
  ares_options options{};
  int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
  std::array<char, 2> lookup_order{'b', '\0'};  // the name servers only: hosts is ours
  options.lookups = lookup_order.data();
  options.timeout = kTryMs;
  options.tries = kTries;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int read, int write) {
    static_cast<Channel*>(self)->on_socket(fd, read != 0, write != 0);
  };
  options.sock_state_cb_data = this;
  CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
  CHECK(ares_init_options(&ares, &options, mask) == ARES_SUCCESS);
  if (!settings.servers.empty()) CHECK(ares_set_servers_ports_csv(ares, settings.servers.c_str()) == ARES_SUCCESS);
  struct stat now {};
  if (::stat("/etc/resolv.conf", &now) == 0) config_modified = now.st_mtim;
}

void AresResolver::Channel::close() {
  closing = true;
  ares_destroy(ares);
  closing = false;
  sockets.clear();
  timer.reset();
  ares_library_cleanup();
}

void AresResolver::Channel::reopen_if_changed() {
  struct stat now {};
  if (!settings.servers.empty() || !lookups.empty() || ::stat("/etc/resolv.conf", &now) != 0) return;
  if (now.st_mtim.tv_sec == config_modified.tv_sec && now.st_mtim.tv_nsec == config_modified.tv_nsec) return;
  // The library takes a file that it cannot open for a reason not to start at all.
  if (!base::read_file("/etc/resolv.conf")) return;
  close();
  open();
  kept.clear();
}

std::optional<Answer> AresResolver::Channel::known(const std::string& name, Family family) {
  if (const auto literal = parse_literal(name); !literal.empty()) {
    if (fits(literal.front(), family)) return literal;
    return base::fail(base::Kind::not_found,
                      fmt::format("{} is no {} address", name, family == Family::v6 ? "IPv6" : "IPv4"));
  }
  if (name.find('%') != std::string::npos && !parse_literal(name.substr(0, name.find('%'))).empty())
    return base::fail(base::Kind::not_found,
                      fmt::format("{} is an address of a link that this node does not have", name));
  if (auto found = hosts.find(name, family); !found.empty()) return found;
  if (is_localhost(name)) {  // RFC 6761, 6.3
    std::vector<Address> loopback;
    for (const char* text : {"127.0.0.1", "::1"})
      if (const auto literal = parse_literal(text); fits(literal.front(), family)) loopback.push_back(literal.front());
    return loopback;
  }
  const auto entry = kept.find({name, family});
  if (entry == kept.end()) return std::nullopt;
  if (entry->second.until > loop.now()) return entry->second.addresses;
  kept.erase(entry);
  return std::nullopt;
}

void AresResolver::Channel::ask(const Key& key, Waiter& waiter) {
  if (const auto running = lookups.find(key); running != lookups.end()) return waiter.wait_for(*running->second);
  reopen_if_changed();
  Lookup& lookup = *lookups.emplace(key, std::make_unique<Lookup>(Lookup{this, key, {}})).first->second;
  waiter.wait_for(lookup);
  ares_addrinfo_hints hints{};
  hints.ai_family = key.second == Family::v4 ? AF_INET : key.second == Family::v6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(
      ares, key.first.c_str(), nullptr, &hints,
      [](void* asked, int status, int, ares_addrinfo* found) {
        Lookup& of = *static_cast<Lookup*>(asked);
        of.channel->answered(of, status, found);
      },
      &lookup);
  arm();
}

void AresResolver::Channel::answered(Lookup& lookup, int status, ares_addrinfo* found) {
  if (closing) {
    if (found != nullptr) ares_freeaddrinfo(found);
    return;
  }
  const auto self = lookups.extract(lookup.key);
  Answer answer = tl::unexpected<base::Error>(to_error(status, lookup.key.first));
  if (status == ARES_SUCCESS) {
    std::vector<Address> addresses;
    auto ttl = std::chrono::seconds{kLongestKept};
    for (const ares_addrinfo_node* node = found->nodes; node != nullptr; node = node->ai_next) {
      Address address;
      std::memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
      address.size = node->ai_addrlen;
      std::array<char, INET6_ADDRSTRLEN> text{};
      const void* bytes = address.is_v6()
                              ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_addr)
                              : &reinterpret_cast<sockaddr_in*>(&address.storage)->sin_addr;
      address.text = ::inet_ntop(address.storage.ss_family, bytes, text.data(), text.size());
      addresses.push_back(std::move(address));
      ttl = std::min(ttl, std::chrono::seconds{node->ai_ttl});
    }
    if (kept.size() >= kMostKept) kept.clear();
    if (ttl > 0s) kept[lookup.key] = {addresses, loop.now() + ttl};
    if (addresses.empty()) answer = tl::unexpected<base::Error>(to_error(ARES_ENODATA, lookup.key.first));
    else answer = std::move(addresses);
  }
  if (found != nullptr) ares_freeaddrinfo(found);
  for (Waiter* waiter : lookup.waiters) waiter->answer(answer);
}

void AresResolver::Channel::on_socket(ares_socket_t fd, bool read, bool write) {
  if (!read && !write) {
    sockets.erase(fd);
    return;
  }
  sockets[fd] = loop.watch(fd, {.read = read, .write = write}, [this, fd](loop::Ready ready) {
    ares_process_fd(ares, ready.read ? fd : ARES_SOCKET_BAD, ready.write ? fd : ARES_SOCKET_BAD);
    arm();
  });
}

void AresResolver::Channel::arm() {
  timeval tv{};
  const timeval* next = ares_timeout(ares, nullptr, &tv);
  if (next == nullptr) return timer.reset();
  timer = loop.after(std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec), [this] {
    ares_process_fd(ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm();
  });
}

AresResolver::AresResolver(loop::EventLoop& loop, ResolverSettings settings)
    : channel_(std::make_unique<Channel>(loop, std::move(settings))) {}
AresResolver::~AresResolver() = default;

loop::Handle AresResolver::resolve(const std::string& name, std::uint16_t port, Family family, base::Instant deadline,
                                   std::function<void(base::Result<std::vector<Address>>)> done) {
  if (const Family all = asked_for(family); all != family)
    return resolve(name, port, all, deadline,
                   [done = std::move(done), family](Answer answer) { done(chosen(std::move(answer), family)); });
  const Channel::Key key{base::lower_case(name), family};
  if (auto answer = channel_->known(key.first, family))
    return channel_->loop.at(channel_->loop.now(),
                             [done = std::move(done), answer = *std::move(answer), port]() mutable {
                               if (answer) answer = with_ports(*answer, port);
                               done(std::move(answer));
                             });
  auto waiter = std::make_unique<Channel::Waiter>(*channel_, port, deadline, name, std::move(done));
  channel_->ask(key, *waiter);
  return loop::Handle(std::move(waiter));
}

}  // namespace net
