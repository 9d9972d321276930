#include "base/host_port.h"

#include <doctest/doctest.h>

TEST_CASE("an IPv6 address gets brackets in front of a port") {
  CHECK(base::host_and_port("shop.example", 80) == "shop.example:80");
  CHECK(base::host_and_port("::1", 80) == "[::1]:80");
  CHECK(base::host_and_port("[::1]", 80) == "[::1]:80");
  CHECK(base::host_and_port("fe80::1%eth0", 80) == "[fe80::1%eth0]:80");
}

TEST_CASE("a zone is written its own way in a URL, and belongs to no other node") {
  struct Row {
    const char* text;
    const char* host;
    const char* bare;
  };
  for (const Row& row : {
           Row{"fe80::1%25eth0", "fe80::1%eth0", "fe80::1"},
           Row{"fe80::1%eth0", "fe80::1%eth0", "fe80::1"},
           Row{"[fe80::1%25br-lan.7]", "[fe80::1%br-lan.7]", "[fe80::1]"},
           Row{"[fe80::1%25eth0]:8081", "[fe80::1%eth0]:8081", "[fe80::1]:8081"},
           Row{"fe80::1%25", "fe80::1%25", "fe80::1"},  // an interface that is called 25
           Row{"[fe80::1%25]:80", "[fe80::1%25]:80", "[fe80::1]:80"},
           Row{"[::1]:80", "[::1]:80", "[::1]:80"},
           Row{"shop.example:80", "shop.example:80", "shop.example:80"},
           Row{"a%25b", "a%25b", "a%25b"},
       }) {
    CAPTURE(row.text);
    CHECK(base::host_of_url(row.text) == row.host);
    CHECK(base::without_zone(row.text) == row.bare);
  }
}
