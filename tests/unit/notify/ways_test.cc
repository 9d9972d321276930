// Ways to send beside a plain webhook: by http_config.
#include "desk.h"

#include "fakes/temporary_folder.h"

TEST_CASE(
    "http_config says how a receiver is asked; a message is not lost on the way and not sent without credentials") {
  fakes::TemporaryFolder folder;
  const std::string file = folder / "token";
  for (const std::string receiver :
       {"webhook: {url: \"http://h/\", headers: {X-Key: k}, ", "alertmanager: {urls: [\"http://h\"], "}) {
    CAPTURE(receiver);
    folder.write("token", "t1\n");
    Fixture f("{name: ops, " + receiver + "http_config: {authorization: {credentials_file: " + file +
              "}, proxy_url: \"http://p:1\", tls_config: {insecure_skip_verify: true}}}}");
    f.tell("Down");
    REQUIRE(f.sent() == 1);
    const http::HttpRequest& asked = f.http.desk.last();
    CHECK(asked.method == "POST");
    CHECK(f.header("Authorization") == "Bearer t1");
    CHECK(f.header("Content-Type") == "application/json");
    CHECK(asked.proxy == "http://p:1");
    CHECK(asked.keeps_method);
    CHECK(asked.max_redirects == 10);
    REQUIRE(asked.tls != nullptr);
    CHECK(asked.tls->settings().insecure_skip_verify);
    CHECK((receiver[0] == 'w') == (asked.private_headers == http::Headers{{"X-Key", "k"}}));
    f.answer(200);
    CHECK(f.results == std::vector<std::string>{"ops sent"});

    std::filesystem::remove(file);
    f.tell("Slow");
    CHECK(f.sent() == 1);
    CHECK(f.results.back() == "ops retried");
    CHECK(f.notifications->statuses()[0].last_error.starts_with("no credentials to send: "));
    folder.write("token", "t2\n");
    f.loop.advance(seconds{5});
    CHECK(f.header("Authorization") == "Bearer t2");
  }
}

TEST_CASE("without http_config no redirect is followed and HTTP/1.1 is spoken") {
  Fixture f;
  f.tell("Down");
  CHECK(f.http.desk.last().max_redirects == 0);
  CHECK(f.http.desk.last().http2 == http::Http2::no);
  CHECK(f.http.desk.last().tls == nullptr);
}
