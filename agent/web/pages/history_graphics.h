// The graphics of a service's page: how long it was up, and how long its probes took. SVG, without a script or a style
// of its own; what it shows is also said in words.
#pragma once

#include <string>

#include "model/availability.h"
#include "web/pages/measured.h"

namespace web {

// "100 %" only if it was never down; else rounded down: "99.984 %".
std::string percent_text(double ratio);

// A bar for each of the last 24 hours, the newest on the right.
std::string hour_bars(const model::ServiceAvailability& availability);
// The same of the last 90 days; below it the days on which it was down.
std::string day_bars(const model::ServiceAvailability& availability);
// How long it was up over the last day, week, month and 90 days, today among them.
std::string uptime_tiles(const model::ServiceAvailability& availability);
// A bar for each step of the span.
std::string step_bars(const Measured& measured);
// A line for each probe, with its least, mean and greatest value in a table.
std::string duration_graphic(const Measured& measured);

}  // namespace web
