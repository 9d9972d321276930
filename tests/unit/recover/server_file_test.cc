#include "recover/traffic/server_file.h"

#include <doctest/doctest.h>

namespace traffic = recover::traffic;

TEST_CASE("a file of server lines is read and written back") {
  const std::string text =
      "# Owned by fettle: it adds and removes `down`. Only `server` lines may stand here.\n"
      "server 10.0.0.11:8080 weight=3 max_fails=1 fail_timeout=10s;\n"
      "server [::1]:8081 weight=1 down; # drained by fettle for order\n"
      "server unix:/run/order.sock weight=1 backup down;\n";
  const auto servers = traffic::parse_servers(text, "order.conf");
  REQUIRE(servers.has_value());
  REQUIRE(servers->size() == 3);
  CHECK((*servers)[0].weight == 3);
  CHECK((*servers)[1].hold == traffic::Hold::drained);
  CHECK((*servers)[1].holder == "order");
  CHECK((*servers)[2].hold == traffic::Hold::others);
  CHECK(traffic::live_count(*servers) == 1);
  CHECK(traffic::to_text(*servers) == text);
}

TEST_CASE("a file that says anything else is refused with its line, and so cannot be overwritten") {
  struct Row {
    const char* line;
    const char* what;
  };
  const Row rows[] = {
      {"} error_log /tmp/x;", "'}' is not `server`"},
      {"server 10.0.0.1:80; error_log /tmp/x;", "not one statement that ends in ;"},
      {"server 10.0.0.1:80", "not one statement that ends in ;"},
      {"server 10.0.0.1:80 weight=0;", "a weight of 0 is refused by nginx; down takes a server out"},
      {"server 10.0.0.1:80 slow_start=5s;", "'slow_start=5s' is no parameter that fettle knows"},
      {"server 10.0.0.1:80 max_fails=many;", "'max_fails=many' is no parameter that fettle knows"},
      {"server 10.0.0.1:80 route={a};", "'route={a}' is no parameter that fettle knows"},
      {"server 10.0.0.1;", "'10.0.0.1' is no address"},
      {"server ;", "'' is no address"},
      {"server $host:80;", "'$host:80' is no address"},
      {"least_conn;", "'least_conn' is not `server`"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    const auto servers = traffic::parse_servers(std::string("# ours\n") + row.line + "\n", "order.conf");
    REQUIRE_FALSE(servers.has_value());
    CHECK(servers.error().text ==
          std::string("order.conf:2: ") + row.what +
              "; only lines such as `server 10.0.0.11:8080 weight=2;` may stand in a file that fettle owns, so it was "
              "left as it is");
  }
}

TEST_CASE("an address has no character that means something to nginx") {
  for (const char* good : {"10.0.0.11:8080", "order-1.example:80", "[2001:db8::1]:80", "unix:/run/a_b/order.sock"}) {
    CAPTURE(good);
    CHECK(traffic::is_address(good));
  }
  for (const char* bad : {"", "10.0.0.11", ":80", "host:", "host:8o", "[::1]", "unix:order.sock", "unix:/a;b", "a b:80",
                          "a;b:80", "{a}:80", "a\n:80", "[::1;]:80"}) {
    CAPTURE(bad);
    CHECK_FALSE(traffic::is_address(bad));
  }
}
