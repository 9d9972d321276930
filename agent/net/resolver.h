// Names to addresses by c-ares, under the caller's deadline: a stuck name server never blocks the loop.
// Literals, localhost and /etc/hosts are answered without a packet; other answers are kept for their TTL, at most a
// minute. Questions for one name at the same time are asked once. Handles must be dropped before their resolver.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/scheduler.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

enum class Family { any, v4, v6 };

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;  // "127.0.0.1" or "::1", without the port
  bool is_v6() const { return storage.ss_family == AF_INET6; }
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  // `done` comes exactly once, in a later turn; port is filled in. Errors: not_found (no such name), timeout,
  // unavailable.
  virtual loop::Handle resolve(const std::string& name, std::uint16_t port, Family family, base::Instant deadline,
                               std::function<void(base::Result<std::vector<Address>>)> done) = 0;
};

// What tests change.
struct ResolverSettings {
  std::string servers{};  // "127.0.0.1:5353,…"; "": those of /etc/resolv.conf, read again when it changes
  std::string hosts_file = "/etc/hosts";
};

class AresResolver final : public Resolver {
 public:
  explicit AresResolver(loop::EventLoop& loop, ResolverSettings settings = {});
  ~AresResolver() override;
  loop::Handle resolve(const std::string& name, std::uint16_t port, Family family, base::Instant deadline,
                       std::function<void(base::Result<std::vector<Address>>)> done) override;

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace net
