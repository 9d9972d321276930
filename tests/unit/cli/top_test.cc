#include "cli/top.h"

#include <doctest/doctest.h>

#include <string>

#include "base/text.h"

namespace {

cli::TopView shop() {
  const auto service = [](const char* name, const char* health, const char* text) {
    return nlohmann::ordered_json{{"name", name}, {"health", health},       {"since", "2026-11-24T03:00:30Z"},
                                  {"text", text}, {"maintenance", nullptr}, {"recovery", {{"mode", ""}}}};
  };
  cli::TopView view;
  view.services["services"] = {service("cache", "up", ""), service("order", "down", "refused \x1b[2J"),
                               service("new", "unknown", "")};
  view.alerts["alerts"] = {{{"labels", {{"alertname", "ServiceDown"}, {"service", "order"}}},
                            {"annotations", {{"summary", "order is down"}}},
                            {"state", "firing"},
                            {"activeAt", "2026-11-24T03:00:31Z"}}};
  return view;
}

}  // namespace

TEST_CASE("the worst service is the first, alerts are below, and nothing foreign steers the terminal") {
  std::size_t first = 0;
  const std::string text = cli::top_screen(shop(), {120, 24}, first, base::Colour::never);
  CHECK(text.starts_with("fettle: 1 of 3 services down, 1 alert fires   q ends, arrows move\x1b[K\r\nSERVICE"));
  CHECK(text.find("order") < text.find("new "));
  CHECK(text.find("new ") < text.find("cache"));
  CHECK(text.find("cache") < text.find("ServiceDown  firing"));
  CHECK(text.find("\x1b[2J") == std::string::npos);
}

TEST_CASE("a node that is paused says so in the first line") {
  std::size_t first = 0;
  cli::TopView view = shop();
  view.services["paused"] = "/run/fettle/pause exists: remove it to go on";
  CHECK(cli::top_screen(view, {120, 24}, first, base::Colour::never)
            .starts_with("fettle: 1 of 3 services down, 1 alert fires, recovery is paused   q ends"));
}

TEST_CASE("no line is wider than the terminal, no more lines than it has, and the view stops at the last one") {
  std::size_t first = 99;
  const std::string text = cli::top_screen(shop(), {20, 4}, first, base::Colour::always);
  CHECK(first == 4);  // 7 lines below the first
  std::size_t lines = 1, width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') i = text.find_first_of("mK", i);
    else if (text[i] == '\n') ++lines, width = 0;
    else if (text[i] != '\r') CHECK(++width <= 20);
  }
  CHECK(lines == 4);
  CHECK(text.find("ServiceDown") != std::string::npos);
}

TEST_CASE("a character is shown whole or not at all") {
  cli::TopView view;
  view.trouble = "für „order“";
  for (std::size_t columns = 40; columns < 70; ++columns) {
    std::size_t first = 0;
    const std::string text = cli::top_screen(view, {columns, 2}, first, base::Colour::never);
    CHECK(base::valid_utf8_prefix(text) == text.size());
  }
}

TEST_CASE("without an answer it says so, and shows what was said before") {
  std::size_t first = 0;
  cli::TopView view;
  view.trouble = "no answer from /run/fettle/admin.sock";
  CHECK(cli::top_screen(view, {80, 24}, first, base::Colour::never) ==
        "fettle: 0 of 0 services down, 0 alerts fire   no answer from /run/fettle/admin.s\x1b[K");
  view = shop();
  view.trouble = "no answer";
  CHECK(cli::top_screen(view, {80, 24}, first, base::Colour::never).find("order") != std::string::npos);
}
