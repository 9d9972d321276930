// A Redis server of a standby, asked and told over one connection for each exchange. What closes it to writes is
// min-replicas-to-write: with more replicas than there can be, every write is refused at once, while replicas, readers
// and the replication's history stay as they are. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "encoding/redis_reply.h"
#include "recover/standby/standby_server.h"

namespace recover {

struct RedisAnswer {
  bool refused = false;
  std::string trouble{};  // "": each command has its reply, none is an error
  std::vector<encoding::RedisReply> replies{};
};

// As redis.conf must have it, at least.
constexpr int kClosedReplicas = 1000;
// What an agent closes a server with that has it not in its file: so that it is known for that afterwards.
constexpr int kClosedByAgent = 1'000'001;

std::vector<std::vector<std::string>> look_commands();
// Pure; of the answer to look_commands().
ServerLook read_look(const RedisAnswer& answer);

class RedisServers final : public StandbyServers {
 public:
  // Both live longer.
  RedisServers(Standby spec, loop::Scheduler& scheduler, net::Dialer& dialer)
      : spec_(std::move(spec)), scheduler_(scheduler), dialer_(dialer) {}

  loop::Handle look(const StandbyMember& server, std::function<void(const ServerLook&)> done) override;
  loop::Handle promote(const StandbyMember& server, Done done) override;
  loop::Handle open(const StandbyMember& server, std::uint64_t fence, Done done) override;
  loop::Handle close(const StandbyMember& server, const Closing& closing, Done done) override;
  loop::Handle follow(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                      Done done) override;

 private:
  using Commands = std::vector<std::vector<std::string>>;

  // Sends all commands at once.
  loop::Handle ask(const StandbyMember& server, const Commands& commands, std::function<void(RedisAnswer)> done);
  loop::Handle tell(const StandbyMember& server, const Commands& commands, Done done);

  Standby spec_;
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
};

}  // namespace recover
