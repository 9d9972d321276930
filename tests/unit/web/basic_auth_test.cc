#include "web/server/basic_auth.h"
#include "base/base64.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "crypto/hmac.h"

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

TEST_CASE("no number of wrong passwords makes a right one be checked again") {
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{{"alice", kHash}});
  const std::string right = "Basic YWxpY2U6d29uZGVybGFuZA==";
  CHECK_FALSE(auth.look(right).may);
  CHECK(auth.allows(right));
  for (int i = 0; i < 300; ++i) {
    const auto guess = auth.look("Basic " + base::base64_encode("alice:" + std::to_string(i)));
    REQUIRE_FALSE(guess.may);
    auth.learn(guess.question, false);
  }
  CHECK(auth.look(right).may == true);
  CHECK(auth.look("Basic " + base::base64_encode("alice:299")).may == false);
}

TEST_CASE("an unknown name costs as much as the dearest hash of the file, and so does every wrong password") {
  const std::string dear = "$2y$07$" + std::string(kHash).substr(7);
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{{"alice", kHash}, {"bob", dear}});
  struct Row {
    const char* name;
    const char* hash;
  };
  for (const Row& row : {Row{"alice", "$2y$05$"}, Row{"bob", "$2y$07$"}, Row{"mallory", "$2b$07$"}}) {
    const auto known = auth.look("Basic " + base::base64_encode(std::string(row.name) + ":x"));
    CAPTURE(row.name);
    CHECK(known.question.hash.starts_with(row.hash));
    CHECK(known.question.highest_cost == 7);
    CHECK_FALSE(web::BasicAuth::matches(known.question));
  }
  CHECK(web::BasicAuth::stand_ins(5, 7) == std::vector<int>{5, 6});  // 2^5 + 2^5 + 2^6 = 2^7
  CHECK(web::BasicAuth::stand_ins(7, 7).empty());
}

TEST_CASE("without users nobody is asked") {
  web::BasicAuth auth(std::vector<web::BasicAuthUser>{});
  CHECK_FALSE(auth.required());
  CHECK(auth.allows(""));
}
