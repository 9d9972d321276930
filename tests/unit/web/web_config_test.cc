#include "web/server/web_config.h"

#include <doctest/doctest.h>

#include <string>

namespace {
const std::string kHash = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
}

TEST_CASE("the exporter toolkit's file is read, paths beside it") {
  const auto config = web::parse_web_config(
      "tls_server_config:\n  cert_file: server.crt\n  key_file: /etc/ssl/server.key\n  client_ca_file: ca.crt\n"
      "  client_auth_type: RequireAndVerifyClientCert\n  min_version: TLS13\n"
      "basic_auth_users:\n  alice: " +
          kHash + "\nhttp_server_config: {http2: true}\n",
      "/etc/fettle/web.yml");
  REQUIRE(config);
  CHECK(config->tls);
  CHECK(config->files.cert_file == "/etc/fettle/server.crt");
  CHECK(config->files.key_file == "/etc/ssl/server.key");
  CHECK(config->files.client_ca_file == "/etc/fettle/ca.crt");
  CHECK(config->files.client == web::ClientCertificate::required);
  CHECK(config->files.require_tls13);
  REQUIRE(config->users.size() == 1);
  CHECK(config->users[0].name == "alice");
}

TEST_CASE("an empty file asks for nothing") {
  const auto config = web::parse_web_config("", "web.yml");
  REQUIRE(config);
  CHECK_FALSE(config->tls);
  CHECK(config->users.empty());
}

TEST_CASE("mistakes are named with their places") {
  struct Row {
    std::string name, text, want;
  };
  const Row rows[] = {
      {"no hash", "basic_auth_users: {bob: secret}\n",
       "web.yml:1:19: basic_auth_users: the password of 'bob' is no bcrypt hash ($2y$10$ and 56 more characters); make "
       "one "
       "with: htpasswd -nBC 10 bob"},
      {"verify against whom",
       "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert}\n",
       "web.yml:1:66: tls_server_config.client_auth_type: needs client_ca_file, to verify against"},
      {"everybody in", "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAnyClientCert}\n",
       "web.yml:1:66: tls_server_config.client_auth_type: would let everybody in; use VerifyClientCertIfGiven or "
       "RequireAndVerifyClientCert"},
      {"a typing mistake", "tls_server_config: {cert_file: a, key_fil: b}\n", "did you mean"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto config = web::parse_web_config(row.text, "web.yml");
    REQUIRE_FALSE(config);
    CAPTURE(config.error().text);
    CHECK(config.error().text.find(row.want) != std::string::npos);
  }
}

TEST_CASE("a file that is not there is named") {
  const auto config = web::load_web_config("/nonexistent/web.yml");
  REQUIRE_FALSE(config);
  CHECK(config.error().text.find("/nonexistent/web.yml") != std::string::npos);
}
