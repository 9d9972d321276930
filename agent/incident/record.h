// An incident as it lies in state::Table::incidents, under its id.
#pragma once

#include <string>

#include "base/result.h"
#include "model/incident.h"

namespace incident {

std::string to_json(const model::Incident& incident);
base::Result<model::Incident> parse_incident(const std::string& json);

}  // namespace incident
