// A state in a folder of the test's own, and a change that is waited for.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/waiting_loop.h"
#include "state/state.h"

// `notice` takes what opening it has said; without it, nothing may be said.
inline std::unique_ptr<state::State> open_state(const std::string& folder, loop::Scheduler& loop,
                                                std::string* notice = nullptr) {
  std::string said;
  auto opened = state::open(folder, loop, said);
  REQUIRE_MESSAGE(opened.has_value(), opened.error().text);
  if (notice) *notice = said;
  else CHECK(said == "");
  return std::move(*opened);
}

// Waits until the call is settled; true if it is durable.
inline bool commit(state::State& state, fakes::WaitingLoop& loop, std::vector<state::Change> changes) {
  std::string result;
  state.commit(std::move(changes), [&](base::Result<> r) { result = r ? "durable" : r.error().text; });
  while (result.empty()) REQUIRE(loop.run_one());
  return result == "durable";
}
