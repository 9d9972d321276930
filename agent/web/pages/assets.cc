#include "web/pages/assets.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"

namespace web {
namespace {

Asset make(std::string_view name, std::string_view type, std::string_view text) {
  return {name, type, text, fmt::format("{:016x}", base::fnv1a(text))};
}

}  // namespace

const std::vector<Asset>& assets() {
  static const std::vector<Asset> all{make("style.css", "text/css; charset=utf-8", kStyleSheet),
                                      make("app.js", "text/javascript; charset=utf-8", kScript),
                                      make("stream.js", "text/javascript; charset=utf-8", kStreamWorker),
                                      make("icon.svg", "image/svg+xml", kIcon)};
  return all;
}

const Asset* find_asset(std::string_view name) {
  const auto found = std::find_if(assets().begin(), assets().end(), [&](const Asset& a) { return a.name == name; });
  return found == assets().end() ? nullptr : &*found;
}

}  // namespace web
