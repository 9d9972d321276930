// The page behind a service's name: why it is in its state, every guard of its plan with its value, what would happen
// next. It loads itself again; no script. A view of now, like everything that pages show.
#pragma once

#include <string>

#include "web/snapshot.h"

namespace web {

std::string explain_page(const ServicePage& service, const Snapshot& snapshot);

}  // namespace web
