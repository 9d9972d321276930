// The page behind a service's name: why it is in its state, every guard of its plan with its value, what would happen
// next. A view of now, like everything that pages show; a part of the
// service's own page.
#pragma once

#include <string>

#include "web/snapshot.h"

namespace web {

std::string explain_page(const ServicePage& service, const Snapshot& snapshot);

}  // namespace web
