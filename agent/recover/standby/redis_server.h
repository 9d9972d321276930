// A Redis server of a standby, asked and told over one connection for each exchange. What closes it to writes is
// min-replicas-to-write: with more replicas than there can be, every write is refused at once, while replicas, readers
// and the replication's history stay as they are. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "encoding/redis_reply.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "recover/standby/standby_spec.h"

namespace recover {

// As one look found it.
struct ServerLook {
  bool answers = false;
  bool refused = false;       // no process listens there
  std::string trouble{};      // why it does not answer
  bool primary = false;       // it has no master
  bool closed = false;        // it refuses the writes of clients: as a replica, or because it has too few replicas
  bool gate = false;          // of that: it stays closed when it is made a primary
  bool gate_of_file = false;  // and it has that from its file, not from an agent
  bool link_up = false;       // of a replica
  bool syncing = false;       // it takes over the whole data now
  bool durable = false;       // it has an append-only file: what it restarts with is what it had
  bool loading = false;
  std::string follows{};    // HOST:PORT of its master
  std::string run_id{};     // another one for each process
  std::int64_t offset = 0;  // in the replication stream
  std::string managed{};    // what else promotes it: sentinel, cluster; "": nothing is seen
};

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

class RedisServers {
 public:
  static constexpr std::chrono::milliseconds kLimit{1000};  // of an exchange

  // Both live longer.
  RedisServers(loop::Scheduler& scheduler, net::Dialer& dialer) : scheduler_(scheduler), dialer_(dialer) {}

  // Sends all commands at once. `done` once, in a later turn, after kLimit at the latest.
  loop::Handle ask(const StandbyMember& server, const StandbyLogin& login,
                   std::vector<std::vector<std::string>> commands, std::function<void(RedisAnswer)> done);

 private:
  loop::Scheduler& scheduler_;
  net::Dialer& dialer_;
};

}  // namespace recover
