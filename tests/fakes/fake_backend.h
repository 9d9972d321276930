// A web::Backend without an agent: data in memory, and what it was asked to do.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "promql/queryable.h"
#include "web/backend.h"

namespace fakes {

class FakeBackend final : public web::Backend {
 public:
  std::vector<promql::MemoryQueryable::Entry> series;
  std::vector<model::MetricFamily> own, shown;
  std::vector<std::shared_ptr<const model::MetricBlock>> own_blocks;
  base::Result<> next_answer;  // of the calls that change something
  std::string black_hole;      // a target of /probe that does not answer by itself

  base::Result<std::unique_ptr<promql::Queryable>> read_samples(const std::vector<promql::Needs>&, std::int64_t,
                                                                std::int64_t, web::Asker& asker) override {
    if (!next_answer) return tl::unexpected<base::Error>(next_answer.error());
    web::Load load{series.size(), 0, 0};
    for (const auto& each : series) load.samples += each.samples.size();
    TRY_VOID(asker.admit(load));
    return std::make_unique<promql::MemoryQueryable>(series);
  }
  base::Result<std::vector<model::Labels>> select_series(const std::vector<std::vector<model::Matcher>>& sets,
                                                         std::int64_t start, std::int64_t end,
                                                         web::Asker& asker) override {
    if (!next_answer) return tl::unexpected<base::Error>(next_answer.error());
    std::vector<model::Labels> found;
    for (const auto& each : series) {
      TRY_VOID(asker.still_wanted());
      const bool wanted =
          std::any_of(sets.begin(), sets.end(), [&](const auto& set) { return model::matches_all(set, each.labels); });
      const bool lives = std::any_of(each.samples.begin(), each.samples.end(),
                                     [&](const model::Sample& s) { return s.t >= start && s.t <= end; });
      if (wanted && lives) found.push_back(each.labels);
    }
    TRY_VOID(asker.admit({found.size(), 0, 0}));
    return found;
  }
  web::Metrics metrics() override {
    return {{own, own_blocks}, std::make_shared<const model::MetricPage>(model::MetricPage{shown, {}})};
  }
  base::Result<> heartbeat(const std::string& service, bool failed, std::string text) override {
    return heard("heartbeat " + service + (failed ? " fail " : " ok ") + text);
  }
  base::Result<std::string> fleet_entries() override {
    if (!next_answer) return tl::unexpected<base::Error>(next_answer.error());
    return std::string(R"({"node":"node1","entries":[]})");
  }
  void probe(const web::ProbeQuestion& question, std::function<void(base::Result<web::ProbeAnswer>)> done) override {
    const auto answer = heard("probe " + question.module + " " + question.target + " " + question.hostname + " " +
                              std::to_string(question.timeout.count()) + "ms");
    if (!answer) return done(tl::unexpected<base::Error>(answer.error()));
    if (question.target == black_hole) {
      const std::lock_guard lock(mutex_);
      return held_.push_back(std::move(done));
    }
    model::MetricFamily success{"probe_success", "1 if it worked.", model::MetricType::gauge, {{"", {}, 1}}};
    done(web::ProbeAnswer{{success}, true, "", "status 200 in 3ms", R"({"prober": http})"});
  }
  // The runs against the black hole end.
  void end_held_probes() {
    std::vector<std::function<void(base::Result<web::ProbeAnswer>)>> held;
    {
      const std::lock_guard lock(mutex_);
      held.swap(held_);
    }
    for (const auto& done : held) done(web::ProbeAnswer{{}, false, "timeout", "", ""});
  }
  std::vector<model::AuditEntry> trail;
  base::Result<std::vector<model::AuditEntry>> audit(const web::AuditQuestion& question) override {
    std::vector<model::AuditEntry> out;
    for (const model::AuditEntry& entry : trail)
      if ((!question.before || entry.number < *question.before) &&
          (question.service.empty() || entry.service == question.service))
        out.push_back(entry);
    if (out.size() > question.limit) out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(question.limit));
    return out;
  }
  std::vector<web::Asked> asked;  // by change()
  base::Result<std::string> change(const web::Asked& by, Change what) override {
    asked.push_back(by);
    base::Result<std::string> answer = base::fail(base::Kind::unavailable, "nothing answered");
    what(admin_, [&](base::Result<std::string> told) { answer = std::move(told); });
    return answer;
  }

  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  base::Result<> heard(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    return next_answer;
  }
  // Writes down what it is asked to do.
  class Admin final : public web::AdminBackend {
   public:
    explicit Admin(FakeBackend& all) : all_(all) {}
    void reload(Done done) override { answer("reload", "", done); }
    void begin_maintenance(const std::string& service, web::Lasting lasting, const std::string& comment,
                           Done done) override {
      std::string lasts = lasting.length.count() > 0 ? base::format_duration(lasting.length) + " " : "";
      if (lasting.until_healthy.count() > 0) lasts += "healthy " + base::format_duration(lasting.until_healthy) + " ";
      answer("maintenance " + service + " on " + lasts + comment, "", done);
    }
    void end_maintenance(const std::string& service, Done done) override {
      answer("maintenance " + service + " off ", "", done);
    }
    void recover(const std::string& service, web::Rehearsal rehearsal, const std::string& comment, Done done) override {
      answer("recover " + service + (rehearsal == web::Rehearsal::yes ? " dry " : " ") + comment,
             "the plan of " + service + " starts", done);
    }
    void abort(const std::string& service, const std::string& comment, Done done) override {
      answer("abort " + service + " " + comment, service + " is left alone until its alert has resolved", done);
    }
    void ack(const std::string& service, const std::string& comment, Done done) override {
      answer("ack " + service + " " + comment, "", done);
    }
    void begin_rollout(const std::string& group, const web::RolloutRequest& request, Done done) override {
      answer(fmt::format("rollout {} {} {} {} {}", group, request.action, request.batch,
                         base::format_duration(request.deadline), request.comment),
             "rollout 1 of " + group + " has begun", done);
    }
    void resume_rollout(const std::string& group, const std::string& comment, Done done) override {
      answer("resume " + group + " " + comment, "rollout 1 of " + group + " goes on", done);
    }
    void abort_rollout(const std::string& group, const std::string& comment, Done done) override {
      answer("abort rollout " + group + " " + comment, "rollout 1 of " + group + " is aborted", done);
    }
    void approve_standby(const std::string& service, const std::string& comment, Done done) override {
      answer("approve " + service + " " + comment, service + " may go on within 1m", done);
    }
    void run_drill(const std::string& name, const std::string& comment, Done done) override {
      answer("drill " + name + " " + comment, "the drill " + name + " has begun", done);
    }
    void run_fault_drill(const std::string& name, Consent consent, const std::string& comment, Done done) override {
      run_drill(name + (consent == Consent::yes ? " yes" : ""), comment, done);
    }
    void drill(const std::string& service, const std::string& fault, const std::string& comment, Done done) override {
      answer("drill " + fault + " of " + service + " " + comment, "the drill of " + service + " has begun", done);
    }
    void add_silence(const model::SilenceRequest& request, Done done) override {
      std::string call =
          "silence " + model::to_string(request.matchers) + " for " + base::format_duration(request.length);
      if (request.starts_at) call += " from " + base::format_iso8601(*request.starts_at);
      if (request.ends_at) call += " to " + base::format_iso8601(*request.ends_at);
      answer(call + " by " + request.author + ": " + request.comment, "a-b-c", done);
    }
    void expire_silence(const std::string& id, Done done) override { answer("expire " + id, "", done); }

   private:
    void answer(std::string call, std::string text, const Done& done) {
      const auto next = all_.heard(std::move(call));
      if (next) done(std::move(text));
      else done(tl::unexpected<base::Error>(next.error()));
    }
    FakeBackend& all_;
  };

  Admin admin_{*this};
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
  std::vector<std::function<void(base::Result<web::ProbeAnswer>)>> held_;
};

}  // namespace fakes
