#include "web/pages/frame.h"

#include <fmt/format.h>

#include "web/pages/assets.h"
#include "web/pages/html.h"

namespace web {

std::string_view state_glyphs() {
  return R"(<svg width="0" height="0" class="vh" aria-hidden="true">)"
         R"(<symbol id="g-up" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M4.3 8.4l2.6 2.5 4.8-5.3"/></symbol>)"
         R"(<symbol id="g-down" viewBox="0 0 16 16"><path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path class="cut" d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6"/></symbol>)"
         R"(<symbol id="g-warn" viewBox="0 0 16 16"><path d="M8 .6L16 15H0z"/><path class="cut" d="M8 5.4v4.4M8 12v.9"/></symbol>)"
         R"(<symbol id="g-unknown" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M5.6 6.2c0-3.2 4.9-3 4.9-.2 0 1.9-2.4 1.7-2.4 3.6M8.1 11.6v.9"/></symbol>)"
         R"(<symbol id="g-busy" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M8 3.6V8l3 2.2"/></symbol>)"
         R"(<symbol id="g-calm" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path class="cut" d="M6 5v6M10 5v6"/></symbol></svg>)";
}

std::string as_of(base::WallTime at) {
  if (at == base::WallTime{}) return "no snapshot yet";
  return fmt::format("as of {} UTC", base::format_iso8601(std::chrono::floor<std::chrono::seconds>(at)).substr(11, 8));
}

std::string page_start(const Frame& frame, const Snapshot& snapshot) {
  const std::string node = escape(snapshot.node.empty() ? "fettle" : snapshot.node);
  std::string head = fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{0} · {1} · fettle</title>
<link rel="icon" href="{2}assets/icon.svg?{3}"><link rel="stylesheet" href="{2}assets/style.css?{4}">)",
      escape(frame.title), node, frame.root, find_asset("icon.svg")->tag, find_asset("style.css")->tag);
  if (frame.refreshes)
    head += fmt::format(
        "\n<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"
        "<script src=\"{}assets/app.js?{}\" defer></script>",
        frame.root, find_asset("app.js")->tag);
  return head + fmt::format(
                    R"(</head>
<body data-at="{}" data-root="{}">
{}
<header class="top"><h1><a class="home" href="{}"><svg viewBox="0 0 24 24" aria-hidden="true">)"
                    R"(<path d="M2 13h5l2.2-6.5 4 12L16.4 11l1.3 2H22"/></svg><span>{}</span></a></h1>)"
                    R"(<p id="live" class="live" role="status">{}</p></header>
<main>
)",
                    base::format_iso8601(snapshot.at), frame.root, state_glyphs(), frame.root, node,
                    as_of(snapshot.at));
}

std::string page_end(const Frame& frame, std::string_view links) {
  return fmt::format(R"(</main>
<footer class="bottom"><nav aria-label="More"><a href="{0}">all services</a> <a href="{0}incidents">incidents</a> <a href="{0}graph">query</a> {1}</nav></footer>
</body></html>
)",
                     frame.root, links);
}

}  // namespace web
