// Pieces that message bodies share: JSON as Go writes it, times, URLs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/alert.h"
#include "model/labels.h"

namespace notify {

// <, > and & as \u003c, \u003e and \u0026, as Alertmanager and Prometheus write them.
std::string dump_json(const nlohmann::ordered_json& value);
// When the alert began for its readers: Prometheus' FiredAt.
base::WallTime starts_at(const model::Alert& alert);
// Labels of the alert with external labels where it has none of that name.
model::Labels outward_labels(const model::Alert& alert, const model::Labels& external);
// What all of these have in common.
model::Labels common_labels(const std::vector<model::Labels>& sets);
// Scheme, host and port of a URL, and the path if it is asked for: what may be shown. User information, query and
// fragment never are.
std::string origin(std::string_view url);
std::string origin_and_path(std::string_view url);
std::string rfc3339_milliseconds(base::WallTime t);  // always three digits, as Prometheus sends
std::string rfc3339_shortest(base::WallTime t);      // no trailing zeros, as Alertmanager sends

}  // namespace notify
