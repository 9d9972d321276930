#include "config/redact.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/schema.h"

namespace {

struct Login {
  std::string username;
  base::Secret password;
  std::string password_file;
};

struct Settings {
  std::string host, url, hook, body, motto;
  int port = 0;
  base::Millis timeout{0};
  model::Labels labels;
  std::vector<std::string> command, urls;
  std::map<std::string, std::string> headers, environment, variables;
  std::optional<Login> basic_auth;
  std::vector<Login> logins;
  config::Node later;
};

const config::Schema<Login>& login_schema() {
  static const auto s = config::Schema<Login>("basic_auth")
                            .optional("username", &Login::username, "")
                            .optional("password", &Login::password, "")
                            .optional("password_file", &Login::password_file, "");
  return s;
}

const config::Schema<Settings>& schema() {
  static const auto s = config::Schema<Settings>("settings")
                            .optional("host", &Settings::host, "")
                            .optional("url", &Settings::url, "")
                            .optional("hook", &Settings::hook, "")
                            .optional("body", &Settings::body, "")
                            .optional("motto", &Settings::motto, "")
                            .optional("port", &Settings::port, "")
                            .optional("timeout", &Settings::timeout, "")
                            .optional("labels", &Settings::labels, "")
                            .optional("command", &Settings::command, "")
                            .optional("urls", &Settings::urls, "")
                            .optional("headers", &Settings::headers, "")
                            .optional("environment", &Settings::environment, "")
                            .optional("variables", &Settings::variables, "")
                            .optional("basic_auth", &Settings::basic_auth, login_schema(), "")
                            .list("logins", &Settings::logins, login_schema(), "")
                            .optional("later", &Settings::later, "")
                            .shows({"motto"})
                            .shows_origin("hook");
  return s;
}

config::Node parsed(const std::string& text, config::Errors& errors) {
  config::Node node = config::Node::parse(text, "f.yml", errors);
  (void)schema().parse(node, "top", errors);
  return node;
}

}  // namespace

