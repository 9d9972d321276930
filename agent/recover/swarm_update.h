// One change of a Swarm service, followed until its tasks run or the change is taken back. Loop thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/json_api.h"
#include "loop/handle.h"
#include "recover/action.h"

namespace recover {

enum class SwarmChange { update, scale, rollback };

struct SwarmSettings {
  SwarmChange change = SwarmChange::update;
  std::string service;
  std::uint64_t replicas = 0;  // of scale
  std::string socket = http::kDockerSocket;
};

// What GET /services/NAME says.
struct SwarmService {
  std::string id;
  std::uint64_t version = 0;
  std::string spec;                        // the whole of it, as JSON
  std::optional<std::uint64_t> replicas;   // none: a task on each node
  bool has_previous = false;               // a version that it can go back to
  std::string update_state, update_began;  // "" where none was ever made
  std::string update_message;
};

// Nothing if it is no such answer.
std::optional<SwarmService> read_service(std::string_view body);
// The spec with the change in it; "" if it cannot have it (replicas of a service with a task on each node).
std::string changed_spec(const SwarmService& service, const SwarmSettings& settings);
// Of GET /tasks with those that should run: whether all of them run, and as many as there should be.
bool all_run(std::string_view tasks, std::optional<std::uint64_t> wanted);

// Reads the service, sends the changed spec with the version that was read (again if another client was faster), and
// looks until Swarm calls the update complete and all tasks run. An update that Swarm pauses, or that is not proven
// when three quarters of the time are over, is rolled back; the rest of the time is for that. `done` once, in a later
// turn, at the latest soon after the deadline; dropping the Handle stops looking, and changes nothing.
// A forced update waits, for at most half of the time, while an update of others is under way.
loop::Handle change_swarm(const Context& context, const http::JsonApi& engine, const SwarmSettings& settings,
                          const Trigger& trigger, std::string what, base::Instant deadline,
                          std::function<void(ActionResult)> done);

}  // namespace recover
