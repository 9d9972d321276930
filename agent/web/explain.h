// Why a service is in the state it is in, and what fettle does about it, in sentences.
#pragma once

#include <string>
#include <vector>

#include "web/snapshot.h"

namespace web {

// Why it is as it is; and with it every guard of its plan, what is next, and the steps.
std::vector<std::string> why(const ServicePage& service, const Snapshot& snapshot);
std::vector<std::string> explain(const ServicePage& service, const Snapshot& snapshot);

// Whether it is the incident of this service, or reaches it.
bool concerns(const model::Incident& incident, const std::string& service);

// What a client hears that asks for another one; with the nearest name, if it is near.
std::string no_service_text(const std::string& name, const Snapshot& snapshot);

// "5 s", "12 min", "3 h 20 min", "4 d": a span of time for a person, coarser the longer it is.
std::string rough_duration(base::Millis d);

}  // namespace web
