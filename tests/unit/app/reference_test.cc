// The page of all keys that `fettle check config --print-reference` prints.
#include <doctest/doctest.h>

#include "app/reference.h"

TEST_CASE("the reference has the keys of recovery, as of everything else") {
  const std::string page = app::reference_page();
  const std::size_t begin = page.find("services.NAME recovery\n======================\n");
  REQUIRE(begin != std::string::npos);
  const std::string plan = page.substr(begin, page.find("\n\naction ", begin) - begin);
  for (const char* key : {"\nwhen:  (required)", "\nmode:  (default: dry_run)",
                          "\nguards:", "\n  clean_stop:", "\n  min_uptime:", "\nbudget:", "\n  backoff:",
                          "\n    reset_after:", "\nmaintenance:", "\n  pause_file:", "\nsteps:", "\n  do:  (required)",
                          "\n  verify:", "\n    success_threshold:", "\nfinally:"}) {
    CAPTURE(key);
    CHECK(plan.find(key) != std::string::npos);
  }
}
