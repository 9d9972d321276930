#include "config/reference.h"

#include <doctest/doctest.h>

TEST_CASE("the reference wraps sentences and leaves an example as it can be copied") {
  config::ReferenceSection section{.title = "probe type tcp",
                                   .intro = std::string(60, 'a') + " " + std::string(60, 'b')};
  section.example = "name: port\ntype: tcp\n";
  section.keys.push_back({"host", "Where.", "", true});
  CHECK(config::print_reference({section}) ==
        "probe type tcp\n==============\n" + std::string(60, 'a') + "\n" + std::string(60, 'b') +
            "\n\nExample:\nname: port\ntype: tcp\n\nhost:  (required)\n    Where.\n");
}
