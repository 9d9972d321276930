// Ways to send beside a plain webhook: by http_config, and by a program.
#include "desk.h"

#include "fakes/temporary_folder.h"
#include "net/tls/tls.h"
#include "os/subprocess.h"

namespace {

os::Finished ended(int code, const std::string& err = "") {
  os::Finished finished;
  finished.exit_code = code;
  finished.err = err;
  return finished;
}

}  // namespace

TEST_CASE(
    "http_config says how a receiver is asked; a message is not lost on the way and not sent without credentials") {
  fakes::TemporaryFolder folder;
  const std::string file = folder / "token";
  for (const std::string receiver : {"webhook_configs: [{url: \"http://h/\", headers: {X-Key: k}, ",
                                     "alertmanager_configs: [{urls: [\"http://h\"], "}) {
    CAPTURE(receiver);
    folder.write("token", "t1\n");
    Fixture f("{name: ops, " + receiver + "http_config: {authorization: {credentials_file: " + file +
              "}, proxy_url: \"http://p:1\", tls_config: {insecure_skip_verify: true}}}]}");
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

TEST_CASE("a program gets the message on its standard input, again until it takes it") {
  ::setenv("FETTLE_TEST_SEEN", "1", 1);
  Fixture f(
      "{name: pager, exec_configs: [{timeout: 3s, argv: [/usr/bin/env, cat], environment: {TEAM: shop, FETTLE_NODE: "
      "x}, "
      "pass_environment: [FETTLE_TEST_SEEN]}]}");
  f.tell("Down");
  REQUIRE(f.spawner.desk.asked().size() == 1);
  const os::Command first = f.spawner.desk.last();
  CHECK(first.argv == std::vector<std::string>{"/usr/bin/env", "cat"});
  CHECK(first.limit == base::Millis{3'000});
  CHECK(first.leftovers == os::Leftovers::killed);
  const json body = json::parse(first.input);
  CHECK(body["version"] == "4");
  CHECK(body["alerts"][0]["labels"]["alertname"] == "Down");
  std::map<std::string, std::string> environment = first.environment;
  CHECK(environment.at("FETTLE_MESSAGE_ID").size() > 8);
  environment.erase("FETTLE_MESSAGE_ID");
  CHECK(environment ==
        std::map<std::string, std::string>{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                           {"LANG", "C.UTF-8"},
                                           {"TEAM", "shop"},
                                           {"FETTLE_TEST_SEEN", "1"},
                                           {"FETTLE_RECEIVER", "pager"},
                                           {"FETTLE_NODE", "node1"},
                                           {"FETTLE_STATUS", "firing"}});
  f.spawner.desk.answer(ended(75, "the modem is busy"));
  CHECK(f.results == std::vector<std::string>{"pager retried"});
  CHECK(f.notifications->statuses()[0].last_error == "exit code 75: the modem is busy");
  f.loop.advance(seconds{5});
  REQUIRE(f.spawner.desk.asked().size() == 2);
  CHECK(f.spawner.desk.last().input == first.input);
  CHECK(f.spawner.desk.last().environment == first.environment);
  f.spawner.desk.answer(ended(0));
  CHECK(f.results.back() == "pager sent");
  CHECK(f.notifications->statuses()[0].last_error.empty());
  ::unsetenv("FETTLE_TEST_SEEN");
}

TEST_CASE("what a program says is shown without what it was told") {
  Fixture f("{name: pager, exec_configs: [{argv: [/usr/bin/env, cat], environment: {PAGER_TOKEN: s3cret-1}}]}");
  f.tell("Down");
  f.spawner.desk.answer(ended(78, "the token s3cret-1 is unknown"));
  CHECK(f.results == std::vector<std::string>{"pager refused"});
  CHECK(f.notifications->statuses()[0].last_error == "exit code 78: the token <secret> is unknown");
}

TEST_CASE("a program that others could exchange is not run") {
  fakes::TemporaryFolder folder;
  const std::string program = folder.write("hook", "#!/bin/sh\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  Fixture f("{name: pager, exec_configs: [{argv: [" + program + "]}]}");
  std::filesystem::permissions(program, std::filesystem::perms::all);
  f.tell("Down");
  f.loop.run_due();
  CHECK(f.spawner.desk.asked().empty());
  REQUIRE_FALSE(f.results.empty());
  CHECK(f.results.back() == "pager retried");
  CHECK(f.notifications->statuses()[0].last_error.find(program) != std::string::npos);
}
