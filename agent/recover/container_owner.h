// Who else starts and stops a container. A container that an orchestrator owns is not for us to restart: the owner has
// seen it end and starts another one, and both run. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace recover {

// `inspected`: the engine's answer to GET /containers/NAME/json. "" if it has no owner; else who that is, and what to
// configure in place of acting on the container. Nothing if it is no such answer: then the owner is not known.
std::optional<std::string> container_owner(std::string_view inspected);

}  // namespace recover
