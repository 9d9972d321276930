// What every page has around its content: the head, the glyphs of the states, the header and the links to the same as
// JSON. Below the status page the script asks for the page again every few seconds; without a script the browser does.
#pragma once

#include <string>
#include <string_view>

#include "web/snapshot.h"

namespace web {

// Drawn once on a page, used by every state_badge. Each shape differs from the others without its colour.
std::string_view state_glyphs();

struct Frame {
  std::string title;       // plain text
  std::string_view root;   // from the page to the status page: "./" or "../"
  bool refreshes = false;  // its content is that of now
};
std::string page_start(const Frame& frame, const Snapshot& snapshot);
// `links`: HTML, beside the one to all services.
std::string page_end(const Frame& frame, std::string_view links);

// "as of 06:50:45 UTC", until the script says "Live".
std::string as_of(base::WallTime at);

}  // namespace web
