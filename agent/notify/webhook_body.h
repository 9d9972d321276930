// The body of an Alertmanager webhook (version 4), field for field, and beside it our own fields `node` and
// `recoveries`: what a webhook is sent and a program reads.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "notify/notifier.h"

namespace notify {

// `truncated`: how many alerts of the group are left out.
std::string webhook_body(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                         const Envelope& envelope, std::size_t truncated = 0);

}  // namespace notify
