// http_config: what becomes of its keys in a request, how credentials are had, and what is a mistake.
#include "http/configured_client.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <optional>

#include "config/redact.h"
#include "fakes/fake_http.h"
#include "fakes/temporary_folder.h"

namespace {

using namespace std::chrono_literals;

http::HttpResponse answer(int status, const std::string& body = "") {
  http::HttpResponse response;
  response.status = status;
  response.body = body;
  return response;
}

// A client of a configuration, and what it is asked and answers.
struct Client {
  explicit Client(const std::string& yaml) {
    node = config::Node::parse(yaml, "c.yml", errors);
    http::HttpConfig parsed = http::http_config_schema().parse(node, "http_config", errors);
    configured.emplace(std::move(parsed), node, "http_config", errors);
  }
  void ask(const std::string& url = "https://shop.test/") {
    found.reset();
    http::HttpRequest request;
    request.url = url;
    request.deadline = loop.now() + 1s;
    pending = configured->request(client, loop, std::move(request),
                                  [this](base::Result<http::HttpResponse> r) { found = std::move(r); });
    CHECK_FALSE(found.has_value());
    loop.run_due();
  }
  const http::HttpRequest& asked() const { return client.desk.last(); }
  std::string authorization() const {
    const std::string* value = http::find_header(asked().headers, "Authorization");
    return value != nullptr ? *value : "";
  }

  fakes::FakeLoop loop;
  fakes::FakeHttp client{loop};
  config::Errors errors;
  config::Node node;
  std::optional<http::ConfiguredClient> configured;
  std::optional<base::Result<http::HttpResponse>> found;
  loop::Handle pending;
};

const char* const kOAuth2 = "oauth2: {client_id: a, client_secret: b, token_url: 'https://login.test/t'}";

}  // namespace

TEST_CASE("credentials become a header") {
  struct Row {
    const char *yaml, *want;
  };
  // Those of RFC 7617, section 2, and RFC 6750, section 2.1.
  for (const Row& row :
       {Row{"{}", ""},
        {"basic_auth: {username: Aladdin, password: open sesame}", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"authorization: {credentials: mF_9.B5f-4.1JqM}", "Bearer mF_9.B5f-4.1JqM"},
        {"authorization: {type: Token, credentials: x}", "Token x"}}) {
    CAPTURE(row.yaml);
    Client client(row.yaml);
    CHECK(client.errors.text() == "");
    client.ask();
    CHECK(client.authorization() == row.want);
    CHECK(client.configured->authenticates() == (*row.want != '\0'));
    client.client.desk.answer(answer(204));
    REQUIRE(client.found.has_value());
    CHECK((*client.found)->status == 204);
    client.ask("https://u:p@shop.test/");  // the URL's own login is the one that is sent
    CHECK(client.authorization().empty());
    client.ask("https://shop.test/a@b?c=@#@");
    CHECK(client.authorization() == row.want);
  }
}

TEST_CASE("files with credentials are read for each request, and without them nothing is sent") {
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("secret", "one\n");
  struct Row {
    std::string yaml, header, before;
  };
  for (const Row& row :
       {Row{"authorization: {credentials_file: " + file + "}", "Authorization", "no credentials to send: "},
        Row{"basic_auth: {username: a, password_file: " + file + "}", "Authorization", "no credentials to send: "},
        Row{"http_headers: {X-Key: {files: [" + file + "]}}", "X-Key", "no header to send: "}}) {
    CAPTURE(row.yaml);
    folder.write("secret", "one\n");
    Client client(row.yaml);
    CHECK(client.errors.text() == "");
    const auto value = [&] {
      const std::string* found = http::find_header(client.asked().headers, row.header);
      if (found == nullptr) found = http::find_header(client.asked().private_headers, row.header);
      return found != nullptr ? *found : "";
    };
    client.ask();
    const std::string first = value();
    CHECK_FALSE(first.empty());
    folder.write("secret", "another\n");
    client.ask();
    CHECK(value() != first);
    std::filesystem::remove(file);
    client.ask();
    CHECK(client.client.desk.asked().size() == 2);
    REQUIRE(client.found.has_value());
    REQUIRE_FALSE(client.found->has_value());
    CHECK(client.found->error().kind == base::Kind::permission);
    CHECK(client.found->error().text.starts_with(row.before));
    CHECK(client.found->error().text.find(file) != std::string::npos);
  }
}

