#include "http/no_proxy.h"

#include <doctest/doctest.h>

TEST_CASE("no_proxy is read as Go's programs read it") {
  struct Row {
    const char *hosts, *host, *port;
    bool direct;
  };
  for (const Row& row : {
           Row{"", "shop.test", "80", false},
           Row{" , ", "127.0.0.1", "80", false},
           Row{"*", "shop.test", "80", true},
           Row{"shop.test", "shop.test", "80", true},
           Row{"shop.test", "SHOP.test", "80", true},
           Row{"shop.test", "www.shop.test", "80", true},
           Row{"shop.test", "myshop.test", "80", false},
           Row{".shop.test", "www.shop.test", "80", true},
           Row{".shop.test", "shop.test", "80", false},
           Row{"*.shop.test", "www.shop.test", "80", true},
           Row{"other, shop.test:8080", "shop.test", "8080", true},
           Row{"shop.test:8080", "shop.test", "80", false},
           Row{"10.0.0.7", "10.0.0.7", "80", true},
           Row{"10.0.0.7:81", "10.0.0.7", "80", false},
           Row{"10.0.0.7", "10.0.0.71", "80", false},
           Row{"10.0.0.0/9", "10.127.1.1", "80", true},
           Row{"10.0.0.0/9", "10.128.1.1", "80", false},
           Row{"10.0.0.0/0", "192.0.2.1", "80", true},
           Row{"10.0.0.0/33", "10.0.0.1", "80", false},
           Row{"10.0.0.0/8", "fd00::1", "80", false},
           Row{"fd00::/8", "fd12::1", "443", true},
           Row{"fd12::1", "fd12:0::1", "443", true},
           Row{"[fd12::1]:443", "fd12::1", "443", true},
           Row{"[fd12::1]:443", "fd12::1", "80", false},
           Row{"[fd12::1]", "fd12::1", "80", true},
           Row{"shop.test", "localhost", "80", true},
           Row{"shop.test", "127.0.0.53", "80", true},
           Row{"shop.test", "::1", "80", true},
       }) {
    CAPTURE(row.hosts);
    CAPTURE(row.host);
    CHECK(http::goes_without_proxy(row.hosts, row.host, row.port) == row.direct);
  }
}
