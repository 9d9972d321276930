// Who of the members of a standby may take writes: one at a time has the right, which lies in the store under the lease
// of its agent, with a number that grows with each holder. Beside it lies a record that outlives agents: whose server
// may be open, and how it was left. A fake stands in for it in tests. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "loop/handle.h"

namespace recover {

// promoting: it was elected, and has taken no write yet. held: it takes writes. released: its agent has proven that it
// takes none, and has given the right back.
enum class StandbyState { promoting, held, released };
std::string_view to_string(StandbyState state);

struct StandbyRecord {
  std::string primary;  // node whose server may take writes
  StandbyState state = StandbyState::held;
  std::uint64_t fence = 0;     // of the right under which this was written
  std::string run_id;          // of the server's process
  std::string system{};        // of PostgreSQL: the primary's, and
  std::uint64_t timeline = 0;  // on which it was when this was written
  bool starts_closed = false;  // a process of this server that is started takes no write until an agent lets it
  std::int64_t offset = 0;     // of released: what it had written, as far as its agent had seen
  base::WallTime promoted{};   // 0: never
  std::vector<std::string> must_rejoin{};  // nodes whose servers may have writes that the primary has not
  bool operator==(const StandbyRecord&) const = default;
};
std::string to_json(const StandbyRecord& record);
// Nothing: it is no record of ours.
std::optional<StandbyRecord> parse_standby_record(std::string_view text);

struct StandbyRight {
  std::string node;
  bool mine = false;  // under the lease that this agent has now
  std::uint64_t fence = 0;
  std::int64_t offset = 0;  // of the primary before it, as its holder knew it when it took the right
  bool operator==(const StandbyRight&) const = default;
};

// What the agent of a member has said, under its lease: the members whose servers it does not reach.
struct StandbyObservation {
  std::string node;
  bool mine = false;
  std::vector<std::string> unreached{};
  bool operator==(const StandbyObservation&) const = default;
};

struct ElectionView {
  bool known = false;
  std::string trouble{};  // of one that is not known
  std::optional<StandbyRight> right{};
  std::optional<StandbyRecord> record{};
  bool unreadable = false;     // there is a record, and it is none of ours
  std::uint64_t revision = 0;  // of the record; 0: there is none
  std::vector<StandbyObservation> observations{};
};

enum class Elected { yes, no, unknown };
struct ElectionAnswer {
  Elected kind = Elected::unknown;
  std::string text{};
};

class Election {
 public:
  virtual ~Election() = default;
  // The lease may be acted upon now: it ends early enough that what is begun now falls into its ttl.
  virtual bool holds() const = 0;
  virtual std::string store() const = 0;  // for a person
  // Each is answered once, in a later turn. After the Handle is dropped nothing comes, and what was asked may be done.
  virtual loop::Handle read(const std::string& service, std::function<void(ElectionView)> done) = 0;
  virtual loop::Handle take(const std::string& service, std::int64_t offset,
                            std::function<void(ElectionAnswer)> done) = 0;
  virtual loop::Handle drop(const std::string& service, std::function<void(ElectionAnswer)> done) = 0;
  // no: it is not at `revision` any more.
  virtual loop::Handle write(const std::string& service, const StandbyRecord& record, std::uint64_t revision,
                             std::function<void(ElectionAnswer)> done) = 0;
  // For the others: it holds as long as the lease does, or until it is told again.
  virtual loop::Handle observe(const std::string& service, const std::vector<std::string>& unreached,
                               std::function<void(ElectionAnswer)> done) = 0;
};

}  // namespace recover
