// What people may change over the admin socket. Called and answered on the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "model/silence.h"

namespace web {

enum class Rehearsal { no, yes };

// How long maintenance lasts: so long, or until the service has been healthy for so long; 0: not said.
struct Lasting {
  base::Millis length{0}, until_healthy{0};
};

// As people ask for a rollout: cluster::RolloutWish.
struct RolloutRequest {
  std::string action, batch;
  base::Millis deadline{0};
  std::string comment;
};

class AdminBackend {
 public:
  // Called once, after the change is durable: a sentence for a person, or "", or why nothing was changed.
  using Done = std::function<void(base::Result<std::string>)>;
  virtual ~AdminBackend() = default;

  virtual void reload(Done done) = 0;  // the error is all mistakes of the new configuration
  // Until `length` is over, or until it is ended if that is 0. The sentence is about the recovery that is under way.
  virtual void begin_maintenance(const std::string& service, Lasting lasting, const std::string& comment,
                                 Done done) = 0;
  virtual void end_maintenance(const std::string& service, Done done) = 0;
  // Starts the service's plan for a person, rehearsed or for real. The error is the guard that is closed.
  virtual void recover(const std::string& service, Rehearsal rehearsal, const std::string& comment, Done done) = 0;
  // Stops the recovery that is under way; the sentence says what still happens.
  virtual void abort(const std::string& service, const std::string& comment, Done done) = 0;
  // Opens the latch of an exhausted plan.
  virtual void ack(const std::string& service, const std::string& comment, Done done) = 0;
  // A rollout of a group, over all its nodes: once the fleet's store has taken it. The error is why it has not.
  virtual void begin_rollout(const std::string& group, const RolloutRequest& request, Done done) = 0;
  virtual void resume_rollout(const std::string& group, const std::string& comment, Done done) = 0;
  virtual void abort_rollout(const std::string& group, const std::string& comment, Done done) = 0;
  // Restores a backup on trial; the sentence says that it has begun.
  virtual void run_drill(const std::string& name, const std::string& comment, Done done) = 0;
  // The same, or the rehearsed fault of this name, which a person must want.
  enum class Consent { no, yes };
  virtual void run_fault_drill(const std::string& name, Consent consent, const std::string& comment, Done done) = 0;
  // Rehearses a fault (hang, kill, refuse, slow) at a service.
  virtual void drill(const std::string& service, const std::string& fault, const std::string& comment, Done done) = 0;
  // Lets go on what of a standby waits for a person. The error is why nothing does.
  virtual void approve_standby(const std::string& service, const std::string& comment, Done done) = 0;
  // Answers with the id of the new silence.
  virtual void add_silence(const model::SilenceRequest& request, Done done) = 0;
  virtual void expire_silence(const std::string& id, Done done) = 0;
};

}  // namespace web
