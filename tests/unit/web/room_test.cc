#include "web/server/room.h"

#include <doctest/doctest.h>

TEST_CASE("whom an address counts for") {
  CHECK(web::Room::owner_of("10.0.0.7") == "10.0.0.7");
  CHECK(web::Room::owner_of("127.0.0.1") == "");
  CHECK(web::Room::owner_of("127.9.9.9") == "");
  CHECK(web::Room::owner_of("::1") == "");
  CHECK(web::Room::owner_of("") == "");  // a unix socket
  CHECK(web::Room::owner_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64");
  CHECK(web::Room::owner_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64");
}

TEST_CASE("a quarter for an address, the rest for others, and what is left can be taken again") {
  web::Room room(8);
  for (int i = 0; i < 2; ++i) {
    CHECK_FALSE(room.full_for("10.0.0.7"));
    room.enter("10.0.0.7");
  }
  CHECK(room.full_for("10.0.0.7"));
  CHECK_FALSE(room.full_for("10.0.0.8"));
  for (int i = 0; i < 6; ++i) {
    CHECK_FALSE(room.full());
    CHECK_FALSE(room.full_for(""));
    room.enter("");
  }
  CHECK(room.full());
  room.leave("10.0.0.7");
  CHECK_FALSE(room.full());
  CHECK_FALSE(room.full_for("10.0.0.7"));
  CHECK(room.open() == 7);
}
