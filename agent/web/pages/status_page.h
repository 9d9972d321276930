// The status page: complete HTML from one snapshot, readable without JavaScript, and the same in fragments, so that the
// script on the page can replace what changed. Pure functions of the snapshot; all times are relative to snapshot.at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "web/pages/overview.h"
#include "web/snapshot.h"

namespace web {

// The content of the element with this id.
struct Fragment {
  std::string id;
  std::string html;
  std::string_view list{};  // the element that it stands in with others, which come and go: "cards" or "groups"
  // Set where the content changes with each run, though its words do not: what people must hear of at once.
  std::string state{};
};

std::string status_page(const Snapshot& snapshot, const View& view = {});
// In the order of the page.
std::vector<Fragment> page_fragments(const Snapshot& snapshot, const View& view = {});

// Nothing from elsewhere, no inline script or style: what a service prints in its answer stays text.
std::string_view page_content_security_policy();

}  // namespace web