TEST_CASE("tokens that were fetched are known as secrets, the newest and the one before") {
  Client client(kOAuth2);
  CHECK(client.configured->learned().empty());
  for (const char* token : {"t0ken-first", "t0ken-second", "t0ken-third"}) {
    client.ask();
    client.client.desk.answer(answer(200, R"({"access_token": ")" + std::string(token) + R"(", "expires_in": 0})"));
    client.client.desk.answer(answer(401));  // forgotten, but for this
    CHECK(client.configured->learned().blotted(token) == "<secret>");
  }
  CHECK(client.configured->learned().blotted("t0ken-first t0ken-second t0ken-third") ==
        "t0ken-first <secret> <secret>");
}

TEST_CASE("a token is kept, fetched once more when it is refused, and its lack is an error") {
  Client client(kOAuth2);
  CHECK(client.errors.text() == "");
  client.ask();
  CHECK(client.asked().url == "https://login.test/t");
  client.client.desk.answer(answer(200, R"({"access_token": "t1", "expires_in": 100})"));
  CHECK(client.asked().url == "https://shop.test/");
  CHECK(client.authorization() == "Bearer t1");
  client.client.desk.answer(answer(200));
  CHECK((*client.found)->status == 200);

  client.ask();
  CHECK(client.authorization() == "Bearer t1");
  client.client.desk.answer(answer(401));
  CHECK_FALSE(client.found.has_value());
  CHECK(client.asked().url == "https://login.test/t");
  client.client.desk.answer(answer(200, R"({"access_token": "t2", "expires_in": 100})"));
  CHECK(client.authorization() == "Bearer t2");
  client.client.desk.answer(answer(401));
  CHECK((*client.found)->status == 401);

  client.ask();
  client.client.desk.answer(answer(503));
  REQUIRE_FALSE(client.found->has_value());
  CHECK(client.found->error().text == "no token from https://login.test/t: status 503");
}

TEST_CASE("a request under way outlives its configuration, and one that is dropped is silent") {
  Client client(kOAuth2);
  client.ask();
  client.configured.reset();
  client.client.desk.answer(answer(200, R"({"access_token": "t1"})"));
  CHECK(client.authorization() == "Bearer t1");
  client.pending.reset();
  CHECK(client.client.desk.waiting() == 0);
  CHECK_FALSE(client.found.has_value());
}

TEST_CASE("the other keys are written into each request") {
  Client plain("{}");
  plain.ask();
  CHECK(plain.asked().tls == nullptr);
  CHECK(plain.asked().max_redirects == 10);
  CHECK(plain.asked().http2 == http::Http2::offered);
  CHECK(plain.asked().proxy.empty());
  CHECK_FALSE(plain.asked().https_proxy.has_value());

  Client client(R"(
tls_config: {server_name: other.test, min_version: TLS13}
proxy_url: http://proxy.test:3128
no_proxy: 10.0.0.0/8
proxy_connect_header: {Proxy-Authorization: [Basic eDp5]}
follow_redirects: false
enable_http2: false
http_headers: {X-Shop: {values: [eu, de], secrets: [s3cret]}}
)");
  CHECK(client.errors.text() == "");
  client.ask();
  REQUIRE(client.asked().tls != nullptr);
  CHECK(client.asked().tls->settings().server_name == "other.test");
  CHECK(client.asked().proxy == "http://proxy.test:3128");
  CHECK(client.asked().no_proxy == "10.0.0.0/8");
  CHECK(client.asked().proxy_headers == http::Headers{{"Proxy-Authorization", "Basic eDp5"}});
  CHECK(client.asked().max_redirects == 0);
  CHECK(client.asked().http2 == http::Http2::no);
  CHECK(client.asked().headers == http::Headers{{"X-Shop", "eu"}, {"X-Shop", "de"}});
  CHECK(client.asked().private_headers == http::Headers{{"X-Shop", "s3cret"}});
}

TEST_CASE("the environment names the proxy where that is asked for, and only there") {
  ::setenv("HTTP_PROXY", "http://one.test:1", 1);
  ::setenv("https_proxy", "http://two.test:2", 1);
  Client careful("{}");
  careful.ask();
  CHECK(careful.asked().proxy.empty());
  Client client("proxy_from_environment: true");
  CHECK(client.errors.text() == "");
  client.ask();
  CHECK(client.asked().proxy == "http://one.test:1");
  CHECK(client.asked().https_proxy == "http://two.test:2");
  CHECK(client.asked().no_proxy == "localhost");
  ::setenv("NO_PROXY", "shop.test", 1);
  client.ask();
  CHECK(client.asked().no_proxy == "shop.test");
  ::setenv("HTTP_PROXY", "ftp://x", 1);
  CHECK(
      Client("proxy_from_environment: true").errors.text() ==
      "c.yml:1:25: http_config.proxy_from_environment: finds a HTTP_PROXY that must begin with http://, https:// or a "
      "kind of socks\n");
  for (const char* name : {"HTTP_PROXY", "https_proxy", "NO_PROXY"}) ::unsetenv(name);
}

