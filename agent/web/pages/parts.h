// The parts of the status page, each the HTML of one fragment or of a piece that several use.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "web/pages/overview.h"
#include "web/snapshot.h"

namespace web {

// In words.cc: a state is always glyph, word and colour together.
std::string state_badge(std::string_view kind, std::string_view word);  // kind: up down unknown warn busy calm
std::string_view kind_of(model::Health health);
std::string_view word_of(model::Health health);
// <time> with the exact time, that reads "3 min ago"; the script on the page keeps it true.
std::string ago(base::WallTime t, const Snapshot& snapshot);
std::string for_time(base::WallTime since, const Snapshot& snapshot);  // "for 3 min"
std::string precise_duration(double seconds);                          // "0.4 ms", "12 ms", "1.25 s"
std::string date_and_clock(std::int64_t ms);                           // of UTC: "2026-11-23 06:30:00"
// To the page of a service; `root` leads from the page to the status page, as in Frame.
std::string service_href(std::string_view name, std::string_view root);
std::string service_link(std::string_view name, std::string_view root);
std::string label_chips(const model::Labels& labels, const std::vector<std::string_view>& without = {});
// A link for each annotation that is an http or https URL and no more, under its name without "_url"; "" without any.
std::string annotation_links(const model::Labels& annotations);

// In graphics.cc.
std::string history_graphic(const std::vector<bool>& history);
std::string phases_graphic(const std::vector<std::pair<std::string, double>>& phases);

// In services.cc.
std::string summary_part(const Snapshot& snapshot);
std::string service_part(const ServicePage& service, const Snapshot& snapshot, std::string_view root = "");
std::string page_title(const Snapshot& snapshot);

// In overview_parts.cc.
std::string group_part(const OverviewGroup& group, const View& view, const Snapshot& snapshot);
std::string search_part(const Overview& overview, const View& view);

// In incidents.cc.
std::string incident_badge(const model::Incident& incident);
std::string incident_item(const model::Incident& incident, const Snapshot& snapshot, std::string_view root);
std::string incidents_part(const Snapshot& snapshot);

// In drills.cc.
std::string drills_part(const Snapshot& snapshot);
std::string fault_drills_part(const Snapshot& snapshot);

// In standbys.cc.
std::string standbys_part(const Snapshot& snapshot);

// In trust.cc.
std::string trust_part(const ServicePage& service, const Snapshot& snapshot);

// In fleet.cc.
std::string fleet_part(const Snapshot& snapshot);

// In lists.cc.
std::string heading(std::string_view text, std::size_t count);
// A heading, the first `most` of `count` items, and a link to all where there are more.
struct NewestList {
  std::string_view title, without_items, link;
  std::size_t most = 0;
};
std::string newest_part(const NewestList& list, std::size_t count, const std::function<std::string(std::size_t)>& item);
std::string notices_part(const Snapshot& snapshot);
std::string alerts_part(const Snapshot& snapshot);
std::string recoveries_part(const Snapshot& snapshot);
std::string rules_part(const Snapshot& snapshot);
std::string config_part(const Snapshot& snapshot);

}  // namespace web
