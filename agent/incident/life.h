// What happens to an incident, as functions of it and of what happened. Pure, bounded. True: the incident is another
// than before.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "model/alert.h"
#include "model/incident.h"

namespace incident {

void add_note(model::Incident& incident, base::WallTime at, std::string text);
// Of the service itself, or of a dependent.
bool note_health(model::Incident& incident, const std::string& service, bool down, const std::string& text,
                 base::WallTime at);
// Down again, of one that people were told of and that an alert keeps open: news for them, if it was up for `settle`.
void note_relapse(model::Incident& incident, base::Millis settle, base::WallTime at);
// It fires, or has resolved. One that resolved and never fired here is none of it.
bool note_alert(model::Incident& incident, const model::Alert& alert);
bool note_run(model::Incident& incident, const model::RecoveryReport& report);
// What a plan wants of a person.
void note_demand(model::Incident& incident, base::WallTime at, const std::string& text);
// "recovery 5f… ended as failed"
std::string outcome(const model::RecoveryReport& run);
// A recovery that ended without having mended it. One that was stopped before it did anything says nothing: there was
// nothing to mend any more, or a guard says who stopped it.
bool is_in_vain(const model::RecoveryReport& run);
void note_message(model::Incident& incident, model::IncidentMessage message);
bool note_fate(model::Incident& incident, std::string_view message, std::string_view fate, base::WallTime at);
// A service that depends on this one has a fault that is this one's.
bool add_dependent(model::Incident& incident, const std::string& service, base::WallTime at);
// Takes over what a dependent's own incident knows.
void absorb(model::Incident& incident, model::Incident dependent, base::WallTime at);
// The alerts of a dependent that still fire go to an incident of its own.
std::vector<model::Alert> release(model::Incident& incident, const std::string& dependent);

// The wall clock was set by so much: deadlines and beginnings move with it.
void shift(model::Incident& incident, base::Millis step);

// The service is up, no alert of its own fires, no recovery is under way. Dependents do not count: one that goes on
// when this is over has a fault of its own.
bool is_calm(const model::Incident& incident);
// How an incident ended that is over now: by what mended it last.
model::IncidentEnd end_of(const model::Incident& incident);

}  // namespace incident
