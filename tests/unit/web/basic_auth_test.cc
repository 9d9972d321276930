#include "web/basic_auth.h"

#include <doctest/doctest.h>

#include <string>

namespace {
// bcrypt of "wonderland", cost 5, as htpasswd writes it.
const char* const kHash = "$2y$05$3YaRfspwjE5Ba5rMQHUjIeAAAy.E7F6z6.ythuSqYpg1shrobf5T2";
}  // namespace

TEST_CASE("name and password must both be right") {
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{{"alice", kHash}});
  struct Row {
    std::string name, header;
    bool want;
  };
  const Row rows[] = {
      {"right", "Basic YWxpY2U6d29uZGVybGFuZA==", true},
      {"right again, from memory", "basic YWxpY2U6d29uZGVybGFuZA==", true},
      {"wrong password", "Basic YWxpY2U6d29uZGVybGFuZAo=", false},
      {"unknown name", "Basic Ym9iOndvbmRlcmxhbmQ=", false},
      {"no password", "Basic YWxpY2U6", false},
      {"no colon", "Basic YWxpY2U=", false},
      {"no base64", "Basic !!", false},
      {"another scheme", "Bearer YWxpY2U6d29uZGVybGFuZA==", false},
      {"nothing", "", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(auth.allows(row.header) == row.want);
  }
}

TEST_CASE("who is replaced comes in no more, also not from memory") {
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{{"alice", kHash}});
  CHECK(auth.allows("Basic YWxpY2U6d29uZGVybGFuZA=="));
  auth.replace({{"bob", kHash}});
  CHECK_FALSE(auth.allows("Basic YWxpY2U6d29uZGVybGFuZA=="));
  CHECK(auth.allows("Basic Ym9iOndvbmRlcmxhbmQ="));
}

TEST_CASE("without users nobody is asked") {
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{});
  CHECK_FALSE(auth.required());
  CHECK(auth.allows(""));
}

TEST_CASE("base64 is decoded with and without padding") {
  CHECK(web::base64_decode("YWI=") == "ab");
  CHECK(web::base64_decode("YWI") == "ab");
  CHECK(web::base64_decode("+/+/") == "\xfb\xff\xbf");
  CHECK(web::base64_decode("a b") == "");
}
