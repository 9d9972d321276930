#include "config/schema.h"
#include "net/tls/tls.h"
#include "probe/common/probe_schema.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Tls {
  bool verify = true;
  base::Secret key;
};

struct Settings {
  std::string url;
  base::Millis timeout{2000};
  int port = 80;
  double ratio = 0.5;
  std::size_t limit = 10;
  bool follow = false;
  std::vector<std::string> args;
  std::map<std::string, std::string> headers;
  model::Labels labels;
  std::optional<Tls> tls;
  std::vector<Tls> more;
  std::vector<std::pair<std::string, Tls>> by_name;
  config::Node place;
};

const config::Schema<Tls>& tls_schema() {
  static const auto s = config::Schema<Tls>("tls")
                            .optional("verify", &Tls::verify, "Check the certificate.")
                            .optional("key", &Tls::key, "The key.");
  return s;
}

const config::Schema<Settings>& schema() {
  static const auto s = config::Schema<Settings>("test")
                            .required("url", &Settings::url, "Where.")
                            .optional("timeout", &Settings::timeout, "How long.")
                            .optional("port", &Settings::port, "Port.")
                            .optional("ratio", &Settings::ratio, "Ratio.")
                            .optional("limit", &Settings::limit, "Limit.")
                            .optional("follow", &Settings::follow, "Follow.")
                            .optional("args", &Settings::args, "Arguments.")
                            .optional("headers", &Settings::headers, "Headers.")
                            .optional("labels", &Settings::labels, "Labels.")
                            .optional("tls", &Settings::tls, tls_schema(), "TLS.")
                            .list("more", &Settings::more, tls_schema(), "More.")
                            .named("by_name", &Settings::by_name, tls_schema(), "By name.")
                            .place(&Settings::place)
                            .check([](const Settings& v, const config::Complain& complain) {
                              if (v.port > 65535) complain("port", "must be at most 65535");
                              if (v.limit > 99) complain("timeout", "must be given when limit is above 99");
                            });
  return s;
}

std::string mistakes_of(const std::string& text) {
  config::Errors errors;
  const config::Node node = config::Node::parse(text, "f.yml", errors);
  (void)schema().parse(node, "top", errors);
  return errors.text();
}

}  // namespace

