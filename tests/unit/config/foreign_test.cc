// Values from outside, in the places that the configuration left open for them.
#include "config/foreign.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using config::ValueFormat;

// "" or what is said of the value of ${x}; what it came to goes to `out`.
std::string put(const char* text, ValueFormat format, const std::string& value, std::string& out) {
  const auto filled = config::filled_in(text, format, [&](std::string_view name) -> std::optional<std::string_view> {
    if (name == "x") return value;
    return std::nullopt;
  });
  out = filled ? *filled : "";
  return filled ? "" : filled.error().text;
}

}  // namespace

TEST_CASE("a value keeps to the part of a URL where it stands") {
  struct Row {
    const char *text, *value;
    const char* want;  // the whole URL; "" if it is refused
  };
  for (const Row& row : std::initializer_list<Row>{
           {"http://${x}/healthz", "10.0.0.7:8081", "http://10.0.0.7:8081/healthz"},
           {"http://${x}/healthz", "[::1]:8081", "http://[::1]:8081/healthz"},
           {"http://${x}/healthz", "a@b", ""},
           {"http://${x}/healthz", "evil.example/", ""},
           {"http://${x}/healthz", "evil.example?", ""},
           {"http://${x}/healthz", "evil.example#", ""},
           {"http://${x}/healthz", "evil.example\\", ""},
           {"http://${x}/healthz", "a b", ""},
           {"http://${x}/healthz", "a:80:90", ""},
           {"http://${x}/healthz", "a:", ""},
           {"http://${x}/healthz", "-a", ""},
           {"http://${x}/healthz", "", ""},
           {"http://${x}/healthz", "a%2f", ""},
           {"http://${x}/healthz", "a\r\nX: y", ""},
           {"http://${x}:80/", "a", "http://a:80/"},
           {"http://${x}:80/", "a:90", ""},
           {"http://${x}:pw@host/", "a", ""},
           {"http://user:${x}@host/", "pw", ""},
           {"http://user:pw@${x}/", "host", "http://user:pw@host/"},
           {"http://user:pw@${x}/", "host@evil", ""},
           {"http://shop.example${x}", "/healthz", "http://shop.example/healthz"},
           {"http://shop.example${x}", ":8080", "http://shop.example:8080"},
           {"http://shop.example${x}", ".evil.example", ""},
           {"http://shop.example${x}", "@evil.example", ""},
           {"http://shop.example${x}", ":80@evil.example", ""},
           {"http://shop.example${x}", "1.evil", ""},
           {"http://shop.example:${x}/", "8080", "http://shop.example:8080/"},
           {"http://shop.example:${x}/", "80@evil.example", ""},
           {"http://shop.example:80${x}", "/healthz", "http://shop.example:80/healthz"},
           {"http://shop.example:80${x}", ".evil.example", ""},
           {"http://shop.example:80${x}", "@evil.example", ""},
           {"http://[::1]:80${x}", "80", "http://[::1]:8080"},
           {"http://node-${x}.shop.example/", "7", "http://node-7.shop.example/"},
           {"http://node-${x}.shop.example/", "7.eu", "http://node-7.eu.shop.example/"},
           {"http://node-${x}.shop.example/", "7/", ""},
           {"http://api.${x}/", "shop.example", "http://api.shop.example/"},
           {"http://node${x}/", "7", "http://node7/"},
           {"http://node${x}/", ".evil.example", ""},
           {"http://h/${x}", "ready", "http://h/ready"},
           {"http://h/${x}", "a/b-c_d~e.f:g@h+i", "http://h/a/b-c_d~e.f:g@h+i"},
           {"http://h/${x}", "../admin", ""},
           {"http://h/a/${x}/b", "..", ""},
           {"http://h/a/${x}/b", ".", ""},
           {"http://h/a/.${x}", "./b", ""},
           {"http://h/a${x}", "/../b", ""},
           {"http://h/${x}", "a?admin=1", ""},
           {"http://h/${x}", "a#b", ""},
           {"http://h/${x}", "%2e%2e/a", ""},
           {"http://h/${x}", "a;b", ""},
           {"http://h/${x}", "${password}", ""},
           {"http://h/${x}", "a//b", ""},
           {"http://h/?q=${x}", "eu-west", "http://h/?q=eu-west"},
           {"http://h/?q=${x}", "a&admin=1", ""},
           {"http://h/?q=${x}", "a#b", ""},
           {"http://h/?q=${x}", "a+b", ""},
           {"http://h/?q=${x}", "a%26b", ""},
           {"http://h/?${x}=1", "a=b", ""},
           {"${x}://h/", "https", "https://h/"},
           {"${x}://h/", "file", ""},
           {"${x}://h/", "http://evil/?", ""},
           {"ht${x}://h/", "tp", ""},
           {"${x}", "https://a.example:8443/x?y=1", "https://a.example:8443/x?y=1"},
           {"${x}/healthz", "https://a.example", "https://a.example/healthz"},
           {"${x}/healthz", "https://a.example/?", ""},
           {"${x}", "file:///etc/passwd", ""},
           {"${x}", "gopher://a/", ""},
           {"${x}", "http://u:p@a/", ""},
           {"${x}", "http://a/#b", ""},
           {"${x}", "http:///a", ""},
           {"${x}", "http://a/../b", ""},
           {"/carts/${x}/price", "7", "/carts/7/price"},
           {"/carts/${x}/price", "..", ""},
           {"http://h/${other}", "7", "http://h/${other}"},
       }) {
    CAPTURE(row.text);
    CAPTURE(row.value);
    std::string out;
    const std::string why = put(row.text, ValueFormat::url, row.value, out);
    CAPTURE(why);
    CHECK(out == row.want);
    CHECK(why.empty() == (row.want[0] != '\0'));
  }
}

