// The servers of a standby, as an agent sees them, and what it tells them; one class for each kind. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/scheduler.h"
#include "net/stream.h"
#include "recover/standby/standby_spec.h"

namespace recover {

// As one look found it.
struct ServerLook {
  bool answers = false;
  bool refused = false;       // no process listens there
  std::string trouble{};      // why it does not answer
  bool primary = false;       // it has no master; it is not in recovery
  bool closed = false;        // it refuses the writes of clients: as a replica, or because it has too few replicas
  bool gate = false;          // of that: it stays closed when it is made a primary
  bool gate_of_file = false;  // and it has that from its file, not from an agent
  bool link_up = false;       // of a replica
  bool syncing = false;       // it takes over the whole data now
  bool durable = false;       // what it restarts with is what it had
  bool loading = false;
  bool stopped = false;    // a replica whose replication was stopped by a command
  std::string unfit{};     // why it could not be the primary, whatever it has
  std::string diverged{};  // of a replica that has what its primary has not: how that is seen
  std::string detail{};    // for a person
  std::string follows{};   // HOST:PORT of its master
  std::string run_id{};    // another one for each process
  // How far it has come in the replication stream; of a replica: what it has received. Bytes, or transactions.
  std::int64_t offset = 0;
  std::string managed{};           // what else promotes it, the word behind managed_by_; "": nothing is seen
  std::int64_t replayed = 0;       // of what a replica has received
  std::optional<double> behind{};  // seconds since the last change that a replica has replayed, if it lacks any
  // Of PostgreSQL.
  std::string system{};             // the same for all servers that come from one initdb
  std::uint64_t timeline = 0;       // 0: not known
  std::string name{};               // application_name of a replica
  bool synchronous = false;         // a primary that waits for replicas before it acknowledges
  std::vector<std::string> sync{};  // of those: the names
};

class StandbyServers {
 public:
  static constexpr std::chrono::milliseconds kLimit{1000};  // of an exchange, but of a promotion

  using Done = std::function<void(const std::string& trouble)>;  // "": it did
  struct Closing {
    bool replica = false;  // it is one
    bool by_file = true;   // it has been started closed
  };

  virtual ~StandbyServers() = default;
  // `done` once, in a later turn. After the Handle is dropped nothing comes, and what was told may be done.
  virtual loop::Handle look(const StandbyMember& server, std::function<void(const ServerLook&)> done) = 0;
  virtual loop::Handle promote(const StandbyMember& server, Done done) = 0;
  // It takes a write, which is made: its value is the fence of the right.
  virtual loop::Handle open(const StandbyMember& server, std::uint64_t fence, Done done) = 0;
  // Where StandbySpec::closes().
  virtual loop::Handle close(const StandbyMember& server, const Closing& closing, Done done) = 0;
  virtual loop::Handle follow(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                              Done done) = 0;
  // Of the server of another node, behind which it says that it is a closed replica; it need not follow already.
  virtual loop::Handle demote(const StandbyMember& server, const StandbyMember& primary, std::optional<Closing> closing,
                              Done done) {
    return follow(server, primary, closing, std::move(done));
  }
};

// Both live longer.
std::unique_ptr<StandbyServers> standby_servers(const Standby& spec, loop::Scheduler& scheduler, net::Dialer& dialer);

}  // namespace recover