TEST_CASE("every kind of wrong value is answered with what was expected and found") {
  struct Row {
    std::string name, input, want;
  };
  const std::vector<Row> rows = {
      {"all is well", "url: x", ""},
      {"no mapping", "[url]", "f.yml:1:1: top: expected a mapping, got a list\n"},
      {"nothing at all", "", "top: has no value: expected a mapping\n"},
      {"a required key is missing", "port: 1", "f.yml:1:1: top: the required key 'url' is missing\n"},
      {"a slip", "url: x\ntimeuot: 1s", "f.yml:2:1: top.timeuot: unknown key; did you mean 'timeout'?\n"},
      {"no slip", "url: x\nzzzzzz: 1s",
       "f.yml:2:1: top.zzzzzz: unknown key; known here: url, timeout, port, ratio, limit, follow, args, headers, "
       "labels, tls, more, by_name\n"},
      {"twice", "url: x\nurl: y", "f.yml:2:1: url: given twice; the first is in line 1\n"},
      {"empty value", "url:\nport: ~",
       "f.yml:1:1: top.url: has no value: expected a string\nf.yml:2:7: top.port: has no value: expected a whole "
       "number\n"},
      {"a bare number as duration", "url: x\ntimeout: 5",
       "f.yml:2:10: top.timeout: expected a duration such as 500ms or 2s, got '5': a number needs a unit\n"},
      {"zero is a duration", "url: x\ntimeout: 0", ""},
      {"a quoted duration", "url: x\ntimeout: \"5s\"", ""},
      {"a hexadecimal number", "url: x\nport: 0x10", "f.yml:2:7: top.port: expected a whole number, got '0x10'\n"},
      {"an octal number", "url: x\nport: 010", "f.yml:2:7: top.port: expected a whole number, got '010'\n"},
      {"underscores", "url: x\nport: 1_000", "f.yml:2:7: top.port: expected a whole number, got '1_000'\n"},
      {"a quoted number", "url: x\nport: '80'",
       "f.yml:2:7: top.port: expected a whole number, got '80' in quotes: write it without them\n"},
      {"too large", "url: x\nport: 99999999999", "f.yml:2:7: top.port: the number '99999999999' is too large\n"},
      {"negative", "url: x\nlimit: -1", "f.yml:2:8: top.limit: must not be negative, got '-1'\n"},
      {"not a number", "url: x\nratio: .nan", "f.yml:2:8: top.ratio: expected a number such as 0.5, got '.nan'\n"},
      {"infinite", "url: x\nratio: inf", "f.yml:2:8: top.ratio: expected a number such as 0.5, got 'inf'\n"},
      {"yes is not true", "url: x\nfollow: yes", "f.yml:2:9: top.follow: expected true or false, got 'yes'\n"},
      {"a list as string", "url: [x]", "f.yml:1:6: top.url: expected a string, got a list\n"},
      {"a string as list", "url: x\nargs: a", "f.yml:2:7: top.args: expected a list, got a string\n"},
      {"a wrong item", "url: x\nargs: [a, [b]]", "f.yml:2:7: top.args: item 1: expected a string, got a list\n"},
      {"a wrong map value", "url: x\nheaders: {a: {}}",
       "f.yml:2:10: top.headers: 'a': expected a string, got a mapping\n"},
      {"a wrong label name", "url: x\nlabels: {a-b: c}",
       "f.yml:2:9: top.labels: 'a-b' is no label name: letters, digits and _ are allowed, no digit first, not "
       "__name__\n"},
      {"inside an inner mapping", "url: x\ntls: {verfy: true}",
       "f.yml:2:7: top.tls.verfy: unknown key; did you mean 'verify'?\n"},
      {"a secret is not repeated", "url: x\ntls: {key: {hunter2: 1}}",
       "f.yml:2:12: top.tls.key: expected a string, got a mapping\n"},
      {"inside a list", "url: x\nmore:\n  - {verify: true}\n  - {verify: 1}",
       "f.yml:4:14: top.more[1].verify: expected true or false, got '1'\n"},
      {"inside a named mapping", "url: x\nby_name: {a.b: {verify: 1}}",
       "f.yml:2:25: top.by_name[\"a.b\"].verify: expected true or false, got '1'\n"},
      {"a rule between keys", "url: x\nport: 70000\nlimit: 100",
       "f.yml:1:1: top.timeout: must be given when limit is above 99\nf.yml:2:7: top.port: must be at most 65535\n"},
      {"rules wait until the values are right", "url: x\nport: 70000\nlimit: x",
       "f.yml:3:8: top.limit: expected a whole number, got 'x'\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(mistakes_of(row.input) == row.want);
  }
}

TEST_CASE("values arrive where the schema says, and the rest keeps its initialiser") {
  config::Errors errors;
  const config::Node node = config::Node::parse(
      "url: http://x/\nport: 8080\nratio: 1e-3\nfollow: true\nargs: [a, 5]\nheaders: {b: 'c'}\nlabels: {tier: web}\n"
      "tls: {key: k}\nmore: [{verify: false}]\nby_name: {one: {}}\n",
      "f.yml", errors);
  const Settings s = schema().parse(node, "", errors);
  REQUIRE(errors.text() == "");
  CHECK(s.url == "http://x/");
  CHECK(s.timeout == base::Millis{2000});
  CHECK(s.port == 8080);
  CHECK(s.ratio == 1e-3);
  CHECK(s.follow);
  CHECK(s.args == std::vector<std::string>{"a", "5"});
  CHECK(s.headers.at("b") == "c");
  CHECK(s.labels.to_string() == "{tier=\"web\"}");
  REQUIRE(s.tls);
  CHECK(s.tls->key.reveal() == "k");
  REQUIRE(s.more.size() == 1);
  CHECK_FALSE(s.more[0].verify);
  REQUIRE(s.by_name.size() == 1);
  CHECK(s.by_name[0].first == "one");
  CHECK(s.place.mark().line == 1);
}

TEST_CASE("a word out of a list suggests the nearest one") {
  std::string why;
  std::size_t index = 9;
  config::Errors errors;
  const auto read = [&](const std::string& text) {
    why.clear();
    return config::read_one_of(config::Node::parse(text, "f", errors), {"dry_run", "ask", "enforce"}, index, why);
  };
  CHECK(read("ask"));
  CHECK(index == 1);
  CHECK_FALSE(read("enforced"));
  CHECK(why == "expected one of dry_run, ask, enforce, got 'enforced'; did you mean 'enforce'?");
  CHECK_FALSE(read("[ask]"));
  CHECK(why == "expected one of dry_run, ask, enforce, got a list");
}

TEST_CASE("the reference has every key with its default from the initialiser") {
  const std::vector<config::KeyReference>& keys = schema().reference();
  REQUIRE(keys.size() == 12);
  CHECK(keys[0].required);
  CHECK(keys[1].key == "timeout");
  CHECK(keys[1].fallback == "2s");
  CHECK(keys[3].fallback == "0.5");
  CHECK(keys[9].inner.size() == 2);
  CHECK(keys[9].inner[0].fallback == "true");
}

namespace {

struct Client {
  bool follow = true;
  std::string token;
  std::vector<std::string> values;
};
struct Common {
  Client client;
};
struct Probe : Common {
  std::string url;
};

const config::Schema<Probe>& probe_schema() {
  static const auto client = config::Schema<Client>("client")
                                 .optional("follow", &Client::follow, "Follow.")
                                 .optional("token", &Client::token, "The token.")
                                 .optional("values", &Client::values, "Values.")
                                 .withholds({"values"})
                                 .check([](const Client& c, const config::Complain& complain) {
                                   if (c.token == "bad") complain("token", "is bad");
                                 });
  static const auto s = config::Schema<Probe>("probe")
                            .required("url", &Probe::url, "Where.")
                            .inlined(static_cast<Client Probe::*>(&Common::client), client);
  return s;
}

}  // namespace

TEST_CASE("a schema may have the keys and the rules of another one as its own") {
  const auto parse = [](const std::string& yaml, Probe& out) {
    config::Errors errors;
    const config::Node node = config::Node::parse(yaml, "t.yml", errors);
    out = probe_schema().parse(node, "p", errors);
    CHECK(node.find("follow").exposure() == config::Exposure::shown);
    CHECK(node.find("values").exposure() != config::Exposure::shown);
    return errors.text();
  };
  Probe probe;
  CHECK(parse("{url: u, follow: false, token: t, values: [a]}", probe) == "");
  CHECK(probe.url == "u");
  CHECK_FALSE(probe.client.follow);
  CHECK(probe.client.token == "t");
  CHECK(parse("{url: u, follow: true, token: bad, values: []}", probe) == "t.yml:1:31: p.token: is bad\n");
  CHECK(parse("{url: u, follow: true, tokn: x, values: []}", probe) ==
        "t.yml:1:24: p.tokn: unknown key; did you mean 'token'?\n");
  REQUIRE(probe_schema().reference().size() == 4);
  CHECK(probe_schema().reference()[1].fallback == "true");
}

TEST_CASE("two schemas read one mapping, and a key of neither is one mistake") {
  struct Common {
    base::Millis interval{5000};
    int port = 0;
    config::Node place;
  };
  struct Own {
    std::string host;
    std::vector<std::string> items;
  };
  const auto common = config::Schema<Common>("common")
                          .optional("interval", &Common::interval, "How often.")
                          .required("port", &Common::port, "Port.")
                          .place(&Common::place)
                          .check([](const Common& c, const config::Complain& complain) {
                            if (c.port > 65535) complain("port", "must be at most 65535");
                          });
  const auto own = config::Schema<Own>("own")
                       .required("host", &Own::host, "Where.")
                       .beside(common)
                       .items("lists", "Lists that others read.", [](Own& o, const config::Node& item, std::size_t at) {
                         o.items.push_back(std::to_string(at) + item.scalar());
                       });
  struct Row {
    const char *text, *mistakes;
  };
  for (const Row& row : {
           Row{"{host: a, port: 1, interval: 2s, lists: [x, y]}", ""},
           Row{"{host: a, port: 1, intervall: 2s}", "f:1:20: p.intervall: unknown key; did you mean 'interval'?\n"},
           Row{"{host: a}", "f:1:1: p: the required key 'port' is missing\n"},
           Row{"{port: 1}", "f:1:1: p: the required key 'host' is missing\n"},
           Row{"{host: a, port: 70000}", "f:1:17: p.port: must be at most 65535\n"},
           Row{"{host: a, port: x}", "f:1:17: p.port: expected a whole number, got 'x'\n"},
           Row{"{host: a, port: 1, lists: x}", "f:1:27: p.lists: expected a list, got a string\n"},
       }) {
    CAPTURE(row.text);
    config::Errors errors;
    const config::Node node = config::Node::parse(row.text, "f", errors);
    const Own o = own.parse(node, "p", errors);
    const Common c = common.parse_beside(node, "p", errors);
    CHECK(errors.text() == row.mistakes);
    if (!errors.empty()) continue;
    CHECK(o.host == "a");
    CHECK(o.items == std::vector<std::string>{"0x", "1y"});
    CHECK(c.interval == base::Millis{2000});
    CHECK(c.place.mark().line == 1);
  }
  REQUIRE(own.reference().size() == 4);
  CHECK(own.reference()[1].fallback == "5s");
  CHECK(own.reference()[2].required);
  CHECK(own.reference()[3].fallback == "[]");
}
