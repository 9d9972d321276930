// What a hot standby is in a few words, and what of it needs a person: the words that the page, `fettle dr` and the API
// share. Pure.
#pragma once

#include <string>
#include <vector>

#include "web/snapshot.h"

namespace web {

// Of the service; null: it has none.
const StandbyPage* standby_of(const Snapshot& snapshot, const std::string& service);
// The condition that keeps the server here from what it would do; null: none does. That another one is the primary is
// no reason to act.
const StandbyPage::Gate* refusal_of(const StandbyPage& standby);
// "no_primary", "no_standby", "must_rejoin", "refused: candidate_lag"; empty: nothing.
std::vector<std::string> standby_findings(const StandbyPage& standby);
// "a, 2 replicas"
std::string standby_summary(const StandbyPage& standby);

}  // namespace web
