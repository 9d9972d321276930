// The server's questions, asked on worker threads and answered on the loop thread. Workers wait, bounded; the loop
// never.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "app/questions.h"
#include "app/store_reader.h"
#include "base/time.h"
#include "web/backend.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace app {

// What the loop thread does for the server; the Agent fills it in.
struct LoopSide {
  std::function<base::Result<>(const std::string&, bool, std::string)> heartbeat;
  std::function<void(const web::ProbeQuestion&, std::function<void(base::Result<web::ProbeAnswer>)> done)> probe;
  std::function<base::Result<>()> reload;
  // Answers through `done`, after the change is durable.
  std::function<void(const std::string&, base::Millis, const std::string&,
                     std::function<void(base::Result<std::string>)> done)>
      begin_maintenance;
  std::function<void(const std::string&, std::function<void(base::Result<>)> done)> end_maintenance;
  std::function<void(const std::string&, web::Rehearsal, const std::string&,
                     std::function<void(base::Result<std::string>)> done)>
      recover;
  std::function<void(const std::string&, const std::string&, std::function<void(base::Result<std::string>)> done)>
      abort;
  std::function<void(const std::string&, const std::string&, std::function<void(base::Result<>)> done)> ack;
  std::function<void(const model::SilenceRequest&, std::function<void(base::Result<std::string>)> done)> add_silence;
  std::function<void(const std::string&, std::function<void(base::Result<>)> done)> expire_silence;
};

class Backend final : public web::Backend {
 public:
  using SelfMetrics = std::function<std::vector<model::MetricFamily>()>;
  Backend(loop::Scheduler& loop, const store::Store& store, LoopSide loop_side, SelfMetrics self_metrics)
      : questions_(loop),
        reader_(store, loop),
        loop_side_(std::move(loop_side)),
        self_metrics_(std::move(self_metrics)) {}

  // After the loop has ended: all open and later requests fail with Kind::unavailable. On the loop's thread.
  void close() { questions_.close(); }

  base::Result<std::unique_ptr<promql::Queryable>> read_samples(const std::vector<promql::Needs>& needs,
                                                                std::int64_t start, std::int64_t end,
                                                                web::Asker& asker) override;
  base::Result<std::vector<model::Labels>> select_series(const std::vector<std::vector<model::Matcher>>& sets,
                                                         std::int64_t start, std::int64_t end,
                                                         web::Asker& asker) override;
  std::vector<model::MetricFamily> self_metrics() override { return self_metrics_(); }
  base::Result<> heartbeat(const std::string& service, bool failed, std::string text) override;
  void probe(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done) override;
  base::Result<> reload() override;
  base::Result<std::string> begin_maintenance(const std::string& service, base::Millis length,
                                              const std::string& comment) override;
  base::Result<> end_maintenance(const std::string& service) override;
  base::Result<std::string> recover(const std::string& service, web::Rehearsal rehearsal,
                                    const std::string& comment) override;
  base::Result<std::string> abort(const std::string& service, const std::string& comment) override;
  base::Result<std::string> add_silence(const model::SilenceRequest& request) override;
  base::Result<> expire_silence(const std::string& id) override;
  base::Result<> ack(const std::string& service, const std::string& comment) override;

 private:
  Questions questions_;
  StoreReader reader_;
  LoopSide loop_side_;
  SelfMetrics self_metrics_;
};

}  // namespace app
