#include "web/server/admin_access.h"

#include <doctest/doctest.h>

using web::AdminRight;

TEST_CASE("the kernel's word about a peer says what it may do over the admin socket") {
  const web::AdminGroups packaged{.agent = 990, .readers = 980, .changers = 981};
  const web::AdminGroups bare{.agent = 990, .readers = 980, .changers = {}};
  struct Row {
    const char* name;
    net::Peer peer;
    AdminRight packaged, bare;
  };
  for (const Row& row : {
           Row{"root", {0, 0, 1, {}}, AdminRight::change, AdminRight::change},
           Row{"the agent's own user, as its reload", {990, 980, 1, {}}, AdminRight::change, AdminRight::change},
           Row{"of fettle-admin", {1001, 1001, 1, {27, 981}}, AdminRight::change, AdminRight::none},
           Row{"of fettle-admin by its first group", {1001, 981, 1, {}}, AdminRight::change, AdminRight::none},
           Row{"of both", {1001, 1001, 1, {980, 981}}, AdminRight::change, AdminRight::change},
           Row{"of fettle, as a service that sends heartbeats",
               {1002, 1002, 1, {980}},
               AdminRight::read,
               AdminRight::change},
           Row{"of neither", {1003, 1003, 1, {27, 100}}, AdminRight::none, AdminRight::none},
       }) {
    CAPTURE(row.name);
    CHECK(web::admin_right(row.peer, packaged) == row.packaged);
    CHECK(web::admin_right(row.peer, bare) == row.bare);
  }
}

TEST_CASE("a user without a name is a number in the log") {
  CHECK(web::user_name(0) == "root");
  CHECK(web::user_name(4'000'000'000u) == "4000000000");
}
