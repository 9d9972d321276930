// What is new of an incident for one receiver. Pure: by what it is, what the receiver knows, and what it wants to hear.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/incident.h"

namespace notify {

// unhealed: of a fault that people have to mend, once there is no hope left, and its end. healed: a note of each that
// was over before anybody was told. all: alerts as they come, at once, and nothing of incidents.
enum class Tell { unhealed, healed, all };
std::string_view to_string(Tell tell);

// What a receiver knows of an incident. Durable.
struct Heard {
  std::string page;                                 // id of the message that told it; "": none
  bool over = false;                                // it was told the end, or has a note
  std::size_t runs = 0, demands = 0, relapses = 0;  // that the messages until now have told
  bool operator==(const Heard&) const = default;
};

enum class News { nothing, page, update, resolved, note };
std::string_view to_string(News news);

enum class Resolved { unwanted, wanted };

News news_of(const model::Incident& incident, const Heard& heard, Tell tell, Resolved resolved);
// What the receiver knows once it has taken that in a message with this id.
Heard after(News news, const model::Incident& incident, Heard heard, const std::string& message);

std::string to_json(const Heard& heard);
base::Result<Heard> parse_heard(const std::string& json);

// For a person, who was asleep: what is wrong and where, what was tried, how it stands. Lines.
std::string incident_text(const model::Incident& incident);

}  // namespace notify
