#include "os/systemd/unit_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "os/systemd/bus_connection.h"
#include "os/systemd/unit_read.h"

namespace os {
namespace {

constexpr std::size_t kEndedJobs = 64;

// The mode is how a job meets one that waits or runs already (org.freedesktop.systemd1(5)). "fail" gives way to what it
// cannot be merged with, such as the stop that an operator has just asked for; a stop takes the place of a start that
// hangs.
struct Verb {
  std::string_view name;
  const char* method;
  const char* mode;  // null: the verb makes no job
};
constexpr std::array kVerbs{Verb{"start", "StartUnit", "fail"},
                            Verb{"stop", "StopUnit", "replace"},
                            Verb{"restart", "RestartUnit", "fail"},
                            Verb{"reload", "ReloadUnit", "fail"},
                            Verb{"reload-or-restart", "ReloadOrRestartUnit", "fail"},
                            Verb{"try-restart", "TryRestartUnit", "fail"},
                            Verb{"reset-failed", "ResetFailedUnit", nullptr}};
constexpr Verb kKill{"kill", "KillUnit", nullptr};

const Verb* find_verb(std::string_view name) {
  const auto found = std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return v.name == name; });
  return found == kVerbs.end() ? nullptr : &*found;
}

}  // namespace

class UnitJobs::Job final : public loop::Registration {
 public:
  Job(UnitJobs& jobs, const Verb& verb, const std::string& unit, std::optional<Signal> signal, base::Instant deadline,
      std::function<void(base::Result<std::string>)> done)
      : jobs_(jobs), what_(fmt::format("{} {}", verb.name, unit)), done_(std::move(done)) {
    jobs_.jobs_.push_back(this);
    timer_ = jobs_.loop_.at(deadline, [this] {
      if (shutdown_)
        said_ = base::fail(base::Kind::cancelled, fmt::format("the node shuts down; {} was taken away", what_));
      else if (!said_)
        said_ = base::fail(base::Kind::timeout,
                           path_.empty() ? fmt::format("systemd did not answer to {} in time", what_)
                                         : fmt::format("systemd did not end {} in time; the job goes on", what_));
      finish(*std::move(said_));
    });
    sd_bus_message* call = nullptr;
    sd_bus_slot* slot = nullptr;
    has_job_ = verb.mode != nullptr;
    int code = sd_bus_message_new_method_call(jobs_.connection_->native(), &call, kSystemd, kManagerPath, kManager,
                                              verb.method);
    const Message owned(call);
    if (code >= 0) code = sd_bus_message_append(call, "s", unit.c_str());
    if (code >= 0 && has_job_) code = sd_bus_message_append(call, "s", verb.mode);
    if (code >= 0 && signal) code = sd_bus_message_append(call, "si", signal->whom, signal->number);
    if (code >= 0) code = sd_bus_call_async(jobs_.connection_->native(), &slot, call, &Job::on_reply, this, UINT64_MAX);
    slot_.reset(slot);
    if (code < 0)
      timer_ = jobs_.loop_.at(jobs_.loop_.now(), [this, code] {
        finish(base::fail_errno(-code, fmt::format("cannot ask systemd to {}", what_)));
      });
    jobs_.connection_->sent();
  }
  ~Job() override { std::erase(jobs_.jobs_, this); }

