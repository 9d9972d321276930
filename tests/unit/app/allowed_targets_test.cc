// Patterns, targets, and what a run of them may connect to.
#include "app/allowed_targets.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "net/hosts_file.h"

namespace {

struct Lists {
  app::AllowedTargets targets;
  explicit Lists(const std::vector<std::string>& patterns, const std::set<std::string>& own = {}) {
    targets.replace_patterns(patterns);
    targets.replace_own(own);
  }
  bool allows(const std::string& target, const std::string& hostname = "") const {
    return targets.boundary(target, hostname).has_value();
  }
  std::shared_ptr<const net::Boundary> run(const std::string& target) const {
    auto boundary = targets.boundary(target, "");
    REQUIRE_MESSAGE(boundary.has_value(), boundary.error().text);
    return *boundary;
  }
};

net::Address address(const std::string& text) {
  const auto found = net::parse_literal(text);
  REQUIRE_FALSE(found.empty());
  return found.front();
}

}  // namespace

TEST_CASE("a target is compared with a pattern by scheme, host, port and path") {
  struct Row {
    const char *pattern, *target;
    bool allowed;
  };
  const char* const shop = "https://*.shop.example*";
  const char* const plain_shop = "http://*.shop.example*";
  const char* const net = "10.0.0.*:*";
  for (const Row& row : std::initializer_list<Row>{
           // What the README's patterns mean.
           {shop, "https://www.shop.example", true},
           {shop, "https://www.shop.example/", true},
           {shop, "https://www.shop.example/healthz?full=1", true},
           {shop, "https://www.shop.example:8443/healthz", true},
           {shop, "https://a.b.shop.example/", true},
           {shop, "HTTPS://WWW.Shop.Example/", true},
           {shop, "https://www.shop.example./", true},
           {net, "10.0.0.7:80", true},
           {net, "10.0.0.255:65535", true},
           {net, "http://10.0.0.7:80/healthz", true},
           {net, "[::ffff:10.0.0.7]:80", true},
           // Another scheme, another host.
           {shop, "http://www.shop.example/", false},
           {shop, "www.shop.example:443", false},
           {shop, "https://shop.example/", false},
           {shop, "https://www.shop.example.evil.example/", false},
           {shop, "https://www.shop.examplevil/", false},
           {shop, "https://evil.example/.shop.example", false},
           {shop, "https://-.shop.example/", false},
           {shop, "https://a..shop.example/", false},
           {net, "10.0.1.7:80", false},
           {net, "10.0.0.7", false},
           {net, "10.0.0.7:0", false},
           {net, "10.0.0.7:65536", false},
           {net, "10.0.0.7:", false},
           {net, "10.0.0.7:80x", false},
           {net, "110.0.0.7:80", false},
           {net, "10.0.0.com:80", false},
           // A text that fits and leads elsewhere.
           {plain_shop, "http://127.0.0.1:9/?.shop.example", false},
           {plain_shop, "http://127.0.0.1:9/#.shop.example", false},
           {plain_shop, "http://127.0.0.1:9/a/.shop.example/x", false},
           {plain_shop, "http://a.shop.example@127.0.0.1:9/", false},
           {plain_shop, "http://a.shop.example:80@127.0.0.1:9/", false},
           {plain_shop, "http://2130706433:9/.shop.example", false},
           {plain_shop, "http://0177.0.0.1:9/.shop.example", false},
           {plain_shop, "http://0x7f.1:9/.shop.example", false},
           {plain_shop, "http://127.1:9/.shop.example", false},
           {plain_shop, "http://[::ffff:127.0.0.1]:9/.shop.example", false},
           {plain_shop, "http://[::1]:9/.shop.example", false},
           {plain_shop, "http://127.0.0.1\\.shop.example/", false},
           {plain_shop, "http://127.0.0.1%2f.shop.example/", false},
           {plain_shop, "http://127.0.0.1%23.shop.example/", false},
           {plain_shop, "http://%31%32%37.0.0.1/.shop.example", false},
           {plain_shop, "http://127.0.0.1:9?.shop.example", false},
           {plain_shop, "http://127.0.0.1#.shop.example", false},
           {plain_shop, "http://127.0.0.1;.shop.example/", false},
           {plain_shop, "http://a.shop.example /", false},
           {plain_shop, "http://a.shop.example\r\nHost: b/", false},
           {plain_shop, "http://a.sh\xc3\xb6p.example/", false},
           {plain_shop, "http://\xe2\x91\xa0.shop.example/", false},
           {plain_shop,
            "http://a.shop\xe3\x80\x82"
            "example/",
            false},
           {plain_shop, "//a.shop.example/", false},
           {plain_shop, "http:/a.shop.example/", false},
           {plain_shop, "http:a.shop.example", false},
           {plain_shop, "http:///a.shop.example/", false},
           {plain_shop, "file:///a.shop.example", false},
           {plain_shop, "gopher://a.shop.example/", false},
           {plain_shop, "a.shop.example://127.0.0.1/", false},
           {net, "10.0.0.1.any.name:80", false},
           {net, "10.0.0.1:x@127.0.0.1:80", false},
           {net, "10.0.0.1@127.0.0.1:80", false},
           {net, "10.0.0.1#:80@127.0.0.1:80", false},
           {net, "10.0.0.1/:80", false},
           {net, "", false},
           // Addresses, however they are written.
           {"127.0.0.1:9*", "2130706433:9", true},
           {"127.0.0.1:9*", "0177.1:9", true},
           {"127.0.0.1:9*", "[::ffff:7f00:1]:9", true},
           {"127.1:9", "127.0.0.1:9", true},
           {"127.0.0.1:9", "127.0.0.1:9/x", false},
           {"127.0.0.1:9", "127.0.0.1.:9", true},
           {"127.0.0.1:9", "localhost:9", false},
           {"localhost:9", "LOCALHOST:9", true},
           {"localhost:9", "127.0.0.1:9", false},
           {"[2001:db8::1]:*", "[2001:0DB8:0:0::1]:80", true},
           {"[2001:db8::1]:*", "[2001:db8::2]:80", false},
           {"[2001:db8::*]:443", "[2001:db8::7]:443", true},
           {"[2001:db8::*]:443", "[2001:db8:1::7]:443", false},
           {"[::1]:9", "[::1%25lo]:9", true},
           {"::1", "::1", true},
           {"[::]:9", "[::]:9", true},
           // Ports and paths that are not written.
           {"https://a.example", "https://a.example/", true},
           {"https://a.example", "https://a.example:443", true},
           {"https://a.example", "https://a.example:8443", false},
           {"https://a.example", "https://a.example/x", false},
           {"https://a.example/x/*", "https://a.example/x/y?z", true},
           {"https://a.example/x/*", "https://a.example/x/../y", false},
           {"https://a.example/x/*", "https://a.example/x/%2e%2e/y", false},
           {"https://a.example/x/*", "https://a.example/x/..;/y", false},
           {"https://a.example/x/*", "https://a.example/x/.;v=1/y", false},
           {"https://a.example/x/*", "https://a.example/x/..y;z", true},
           {"https://a.example:44?", "https://a.example/", true},
           {"http*://a.example*", "https://a.example/", true},
           {"10.0.0.*", "10.0.0.7", true},
           {"10.0.0.*", "http://10.0.0.7/", true},
           {"10.0.0.*", "10.0.0.7:80", false},
           {"node[12].example:80", "node2.example:80", true},
           {"node[12].example:80", "node3.example:80", false},
           {"node?.example:80", "node1.example:80", true},
           {"node*.example:80", "node.evil.example:80", false},
           {"http://*", "http://anything.example:8080/x", true},
           {"http://*", "https://anything.example/", false},
           {"*:443", "anything.example:443", true},
           {"*:443", "anything.example:80", false},
           // Sockets.
           {"/run/shop/*.sock", "/run/shop/order.sock", true},
           {"/run/shop/*.sock", "/run/shop/a/order.sock", false},
           {"/run/shop/*.sock", "/run/shop/../docker.sock", false},
           {"/run/shop/*", "/run/shop/.hidden", false},
           {"*:*", "/run/docker.sock", false},
           {"*", "/run/docker.sock", true},
           {"*", "http://127.0.0.1:9/?.shop.example", true},
       }) {
    CAPTURE(row.pattern);
    CAPTURE(row.target);
    const auto pattern = app::read_pattern(row.pattern);
    REQUIRE_MESSAGE(pattern.has_value(), pattern.error().text);
    CHECK(Lists({row.pattern}).allows(row.target) == row.allowed);
  }
}

