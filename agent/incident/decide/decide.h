// Whether people hear of a fault now, or only if it is not mended. Pure: the same incident, plan and time always give
// the same answer, which is what `explain` shows.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "model/incident.h"

namespace incident {

// The fault of a service that is one of its whole group: one agent tells people of it, for all members.
struct GroupPanic {
  std::string text;     // "5 of 6 members of order are down, …"
  std::string told_by;  // "order on node3"; "": not known yet
  bool tells = false;   // the incident of this service is the one that people hear of
};

// What the recovery plan of a service may still do about its fault.
struct Answer {
  std::optional<model::RecoveryMode> mode;  // nothing: the service has no plan
  std::string run;                          // id of the recovery under way; ""
  bool wanted = false;                      // its alert fires, or it goes by the service being down and the service is
  bool needs_person = false;                // a guard is closed that only a person opens
  std::string closed;                       // that guard, or the first one that is closed: "cooldown: …"; "": none
  std::optional<base::WallTime> opens;      // that guard, by time alone
  base::Millis hold_for{120'000};
  std::optional<GroupPanic> group;  // its group is beyond its panic threshold
  std::string suspect;  // what it depends on and has failed its last probe, and is not down yet; "": nothing
};

// So long a dependency has to be found down, if it is: then this is its fault, and nobody is told of this one.
inline constexpr base::Millis kSuspicion{10'000};

enum class Act {
  hold,   // people's receivers wait until `until` at the latest
  page,   // they are told, from now on
  refer,  // people hear of it elsewhere, and what they waited for here counts no more
  quiet,  // there is nothing to say now: no alert of it has fired, or nothing of it is wrong any more
};

struct Decision {
  Act act = Act::page;
  std::string why;                      // for a person: what is waited for, or why nothing is
  std::optional<base::WallTime> until;  // of hold
};

// Who has been told is told: an incident with `told` pages whatever follows. A deadline that was set once never moves
// away, whatever a reload makes of hold_for. What a dry run says counts for nothing.
Decision decide(const model::Incident& incident, const Answer& answer, base::WallTime now);

}  // namespace incident
