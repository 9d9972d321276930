// What Alertmanagers inhibit by while a recovery may still mend a fault: an alert RecoveryRunning of the service, and
// of those that are down because of it, which ends by itself when people are to hear of the fault. Pure.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "model/alert.h"
#include "model/incident.h"

namespace notify {

inline const std::string kRecoveryRunning = "RecoveryRunning";

// `own`: the labels job and instance, as the samples of this agent have them. Each fires, and has its end in
// `resolved_at`.
std::map<model::Labels, model::Alert> recoveries_running(const std::map<std::string, model::Incident>& incidents,
                                                         const model::Labels& own, base::WallTime now);

}  // namespace notify
