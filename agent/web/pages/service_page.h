// The page of one service: its state and why, how long it was up, how long its probes took, its incidents, what
// recovery would do, and its configuration. Also the badge that other pages show. Pure.
#pragma once

#include <string>

#include "web/pages/measured.h"
#include "web/snapshot.h"

namespace web {

std::string service_page(const ServicePage& service, const Measured& measured, const Snapshot& snapshot);

// Why the service is as it is, its guards and its steps, a section each; also on the page below /explain/.
std::string explain_sections(const ServicePage& service, const Snapshot& snapshot);

// SVG, without a script: the name, and up, down, unknown or maintenance.
std::string service_badge(const ServicePage& service);

// The lines of the service in the configuration that runs; "" if it is not written there itself.
std::string config_of(const std::string& service, const std::string& redacted_text);

}  // namespace web
