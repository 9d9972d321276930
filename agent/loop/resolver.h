// Names to addresses by c-ares, under the caller's deadline: a stuck name server never blocks the loop.
// Literals, localhost and /etc/hosts are answered without a packet.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/scheduler.h"

namespace loop {

class EventLoop;

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
  virtual Handle resolve(const std::string& name, std::uint16_t port, Family family, base::Instant deadline,
                         std::function<void(base::Result<std::vector<Address>>)> done) = 0;
};

class AresResolver final : public Resolver {
 public:
  explicit AresResolver(EventLoop& loop);
  ~AresResolver() override;
  Handle resolve(const std::string& name, std::uint16_t port, Family family, base::Instant deadline,
                 std::function<void(base::Result<std::vector<Address>>)> done) override;

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace loop