TEST_CASE("a page shows what its schema says is harmless, and nothing else") {
  struct Row {
    std::string name, input, want;
  };
  const std::vector<Row> rows = {
      {"numbers, times, labels", "{port: 80, timeout: 2s, labels: {a: b}, host: shop.test}",
       "port: 80\ntimeout: 2s\nlabels:\n  a: b\nhost: shop.test\n"},
      {"text that nobody has thought about", "body: '{\"password\": \"hunter2\"}'", "body: <secret>\n"},
      {"text that somebody has", "motto: fine", "motto: fine\n"},
      {"block text", "body: |\n  hunter2\n  more\nport: 1\n", "body: <secret>\nport: 1\n"},
      {"a password", "basic_auth: {username: shop, password: hunter2, password_file: /etc/pw}",
       "basic_auth:\n  username: shop\n  password: <secret>\n  password_file: /etc/pw\n"},
      {"a secret in the place of its file", "basic_auth: {password_file: hunter2}",
       "basic_auth:\n  password_file: <secret>\n"},
      {"in a list", "logins: [{password: hunter2}]", "logins:\n  -\n    password: <secret>\n"},
      {"an address", "url: \"http://u:hunter2@h:1/p?key=hunter2&sig=hunter2&auth=hunter2&deep=1\"",
       "url: \"http://<secret>@h:1/p?key=<secret>&sig=<secret>&auth=<secret>&deep=1\"\n"},
      {"a list of addresses", "urls: [\"http://hunter2@h/\", \"http://h/\"]",
       "urls:\n  - \"http://<secret>@h/\"\n  - \"http://h/\"\n"},
      {"an address whose path is a secret", "hook: \"https://hooks.test/services/T0/hunter2\"",
       "hook: \"https://hooks.test/<secret>\"\n"},
      {"a command", "command: [/bin/check, --password, hunter2, --token=hunter2, -p, hunter2, -w, 10%, -H, db]",
       "command:\n  - /bin/check\n  - \"--password\"\n  - <secret>\n  - \"--token=<secret>\"\n  - \"-p\"\n  - "
       "<secret>\n"
       "  - \"-w\"\n  - \"10%\"\n  - \"-H\"\n  - db\n"},
      {"headers", "headers: {X-Auth: hunter2, X-Key: hunter2, Accept: text/html}",
       "headers:\n  X-Auth: <secret>\n  X-Key: <secret>\n  Accept: text/html\n"},
      {"an environment", "environment: {MYSQL_PWD: hunter2, PATH: /bin}",
       "environment:\n  MYSQL_PWD: <secret>\n  PATH: /bin\n"},
      {"variables with names of headers", "variables: {Host: hunter2, pin: 1234}",
       "variables:\n  Host: <secret>\n  pin: <secret>\n"},
      {"what is parsed later, by nobody", "later: {host: hunter2, list: [1]}",
       "later:\n  host: <secret>\n  list:\n    - <secret>\n"},
      {"an alias that a public key shows, too", "{basic_auth: {password: &p hunter2}, host: *p}",
       "basic_auth:\n  password: <secret>\nhost: <secret>\n"},
      {"the other way round", "{host: &p hunter2, basic_auth: {password: *p}}",
       "host: <secret>\nbasic_auth:\n  password: <secret>\n"},
      {"a key that YAML wants a sign for", "headers:\n  ? " + std::string(1'100, 'k') + "\n  : a\n",
       "headers:\n  ? " + std::string(1'100, 'k') + "\n  : <secret>\n"},
      {"a comment", "port: 1  # hunter2\n", "port: 1\n"},
      {"nothing", "{urls: [], headers: {}, labels: {}}", "urls: []\nheaders: {}\nlabels: {}\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    config::Errors errors;
    const std::string shown = config::shown_config(parsed(row.input, errors));
    CHECK(shown == row.want);
    const config::Node again = config::Node::parse(shown, "shown.yml", errors);
    CHECK(again.entries().size() == config::Node::parse(row.input, "f.yml", errors).entries().size());
    CHECK(errors.text() == "");
  }
}

TEST_CASE("what a key withholds is a secret wherever it comes back") {
  struct Row {
    std::string input, said, want;
  };
  for (const Row& row :
       {Row{"basic_auth: {password: hunter2}", "ERR you said hunter2!", "ERR you said <secret>!"},
        Row{"headers: {X-Auth: abc-DEF}", "unknown key abc-DEF", "unknown key <secret>"},
        Row{"headers: {Host: shop.test}", "the certificate is for shop.test", "the certificate is for shop.test"},
        Row{"headers: {Authorization: Bearer tok3n.x}", "got tok3n.x", "got <secret>"},
        Row{"body: '{\"pin\":\"4711\", \"user\": \"bob\"}'", "pin 4711 of bob is wrong",
            "pin <secret> of bob is wrong"},
        Row{"body: \"AUTH 0pensesame\"", "never heard of 0pensesame", "never heard of <secret>"},
        Row{"url: \"http://u:p%40ss@h/?sig=abcdef99\"", "p@ss p%40ss abcdef99", "<secret> <secret> <secret>"},
        Row{"command: [mysqladmin, -phunter2, ping]", "denied (hunter2)", "denied (<secret>)"},
        Row{"hook: \"https://h/services/T0/B1\"", "POST /services/T0/B1: 404", "POST <secret>: 404"},
        Row{"hook: \"https://h/fettle\"", "cannot read /etc/fettle/key", "cannot read /etc/fettle/key"},
        Row{"basic_auth: {username: u, password: hunter2}", "dTpodW50ZXIy", "<secret>"},
        Row{"url: \"http://u:p%40ss@h/\"", "dTpwQHNz dTpwQHNz", "<secret> <secret>"},
        Row{"headers: {Authorization: Basic dTpodW50ZXIy}", "dTpodW50ZXIy u:hunter2 hunter2",
            "<secret> <secret> <secret>"},
        Row{"basic_auth: {password_file: whsec_SEKRETabc}", "cannot read whsec_SEKRETabc", "cannot read <secret>"},
        Row{"basic_auth: {password_file: whsec_SEK/RET}", "cannot read whsec_SEK/RET", "cannot read <secret>"},
        Row{"basic_auth: {password_file: /etc/fettle/pw}", "cannot read /etc/fettle/pw", "cannot read /etc/fettle/pw"},
        Row{"variables: {pin: 4711}", "4711 and 14711", "<secret> and 14711"},
        Row{"host: shop", "no such host shop", "no such host shop"}}) {
    CAPTURE(row.input);
    config::Errors errors;
    CHECK(config::secrets_of(parsed(row.input, errors)).blotted(row.said) == row.want);
    CHECK(errors.text() == "");
  }
}

TEST_CASE("an error does not repeat what stands in the place of a secret") {
  for (const char* input :
       {"basic_auth: hunter2", "headers: hunter2", "environment: {a: [hunter2]}", "variables: [hunter2]",
        "basic_auth: {password: [hunter2]}", "logins: [hunter2]", "logins: hunter2", "urls: \"http://u:hunter2@h\""}) {
    CAPTURE(input);
    config::Errors errors;
    const config::Node node = parsed(input, errors);
    REQUIRE_FALSE(errors.empty());
    errors.blot(config::secrets_of(node));
    CHECK(errors.text().find("hunter2") == std::string::npos);
    CHECK(config::shown_config(node).find("hunter2") == std::string::npos);
  }
}
