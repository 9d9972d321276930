// The page of all incidents that are kept, and the page of one with its timeline. Pure.
#pragma once

#include <string>

#include "web/snapshot.h"

namespace web {

// Of one service, or of all where it is "".
std::string incidents_page(const std::string& service, const Snapshot& snapshot);
std::string incident_page(const model::Incident& incident, const Snapshot& snapshot);

}  // namespace web
