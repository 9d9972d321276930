// The server's questions, asked on worker threads and answered on the loop thread. Workers wait, bounded; the loop
// never.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "app/probe_endpoint.h"
#include "app/questions.h"
#include "app/store_reader.h"
#include "base/time.h"
#include "web/backend.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace app {

// What answers on the loop thread. All of it outlives the backend.
struct LoopParts {
  loop::Scheduler& loop;
  const store::Store& store;
  web::AdminBackend& admin;
  ProbeEndpoint& probes;
  std::function<base::Result<>(const std::string& service, bool failed, std::string text)> heartbeat;
  std::function<web::Metrics()> metrics;  // on any thread but the loop's
  std::function<base::Result<std::string>()> fleet_entries;
  std::function<void(const web::Asked&, const base::Result<std::string>&)> note_change;
  std::function<std::vector<model::AuditEntry>(const web::AuditQuestion&)> audit;
};

class Backend final : public web::Backend {
 public:
  explicit Backend(LoopParts parts)
      : parts_(std::move(parts)), questions_(parts_.loop), reader_(parts_.store, parts_.loop) {}

  // After the loop has ended: all open and later requests fail with Kind::unavailable. On the loop's thread.
  void close() { questions_.close(); }

  base::Result<std::unique_ptr<promql::Queryable>> read_samples(const std::vector<promql::Needs>& needs,
                                                                std::int64_t start, std::int64_t end,
                                                                web::Asker& asker) override;
  base::Result<std::vector<model::Labels>> select_series(const std::vector<std::vector<model::Matcher>>& sets,
                                                         std::int64_t start, std::int64_t end,
                                                         web::Asker& asker) override;
  web::Metrics metrics() override { return parts_.metrics(); }
  base::Result<> heartbeat(const std::string& service, bool failed, std::string text) override;
  base::Result<std::string> fleet_entries() override;
  void probe(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done) override;
  base::Result<std::string> change(const web::Asked& asked, Change what) override;
  base::Result<std::vector<model::AuditEntry>> audit(const web::AuditQuestion& question) override;

 private:
  const LoopParts parts_;
  Questions questions_;
  StoreReader reader_;
};

}  // namespace app