  const std::string& path() const { return path_; }
  // What systemd says is the end; see run_job for what a shutdown does to it. May destroy this object.
  void ended(base::Result<std::string> result) {
    const bool pushed_aside = result ? *result == "canceled" : result.error().kind == base::Kind::cancelled;
    if (!pushed_aside) return finish(std::move(result));
    said_ = std::move(result);
    ask_whether_node_stops();
  }
  // The bus ended, and with it the node perhaps: systemd is asked once the bus is back.
  void lost() {
    state_slot_.reset();
    if (!said_)
      said_ = base::fail(base::Kind::unavailable,
                         fmt::format("the connection to systemd was lost during {}; how it ended is not known", what_));
  }
  // May destroy this object.
  void connected() {
    if (said_) ask_whether_node_stops();
  }
  // May destroy this object.
  void finish(base::Result<std::string> result) {
    timer_.reset();
    std::erase(jobs_.jobs_, this);
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

 private:
  bool bus_is_open() const { return sd_bus_is_open(jobs_.connection_->native()) > 0; }
  void ask_whether_node_stops() {
    sd_bus_slot* slot = nullptr;
    const int code = sd_bus_call_method_async(jobs_.connection_->native(), &slot, kSystemd, kManagerPath,
                                              "org.freedesktop.DBus.Properties", "Get", &Job::on_system_state, this,
                                              "ss", kManager, "SystemState");
    state_slot_.reset(slot);
    jobs_.connection_->sent();
    if (code < 0 && bus_is_open()) finish(*std::move(said_));
  }
  static int on_reply(sd_bus_message* reply, void* self, sd_bus_error*) {
    static_cast<Job*>(self)->replied(reply);
    return 0;
  }
  void replied(sd_bus_message* reply) {
    if (sd_bus_message_is_method_error(reply, nullptr) != 0) {
      base::Error error = bus_error(reply, fmt::format("systemd refused to {}", what_));
      if (error.kind == base::Kind::permission)
        error.text += "; a polkit rule for org.freedesktop.systemd1.manage-units must allow this unit and verb";
      if (!bus_is_open()) return lost();
      return ended(tl::unexpected<base::Error>(std::move(error)));
    }
    if (!has_job_) return finish(std::string("done"));
    const char* path = nullptr;
    if (sd_bus_message_read(reply, "o", &path) < 0)
      return finish(base::fail(base::Kind::protocol, fmt::format("systemd's answer to {} names no job", what_)));
    path_ = path;
    for (const auto& [job, result] : jobs_.ended_)
      if (job == path_) return ended(std::string(result));
  }
  static int on_system_state(sd_bus_message* reply, void* self, sd_bus_error*) {
    auto& job = *static_cast<Job*>(self);
    const char* state = nullptr;
    const bool told = sd_bus_message_is_method_error(reply, nullptr) == 0 &&
                      sd_bus_message_read(reply, "v", "s", &state) >= 0 && state != nullptr;
    if (!told && !job.bus_is_open()) return 0;
    if (!told || std::string_view(state) != "stopping") {
      job.finish(*std::move(job.said_));
      return 0;
    }
    job.shutdown_ = true;
    std::erase(job.jobs_.jobs_, &job);  // nothing that the bus says is its end
    return 0;
  }

  UnitJobs& jobs_;
  std::string what_;
  std::function<void(base::Result<std::string>)> done_;
  bool has_job_ = true;
  std::string path_;
  std::optional<base::Result<std::string>> said_;  // the end, until systemd has said whether the node shuts down
  bool shutdown_ = false;
  Slot slot_, state_slot_;
  loop::Handle timer_;
};

bool UnitJobs::has_verb(std::string_view verb) { return find_verb(verb) != nullptr; }

void UnitJobs::connected(BusConnection& connection) {
  connection_ = &connection;
  for (Job* job : std::vector(jobs_))  // the end of one may drop others
    if (std::find(jobs_.begin(), jobs_.end(), job) != jobs_.end()) job->connected();
}

void UnitJobs::lost() {
  connection_ = nullptr;
  ended_.clear();
  for (Job* job : jobs_) job->lost();
}

loop::Handle UnitJobs::run(std::string_view verb, const std::string& unit, base::Instant deadline,
                           std::function<void(base::Result<std::string>)> done) {
  return loop::Handle(std::make_unique<Job>(*this, *find_verb(verb), unit, std::nullopt, deadline, std::move(done)));
}

loop::Handle UnitJobs::send_signal(const std::string& unit, Signal signal, base::Instant deadline,
                                   std::function<void(base::Result<std::string>)> done) {
  return loop::Handle(std::make_unique<Job>(*this, kKill, unit, signal, deadline, std::move(done)));
}

void UnitJobs::removed(const std::string& path, const std::string& result) {
  ended_.emplace_back(path, result);
  if (ended_.size() > kEndedJobs) ended_.pop_front();
  for (Job* job : std::vector(jobs_))
    if (std::find(jobs_.begin(), jobs_.end(), job) != jobs_.end() && job->path() == path) job->ended(result);
}

}  // namespace os
