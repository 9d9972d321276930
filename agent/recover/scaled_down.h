// Asks an orchestrator whether people have scaled what a plan works on down to nothing, which is how a service is
// stopped there. What it will not tell is not known. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "encoding/json_value.h"
#include "http/json_api.h"
#include "loop/handle.h"
#include "recover/action.h"

namespace recover {

// `path` is asked for, and `none` reads the answer. `done` gets `text`, or "" if it is not so or not known; the rest is
// that of Action::ask_stopped(). `context` and `api` outlive the Handle.
loop::Handle ask_scaled_down(const Context& context, const http::JsonApi& api, const std::string& path,
                             std::function<bool(const encoding::json&)> none, std::string text, base::Instant deadline,
                             std::function<void(std::string)> done);

}  // namespace recover
