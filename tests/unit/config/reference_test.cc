#include "config/reference.h"

#include <doctest/doctest.h>

TEST_CASE("the reference wraps sentences and leaves an example as it can be copied") {
  const std::string long_word(60, 'a');
  const config::ReferenceSection section{
      "probe type tcp", long_word + " " + long_word, {{"host", "Where.", "", true}}, "name: port\ntype: tcp\n"};
  CHECK(config::print_reference({section}) ==
        "probe type tcp\n==============\n" + long_word + "\n" + long_word +
            "\n\nExample:\nname: port\ntype: tcp\n\nhost:  (required)\n    Where.\n");
}
