// Asks Docker's engine whether people have stopped a container. It does not keep who asked for a stop; but a container
// that is to be restarted always and is not, that ended cleanly, that ended by SIGTERM, or of which the engine's events
// tell a stop, was stopped. What it will not tell is not known. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/time.h"
#include "http/json_api.h"
#include "loop/handle.h"
#include "recover/action.h"

namespace recover {

// `engine` and `container` outlive the Handle; the rest is that of Action::ask_stopped().
loop::Handle ask_container_stopped(const Context& context, const http::JsonApi& engine, const std::string& container,
                                   std::optional<base::WallTime> acted, base::Instant deadline,
                                   std::function<void(std::string)> done);

}  // namespace recover
