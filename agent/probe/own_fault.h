// Whose fault a failure is. What the agent lacks (descriptors, memory, tasks) and what it may not look at (a file of
// another user, a part of the node that its sandbox hides) say nothing about a service: such a run has the reason
// agent_overloaded, changes no health and starts no recovery. Every type asks here, and Attempt asks once more for
// what no type can know.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "model/outcome.h"
#include "os/own_view.h"

namespace probe {

inline model::Reason blamed(const base::Error& error, model::Reason otherwise) {
  const bool own = error.kind == base::Kind::limit || error.kind == base::Kind::permission;
  return own ? model::Reason::agent_overloaded : otherwise;
}

inline model::Outcome failure_of(const base::Error& error, model::Reason otherwise, const std::string& before = "") {
  return model::Outcome::failure(blamed(error, otherwise), before + error.text);
}

// The same for an error about a path: what is missing may only be out of sight.
inline model::Outcome failure_at(const std::string& path, const base::Error& error, model::Reason otherwise,
                                 const std::string& before = "") {
  const std::string hidden = os::hidden_by_sandbox(path);
  if (hidden.empty()) return failure_of(error, otherwise, before);
  return model::Outcome::failure(model::Reason::agent_overloaded, before + error.text + "; " + hidden);
}

}  // namespace probe