TEST_CASE("a value is one word, and no option, no folder and no line of its own") {
  struct Row {
    const char* text;
    std::string value;
    const char* want;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"${x}", "page", "page"},
           {"${x}", "10.0.0.7:80", "10.0.0.7:80"},
           {"${x}", "-rf", ""},
           {"${x}", "--help", ""},
           {"--for=${x}", "-rf", "--for=-rf"},
           {"order-${x}", "a-b", "order-a-b"},
           {"-${x}", "-help", ""},
           {"rm ${x}", "-rf", ""},
           {"rm '${x}'", "-rf", ""},
           {"${x}", "", ""},
           {"--for=${x}", "", ""},
           {"${x}", "a b", ""},
           {"${x}", "a\nb", ""},
           {"${x}", std::string("a\0b", 3), ""},
           {"${x}", "a;b", ""},
           {"${x}", "$(id)", ""},
           {"${x}", "`id`", ""},
           {"${x}", "a/b", ""},
           {"${x}", "..", ""},
           {"${x}", ".", ""},
           {"/srv/${x}/log", "..", ""},
           {"/srv/.${x}/log", ".", ""},
           {"/srv/${x}./log", ".", ""},
           {"/srv/${x}/log", "../..", ""},
           {"/srv/${x}/log", "order", "/srv/order/log"},
           {"where shard = '${x}'", "7' or 1=1 --", ""},
           {"select 'http://h/', '${x}'", "7'or'1'='1", ""},
           {"{\"u\": \"http://h/\", \"a\": \"${x}\"}", "b'c", ""},
           {"curl http://h/ ${x}", "-o/x", ""},
           {"http://h/${x}", "a/b", "http://h/a/b"},
           {"${x}://h/", "https", "https://h/"},
           {"{\"a\": \"${x}\"}", "b\", \"c\": \"d", ""},
           {"http://${x}/", "a@b", ""},  // a URL is one wherever it stands
           {"${x}", std::string(129, 'a'), ""},
           {"${x}", "${y}", ""},
       }) {
    CAPTURE(row.text);
    CAPTURE(row.value);
    std::string out;
    const std::string why = put(row.text, ValueFormat::word, row.value, out);
    CAPTURE(why);
    CHECK(out == row.want);
    CHECK(why.empty() == (row.want[0] != '\0'));
  }
  std::string out;
  CHECK(put("${x}", ValueFormat::word, "-rf", out) ==
        "${x} is '-rf', which begins with -, which would make it an option");
  CHECK(put("${x}", ValueFormat::word, "a\nb", out) == "${x} has other characters than letters, digits and _.@:-");
}

TEST_CASE("whole values are judged by their format") {
  struct Row {
    ValueFormat format;
    std::string value;
    bool fits;
  };
  for (const Row& row : std::initializer_list<Row>{
           {ValueFormat::path, "/run/order.sock", true},
           {ValueFormat::path, "run/order.sock", false},
           {ValueFormat::path, "/run/../etc/shadow", false},
           {ValueFormat::path, "/run/./a", false},
           {ValueFormat::path, "/run/a\n", false},
           {ValueFormat::host, "order.example", true},
           {ValueFormat::host, "::1", true},
           {ValueFormat::host, "fe80::1%eth0", true},
           {ValueFormat::host, "a%eth0", false},
           {ValueFormat::host, "a@b", false},
           {ValueFormat::host, "/run/a", false},
           {ValueFormat::host, "-a", false},
           {ValueFormat::host, "", false},
           {ValueFormat::text, "Zürich, first floor", true},
           {ValueFormat::text, "a\nb", false},
           {ValueFormat::text, "a\x1b[2J", false},
           {ValueFormat::text, "\xff", false},
           {ValueFormat::text, "${password}", false},
       }) {
    CAPTURE(row.value);
    CHECK(config::foreign_complaint(row.value, row.format).empty() == row.fits);
  }
}