TEST_CASE("a pattern that can fit nothing is a mistake") {
  for (const char* pattern : {"", "http://", "://a", "a@b:80", "a b:80", "a:", "a:http", "[::1", "[::1]80", "a..b:80",
                              "[:::1]:80", "256.0.0.1:80", "-a:80"}) {
    CAPTURE(pattern);
    CHECK_FALSE(app::read_pattern(pattern).has_value());
  }
  CHECK(app::read_pattern("a:http").error().text ==
        "'a:http' fits no target: its port is no number; write [SCHEME://]HOST[:PORT][/PATH] with * for letters of one "
        "part");
}

TEST_CASE("what the configured probes look at may be asked for, by its whole name or by host and port") {
  const Lists lists({}, {"http://127.0.0.1:8081/healthz", "127.0.0.1:6379", "/run/order.sock",
                         "http://usr:pw@127.0.0.1:8082/", "unit order.service"});
  struct Row {
    const char* target;
    bool allowed;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"http://127.0.0.1:8081/healthz", true},
           {"127.0.0.1:8081", true},
           {"127.1:8081", true},
           {"127.0.0.1:6379", true},
           {"/run/order.sock", true},
           {"http://usr:pw@127.0.0.1:8082/", true},
           {"127.0.0.1:8082", true},
           {"http://127.0.0.1:8081/admin", false},
           {"127.0.0.1:8081/admin", false},
           {"http://127.0.0.1:8081/healthz#x", false},
           {"usr:pw@127.0.0.1:8082", false},
           {"127.0.0.1:9", false},
           {"/run/../run/order.sock", false},
           {"unit order.service", false},
       }) {
    CAPTURE(row.target);
    CHECK(lists.allows(row.target) == row.allowed);
  }
  const auto refused = lists.targets.boundary("127.0.0.1:9", "");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == base::Kind::permission);
  CHECK(refused.error().text ==
        "target \"127.0.0.1:9\" is not allowed: no probe of the configuration looks at it, and blackbox.targets has no "
        "pattern for it");
}

