// Style sheet, scripts and icon of the pages, compiled in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace web {

struct Asset {
  std::string_view name;
  std::string_view content_type;
  std::string_view text;
  std::string tag;  // changes with the text: in the address and as ETag
};

const std::vector<Asset>& assets();
const Asset* find_asset(std::string_view name);  // null if there is none

// In assets/*.cc.
extern const std::string_view kStyleSheet;
extern const std::string_view kScript;
extern const std::string_view kStreamWorker;
extern const std::string_view kIcon;

}  // namespace web
