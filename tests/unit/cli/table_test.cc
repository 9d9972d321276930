#include "cli/table.h"

#include <doctest/doctest.h>

TEST_CASE("columns are as wide as their widest cell, counted in characters") {
  cli::Table table({"SERVICE", "STATE"});
  table.add({"bücher", {"down", cli::Tone::bad}});
  table.add({"a-long-service", "up"});
  CHECK(table.render(cli::Colour::never) ==
        "SERVICE         STATE\n"
        "bücher          down\n"
        "a-long-service  up\n");
  CHECK(table.render(cli::Colour::always).find("\033[31;1mdown\033[0m") != std::string::npos);
}