TEST_CASE("what only a list of targets names is not for modules that send something of their own") {
  app::AllowedTargets targets;
  targets.replace_patterns({"10.0.0.*:80"});
  targets.replace_own({"http://own:80/", "both:1"}, {"listed:1", "http://listed:80/x", "both:1"});
  for (const char* open : {"own:80", "both:1", "10.0.0.7:80"}) {
    CAPTURE(open);
    CHECK(targets.boundary(open, ""));
    CHECK(targets.boundary(open, "", "basic_auth"));
  }
  for (const char* listed : {"listed:1", "http://listed:80/x", "listed:80"}) {
    CAPTURE(listed);
    CHECK(targets.boundary(listed, ""));
    const auto refused = targets.boundary(listed, "", "basic_auth");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == base::Kind::permission);
    CHECK(refused.error().text == "target \"" + std::string(listed) +
                                      "\" is not allowed: only a list of targets names it, and the module sets "
                                      "basic_auth; give blackbox.targets a pattern for it, if the module may be used "
                                      "there");
  }
  // Neither by a redirect nor as a name to ask for.
  const auto run = targets.boundary("own:80", "", "basic_auth");
  REQUIRE(run.has_value());
  CHECK_FALSE((*run)->refuses_url("http://listed:80/x").empty());
  CHECK((*targets.boundary("own:80", ""))->refuses_url("http://listed:80/x").empty());
  CHECK_FALSE(targets.boundary("own:80", "listed", "basic_auth"));
  CHECK(targets.boundary("own:80", "listed"));
  // A pattern that comes later counts for both.
  targets.replace_patterns({"listed:1"});
  CHECK(targets.boundary("listed:1", "", "basic_auth"));
}

TEST_CASE("the name to ask for is one that is allowed, too") {
  const Lists lists({"https://*.shop.example*", "10.0.0.*:*"}, {"http://order.test:8081/"});
  CHECK(lists.allows("10.0.0.7:443", "www.shop.example"));
  CHECK(lists.allows("10.0.0.7:443", "WWW.shop.example:443"));
  CHECK(lists.allows("10.0.0.7:443", "order.test"));
  CHECK(lists.allows("10.0.0.7:443", "10.0.0.7"));
  CHECK_FALSE(lists.allows("10.0.0.7:443", "admin.test"));
  CHECK_FALSE(lists.allows("10.0.0.7:443", "www.shop.example/x"));
  CHECK_FALSE(lists.allows("10.0.0.7:443", "www.shop.example\r\nX: y"));
  CHECK_FALSE(lists.allows("10.0.0.7:443", "a@www.shop.example"));
  CHECK(Lists({"*"}).allows("10.0.0.7:443", "anything"));
}

