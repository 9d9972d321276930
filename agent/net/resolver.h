// Names to addresses by c-ares, under the caller's deadline: a stuck name server never blocks the loop.
// Literals, localhost and /etc/hosts are answered without a packet; other answers are kept for their TTL, at most a
// minute. Questions for one name at the same time are asked once. Handles must be dropped before their resolver.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"
#include "net/address.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

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
