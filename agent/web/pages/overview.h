// Which services the status page shows in full, and which in a line: its size follows what it shows, not how many
// services there are. All of them are in the answers of the API. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "web/server/http.h"
#include "web/snapshot.h"

namespace web {

// What a client wants to see, as the address of the page has it.
struct View {
  std::string search;             // words; a service that has all of them in its name, labels, unit, targets or state
  std::optional<std::string> by;  // label to group by, "": none; nothing: one that all services have
  bool all = false;               // every service, however many there are

  // "?q=…&by=…", "" for the usual view.
  std::string query() const;
};
View view_of(const Request& request);

struct OverviewGroup {
  std::string name;  // "tier=trading"; "": there are no groups
  std::vector<const ServicePage*> shown;
  std::size_t services = 0, up = 0;
};
struct Overview {
  static constexpr std::size_t kCards = 8, kLines = 120, kLeastLines = 6, kGroups = 20;

  std::vector<const ServicePage*> cards;  // those that are down first, then those that need a look; few services: all
  std::vector<OverviewGroup> groups;      // the others
  std::vector<std::string> labels;        // that the services can be grouped by
  std::string by;                         // the one that they are
};
Overview overview(const Snapshot& snapshot, const View& view);

}  // namespace web