TEST_CASE("a redirect keeps to the list") {
  const Lists lists({"http://*.shop.example*", "https://login.example", "http://web.example/open/*"},
                    {"http://127.0.0.1:8081/healthz", "http://usr:pw@127.0.0.1:8082/"});
  struct Row {
    const char *target, *next;
    bool allowed;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"http://a.shop.example/", "http://a.shop.example/login", true},
           {"http://a.shop.example/", "http://b.shop.example:8080/", true},
           {"http://a.shop.example/", "https://login.example/", true},
           {"http://a.shop.example/", "https://login.example/#top", true},
           {"http://a.shop.example/", "https://login.example:8443/", false},
           {"http://a.shop.example/", "https://a.shop.example/", false},
           {"http://a.shop.example/", "http://127.0.0.1:8081/", false},
           {"http://a.shop.example/", "http://127.0.0.1:8081/healthz", true},
           {"http://a.shop.example/", "http://169.254.169.254/latest", false},
           {"http://a.shop.example/", "http://a.shop.example@127.0.0.1/", false},
           {"http://a.shop.example/", "file:///etc/passwd", false},
           {"http://127.0.0.1:8081/healthz", "http://127.0.0.1:8081/other", true},
           {"http://127.0.0.1:8081/healthz", "http://127.0.0.1:8082/", false},
           {"http://usr:pw@127.0.0.1:8082/", "http://usr:pw@127.0.0.1:8082/", true},
           {"http://usr:pw@127.0.0.1:8082/", "http://usr:pw@127.0.0.1:8083/", false},
           {"127.0.0.1:8081", "http://127.0.0.1:8081", true},
           {"127.0.0.1:8081", "http://127.0.0.1/", false},
           {"http://web.example/open/a", "http://web.example/open/a", true},
           {"http://web.example/open/a", "http://web.example/open/b?c", true},
           {"http://web.example/open/a", "http://web.example/other", false},
           {"http://web.example/open/a", "http://web.example/", false},
           {"http://web.example/open/a", "http://web.example/open/../other", false},
       }) {
    CAPTURE(row.target);
    CAPTURE(row.next);
    CHECK(lists.run(row.target)->refuses_url(row.next).empty() == row.allowed);
  }
  CHECK(lists.run("http://a.shop.example/")->refuses_url("http://127.0.0.1:9/secret?token=x") ==
        "http://127.0.0.1:9 is not allowed: no probe of the configuration looks there, and blackbox.targets has no "
        "pattern "
        "for it");
  CHECK(lists.run("http://web.example/open/a")->refuses_url("http://web.example/other?token=x") ==
        "http://web.example:80/other is not allowed: no probe of the configuration looks there, and blackbox.targets "
        "has no pattern for it");
}

TEST_CASE("a name leads to no address of this node unless that is allowed itself") {
  struct Row {
    const char* text;
    bool kept_back;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"127.0.0.1", true},
           {"127.9.9.9", true},
           {"0.0.0.0", true},
           {"169.254.169.254", true},
           {"224.0.0.1", true},
           {"255.255.255.255", true},
           {"::1", true},
           {"::", true},
           {"fe80::1", true},
           {"ff02::1", true},
           {"::ffff:127.0.0.1", true},
           {"::7f00:1", true},
           {"64:ff9b::7f00:1", true},
           {"2002:7f00:1::", true},
           {"10.0.0.7", false},
           {"192.0.2.1", false},
           {"2001:db8::1", false},
           {"64:ff9b::c000:201", false},
       }) {
    CAPTURE(row.text);
    CHECK(app::kept_back(address(row.text)).empty() != row.kept_back);
  }

  const Lists lists({"http://*.shop.example*", "127.0.0.2:80", "*.localhost:80"}, {"http://order.test:8081/"});
  const auto shop = lists.run("http://a.shop.example/");
  CHECK(shop->refuses("a.shop.example", 80, address("10.0.0.7")).empty());
  CHECK(shop->refuses("A.shop.example.", 80, address("10.0.0.7")).empty());
  CHECK(shop->refuses("a.shop.example", 80, address("127.0.0.1")) ==
        "a.shop.example is 127.0.0.1 now, a loopback address: a name does not lead there; allow \"127.0.0.1:80\" "
        "itself in "
        "blackbox.targets if that is meant");
  CHECK_FALSE(shop->refuses("a.shop.example", 80, address("::1")).empty());
  CHECK_FALSE(shop->refuses("a.shop.example", 80, address("169.254.169.254")).empty());
  CHECK(shop->refuses("a.shop.example", 80, address("127.0.0.2")).empty());
  CHECK_FALSE(shop->refuses("other.example", 80, address("10.0.0.7")).empty());
  CHECK(lists.run("127.0.0.2:80")->refuses("127.0.0.2", 80, address("127.0.0.2")).empty());
  CHECK_FALSE(lists.run("127.0.0.2:80")->refuses("127.0.0.2", 81, address("127.0.0.2")).empty());
  CHECK_FALSE(lists.run("127.0.0.2:80")->refuses("127.0.0.2", 80, address("127.0.0.1")).empty());
  CHECK(lists.run("a.localhost:80")->refuses("a.localhost", 80, address("127.0.0.1")).empty());
  // What a probe of the configuration looks at leads where it leads.
  CHECK(lists.run("order.test:8081")->refuses("order.test", 8081, address("127.0.0.1")).empty());
  CHECK_FALSE(shop->refuses_socket("/run/docker.sock").empty());
}
