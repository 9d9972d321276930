// What the server asks of the agent. Called on worker threads; the app posts to the loop and waits, bounded,
// but for probe(), which returns at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/audit.h"
#include "model/metric_family.h"
#include "promql/needs.h"
#include "web/admin_backend.h"

namespace promql {
class Queryable;
}  // namespace promql

namespace web {

// GET /probe, as the blackbox exporter has it.
struct ProbeQuestion {
  std::string module;
  std::string target;
  std::string hostname;     // "": the target's own
  base::Millis timeout{0};  // what the scrape leaves; 0: it did not say
};
struct ProbeAnswer {
  std::vector<model::MetricFamily> families;
  bool up = false;
  std::string reason;  // "none" if it is up
  std::string text;    // what was found, for a person
  std::string module;  // as configured
};

// What an answer reads.
struct Load {
  std::size_t series = 0;
  std::size_t samples = 0;
  std::size_t bytes = 0;  // of what is taken out of the store; decoded samples come on top
};

// Who waits for an answer. Used by the thread that asks.
class Asker {
 public:
  virtual ~Asker() = default;
  // An error when its time is over or the client has left; looked at now and then.
  virtual base::Result<> still_wanted() = 0;
  // Before so much is held for it. May wait; an error ends the request.
  virtual base::Result<> admit(const Load& load) = 0;
};

// Who asked for a change, and for what: for the audit trail.
struct Asked {
  std::string by;       // "alice (uid 1000)"
  std::string service;  // "": of none
  std::string what;     // "maintenance/order on=true for=2h"
};

// All metrics but the server's.
struct Metrics {
  model::MetricPage own;                           // what the agent counts of itself
  std::shared_ptr<const model::MetricPage> found;  // of probes, services, recoveries and rules
};

struct AuditQuestion {
  std::size_t limit = 0;
  std::optional<std::uint64_t> before;  // only entries with a smaller number
  std::string service;                  // "": of all
};

class Backend {
 public:
  virtual ~Backend() = default;
  // The samples that `needs` asks for around [start, end] (milliseconds), as they are now. The asker is asked before
  // they are taken. Kind::unavailable if the loop does not answer in time.
  virtual base::Result<std::unique_ptr<promql::Queryable>> read_samples(const std::vector<promql::Needs>& needs,
                                                                        std::int64_t start, std::int64_t end,
                                                                        Asker& asker) = 0;
  // The label sets of the series that one of the sets matches and that have samples in [start, end]; in any order, each
  // once.
  virtual base::Result<std::vector<model::Labels>> select_series(const std::vector<std::vector<model::Matcher>>& sets,
                                                                 std::int64_t start, std::int64_t end,
                                                                 Asker& asker) = 0;
  // Asks the loop for a new page and waits for it, as a snapshot is asked for. Any thread but the loop's.
  virtual Metrics metrics() = 0;
  // POST /heartbeat/<service>, after the token was checked.
  virtual base::Result<> heartbeat(const std::string& service, bool failed, std::string text) = 0;

  // What other agents ask this one for: the entries of its own in a fleet of peers, as JSON. Kind::not_found: it is in
  // none.
  virtual base::Result<std::string> fleet_entries() = 0;

  // One run of a module against a target, within its timeout. Does not wait: `done` comes once, on whatever thread, or
  // never if the agent stops before. Kind::not_found: no such module; invalid: it cannot be run so; permission: the
  // target is not allowed; limit: too many runs are going on.
  virtual void probe(const ProbeQuestion& question, std::function<void(base::Result<ProbeAnswer>)> done) = 0;

  // Calls `what` on the loop's thread, over the admin socket only, and waits for what it passes to `done`. `what` owns
  // all that it needs: who asks may have left before it is called.
  using Change = std::function<void(AdminBackend& admin, AdminBackend::Done done)>;
  virtual base::Result<std::string> change(const Asked& asked, Change what) = 0;
  // Of the audit trail, oldest first.
  virtual base::Result<std::vector<model::AuditEntry>> audit(const AuditQuestion& question) = 0;
};

}  // namespace web
