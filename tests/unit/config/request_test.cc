// Hosts, ports, URLs, methods and headers: what passes, and what is said of the others.
#include "config/request.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

TEST_CASE("a host is a name or an address, without a port") {
  for (const char* good : {"localhost", "db", "a.b.example.", "_srv.x", "10.0.0.7", "::1", "fe80::1%eth0",
                           "::ffff:10.0.0.1", "2130706433", "xn--bcher-kva.example"})
    CHECK_MESSAGE(config::host_complaint(good) == "", good);
  for (const char* good : {"10.0.0.7", "255.255.255.255", "1", "12345", "10.example", "1.2.3.4.example", "a.b-1._c"})
    CHECK_MESSAGE(config::host_complaint(good) == "", good);
  for (const char* bad : {"300.1.1.1", "256.0.0.1", "1.2.3.4.5", "10.1", "1.2.3", "10.0.0.7.", "010.0.0.1"})
    CHECK_MESSAGE(config::host_complaint(bad) == "looks like an IPv4 address, and is none", bad);
  CHECK(config::host_complaint("a..b") == "has two dots side by side");
  CHECK(config::host_complaint(std::string(63, 'a') + ".example") == "");
  CHECK(config::host_complaint("x." + std::string(64, 'a')) == "has a part of more than 63 characters");
  CHECK(config::url_complaint("http://300.1.1.1:80/", "http://x") ==
        "has a host that looks like an IPv4 address, and is none");
  CHECK(config::host_complaint("") == "must not be empty");
  CHECK(config::host_complaint("db:5432") == "has a port behind it; host and port are two keys");
  CHECK(config::host_complaint("db:") == "has a port behind it; host and port are two keys");
  CHECK(config::host_complaint("a:b") == "has colons, and is no IPv6 address");
  CHECK(config::host_complaint("::1::2") == "has colons, and is no IPv6 address");
  for (const char* bad : {"u:x@h", "u@h", "http://h", "[::1]", "h/x", "a b", "a\n", "a%2f", "-h", ".h", "fe80::1%",
                          "fe80::1%a/b", "h?x", "h#x", "h\\x"})
    CHECK_MESSAGE(config::host_complaint(bad) != "", bad);
  CHECK(config::host_complaint(std::string(256, 'a')) == "is too long for a host");
}

TEST_CASE("a port is a number from 1 to 65535") {
  for (const char* good : {"1", "80", "65535", "00080"}) CHECK_MESSAGE(config::port_complaint(good) == "", good);
  for (const char* bad : {"0", "000", "65536", "99999", "100000", "99999999999999999999"})
    CHECK_MESSAGE(config::port_complaint(bad) == "must be between 1 and 65535", bad);
  for (const char* bad : {"", "-1", "8o", "+1", " 1"})
    CHECK_MESSAGE(config::port_complaint(bad) == "must be a number", bad);
}

TEST_CASE("a URL has a scheme that is spoken, a host, and a port that there is") {
  const char* const example = "http://127.0.0.1:8081/x";
  for (const char* good : {"http://a", "https://a:443/x?y#z", "http://u:p@a:1/", "http://[::1]:80/", "http://a:/",
                           "http://[fe80::1%eth0]/", "http://u:p@x@a/"})
    CHECK_MESSAGE(config::url_complaint(good, example) == "", good);
  for (const char* bad : {"", "a", "ftp://a", "http://", "http:///x", "http://?x", "ws://a"})
    CHECK_MESSAGE(config::url_complaint(bad, example) ==
                      "must be http:// or https:// and a host, such as http://127.0.0.1:8081/x",
                  bad);
  CHECK(config::url_complaint("http://127.0.0.1:99999/ok", example) == "has a port that must be between 1 and 65535");
  CHECK(config::url_complaint("http://a:0/", example) == "has a port that must be between 1 and 65535");
  CHECK(config::url_complaint("http://a:b/", example) == "has a port that must be a number");
  CHECK(config::url_complaint("http://:80/", example) == "has a host that must not be empty");
  CHECK(config::url_complaint("http://[::1/", example) == "has a [ without its ]");
  CHECK(config::url_complaint("http://[a]/", example) == "has no IPv6 address in its brackets");
  CHECK(config::url_complaint("http://[::1]80/", example) == "has something else than a port behind its host");
  CHECK(config::url_complaint("http://a/b c", example) == "must not contain white space or control characters");
  CHECK(config::url_complaint("http://a/\r\nX: y", example) == "must not contain white space or control characters");
  CHECK(config::url_complaint("ws://a:70000", "ws://x") == "has a port that must be between 1 and 65535");
  CHECK(config::url_complaint("http://a", "ws://x") == "must be ws:// or wss:// and a host, such as ws://x");

  for (const char* good : {"", "proxy:3128", "http://u:p@proxy:3128", "socks5h://proxy", "HTTP://proxy/"})
    CHECK_MESSAGE(config::proxy_complaint(good) == "", good);
  for (const char* bad : {"http://:99999", "http://:80", "proxy:99999", "ftp://proxy", "http://", "a b", "http://a:b"})
    CHECK_MESSAGE(config::proxy_complaint(bad) != "", bad);
}

TEST_CASE("a method is a token, and a header one line that frames no message") {
  for (const char* good : {"GET", "get", "M-SEARCH", "X!"}) CHECK_MESSAGE(config::method_complaint(good) == "", good);
  for (const char* bad : {"", "GET /steal HTTP/1.0", "GET\r\nX: y", "G\tT", "GET:", "G\x7fT", "G\xc3\xa9T"})
    CHECK_MESSAGE(config::method_complaint(bad) != "", bad);

  CHECK(config::header_complaint("X-A", "b\tc \xc3\xa9") == "");
  CHECK(config::header_complaint("Host", "") == "");
  for (const char* name : {"Content-Length", "content-length", "TRANSFER-ENCODING", "Connection", "Keep-Alive",
                           "Proxy-Connection", "TE", "Trailer", "Upgrade"})
    CHECK_MESSAGE(config::header_complaint(name, "1").find("is written by the agent itself") != std::string::npos,
                  name);
  for (const char* name : {"", "A B", "A:", "A\r\nB", "Content-Length ", " Content-Length", "A\xc3"})
    CHECK_MESSAGE(config::header_complaint(name, "1").find("has a name that is none") == 0, name);
  for (const std::string& value : {std::string("a\r\nB: c"), std::string("a\nb"), std::string("a\rb"),
                                   std::string("a\0b", 3), std::string("\x7f")})
    CHECK(config::header_complaint("X", value) == "has a line break or another control character in the value of X");
  const std::vector<std::pair<std::string, std::string>> headers{{"A", "b"}, {"TE", "x"}};
  CHECK(config::headers_complaint(headers) == "has TE, which is written by the agent itself; leave it out");
}

TEST_CASE("a variable of an environment has a name without =") {
  CHECK(config::variable_complaint("A", "b=c") == "");
  CHECK(config::variable_complaint("", "b") == "has a variable without a name");
  CHECK(config::variable_complaint("A=B", "c") == "has 'A=B', and no variable has = in its name");
  CHECK(config::variable_complaint("A", std::string("a\0b", 3)) == "has a zero byte in the value of A");
}