TEST_CASE("what contradicts itself is said once") {
  struct Row {
    const char *yaml, *want;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"{basic_auth: {username: a, password: b, password_file: c}}",
            "basic_auth.password_file: cannot stand beside password"},
           {"{basic_auth: {password: b}}", "basic_auth.username: give either username or username_file"},
           {"{authorization: {type: Bearer}}",
            "authorization.credentials: give either credentials or credentials_file"},
           {"{basic_auth: {username: a}, authorization: {credentials: b}}",
            "authorization: cannot stand beside basic_auth"},
           {"{authorization: {credentials: b}, oauth2: {client_id: a, token_url: 'http://t/'}}",
            "oauth2: cannot stand beside basic_auth or authorization"},
           {"{oauth2: {client_id: a, client_secret: b, client_secret_file: c, token_url: 'http://t/'}}",
            "oauth2.client_secret_file: cannot stand beside client_secret"},
           {"{oauth2: {client_id: a, token_url: 'http://t/', proxy_url: 'ftp://p'}}",
            "oauth2.proxy_url: must begin with http://, https:// or a kind of socks"},
           {"{no_proxy: a}", "no_proxy: means nothing without proxy_url"},
           {"{proxy_connect_header: {A: b}}", "proxy_connect_header: means nothing without proxy_url"},
           {"{proxy_from_environment: true, proxy_url: 'http://p'}",
            "proxy_url: cannot stand beside proxy_from_environment"},
           {"{proxy_from_environment: true, no_proxy: a}",
            "no_proxy: cannot stand beside proxy_from_environment; set NO_PROXY there"},
           {"{tls_config: {ca: a, ca_file: b}}", "tls_config.ca_file: cannot stand beside ca"},
           {"{tls_config: {cert: a, cert_file: b, key: c}}", "tls_config.cert_file: cannot stand beside cert"},
           {"{tls_config: {cert: a, key: b, key_file: c}}", "tls_config.key_file: cannot stand beside key"},
           {"{tls_config: {key: b}}", "tls_config.key_file: needs both cert_file and key_file, or cert and key"},
           {"{tls_config: {ca: x}}", "tls_config: ca has no PEM in it that can be used"},
           {"{http_headers: {Authorization: {values: [a]}}}",
            "http_headers: has Authorization; write authorization, basic_auth or oauth2"},
           {"{http_headers: {A b: {values: [a]}}}", "http_headers: has a name that is none: "},
           {"{http_headers: {A: {secrets: [\"a\\nb\"]}}}",
            "http_headers: has a line break or another control character in the value of A"},
           {"{http_headers: {A: {value: [a]}}}", "http_headers.A.value: unknown key; did you mean 'values'?"},
           {"{authorization: {type: basic, credentials: a}}",
            "authorization.type: cannot be Basic; write basic_auth instead"},
           {"{bearer_token: a}", "bearer_token: is the older way: write authorization: {credentials: ...}"},
           {"{bearer_token_file: a}",
            "bearer_token_file: is the older way: write authorization: {credentials_file: ...}"},
       }) {
    CAPTURE(row.yaml);
    const std::string text = Client(row.yaml).errors.text();
    CAPTURE(text);
    CHECK(text.find(std::string(": http_config.") + row.want) != std::string::npos);
    CHECK(text.find('\n') == text.size() - 1);
  }
}

TEST_CASE("what is secret in it is known as one, and on no page") {
  fakes::TemporaryFolder folder;
  const std::string file = folder.write("header", "from-a-file-1\n");
  Client client(R"(
basic_auth: {username: shop, password: passw0rd-1}
proxy_url: http://user:pr0xy-pass@proxy.test:3128
proxy_connect_header: {Proxy-Authorization: [c0nnect-1]}
http_headers:
  X-Key: {values: [va1ue-one], secrets: [secr3t-one], files: [)" +
                file + R"(]}
tls_config: {ca: "pem-of-ca", cert: "pem-of-c3rt", key: "pem-of-k3y"}
)");
  const base::KnownSecrets known = config::secrets_of(client.node);
  const std::string shown = config::shown_config(client.node);
  for (const char* secret :
       {"passw0rd-1", "pr0xy-pass", "c0nnect-1", "va1ue-one", "secr3t-one", "from-a-file-1", "pem-of-k3y"}) {
    CAPTURE(secret);
    CHECK(known.blotted(std::string("it said ") + secret) == "it said <secret>");
    CHECK(shown.find(secret) == std::string::npos);
  }
  for (const char* open : {"username: shop", "proxy.test:3128"}) CHECK(shown.find(open) != std::string::npos);
}
