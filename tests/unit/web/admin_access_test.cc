#include "web/server/admin_access.h"

#include <doctest/doctest.h>

#include <cerrno>

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

TEST_CASE("a group that cannot be looked up has no members, and gives no rights") {
  const auto failing = [](const char*, group*, char*, std::size_t, group** found) {
    *found = nullptr;
    return EMFILE;
  };
  const auto large = [](const char*, group* entry, char*, std::size_t size, group** found) {
    *found = nullptr;
    if (size < 1'000'000) return ERANGE;
    entry->gr_gid = 981;
    *found = entry;
    return 0;
  };
  const auto absent = [](const char*, group*, char*, std::size_t, group** found) {
    *found = nullptr;
    return 0;
  };
  CHECK(web::admin_groups(large).changers == 981);
  CHECK_FALSE(web::admin_groups(absent).changers.has_value());
  web::AdminGroups groups = web::admin_groups(failing);
  CHECK(groups.changers == web::kNoGroup);
  groups.agent = 990;
  groups.readers = 980;
  CHECK(web::admin_right({1002, 1002, 1, {980}}, groups) == AdminRight::read);
  CHECK(web::admin_right({990, 980, 1, {}}, groups) == AdminRight::change);
}
