// What all sources have in common, and the targets that the configuration itself names.
#include "discover/source.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/file.h"
#include "config/redact.h"
#include "discover/registry.h"
#include "fakes/source_file.h"
#include "source_site.h"

namespace {

using namespace std::chrono_literals;

std::string mistakes(const std::string& key, const std::string& entry) {
  config::Errors errors;
  const config::Node node = config::Node::parse(entry, "f", errors);
  (void)discover::parse_entry(*discover::types().find(key), node, "sd", {"edge", "/etc"}, errors);
  return errors.text();
}

std::string identity(const std::string& key, const std::string& entry) {
  config::Errors errors;
  const config::Node node = config::Node::parse(entry, "f", errors);
  return discover::parse_entry(*discover::types().find(key), node, "sd", {"edge", "/etc"}, errors).identity;
}

}  // namespace

TEST_CASE("every source is documented, with an example that is right, and the documentation names it") {
  const std::string page = base::read_file(fakes::source_file("packaging/doc/discovery.md")).value();
  for (const discover::Type* type : discover::types()) {
    CAPTURE(type->key);
    CHECK(discover::types().find(type->key) == type);
    CHECK(type->summary.ends_with("."));
    CHECK(page.find("`" + std::string(type->key) + "`") != std::string::npos);
    std::set<std::string> keys;
    for (const config::KeyReference& key : type->reference()) {
      CHECK(key.help.size() > 10);
      CHECK(keys.insert(key.key).second);
    }
    for (const config::KeyReference& key : config::target_template_schema().reference()) CHECK(keys.contains(key.key));
    config::Errors errors;
    const config::Node example = config::Node::parse(type->example, "example", errors);
    REQUIRE(example.find(type->key).items().size() == 1);
    const config::Node entry = example.find(type->key).items()[0];
    (void)discover::parse_entry(*type, entry, "sd", {"edge", "/etc"}, errors);
    CHECK(config::target_template_schema().parse_beside(entry, "sd", errors).probe.is_mapping());
    CHECK(errors.text() == "");
  }
  CHECK(discover::types().find("zookeeper") == nullptr);
}

TEST_CASE("what is wrong in an entry is said") {
  struct Row {
    const char *key, *entry, *want;
  };
  for (const Row& row : {
           Row{"file_sd_configs", "{files: [a.yml], probe: {type: tcp}, allow_labels: [method]}", ""},
           Row{"file_sd_configs", "{probe: {}}", "f:1:1: sd: the required key 'files' is missing\n"},
           Row{"file_sd_configs", "{files: []}", "f:1:9: sd.files: must name a file or a pattern\n"},
           Row{"file_sd_configs", "{files: [a.txt]}", "f:1:9: sd.files: must end in .json, .yml or .yaml\n"},
           Row{"file_sd_configs", "{files: [a.yml], refresh_interval: 1ms}",
               "f:1:36: sd.refresh_interval: must be at least 1s\n"},
           Row{"file_sd_configs", "{files: [a.yml], prob: {}}",
               "f:1:18: sd.prob: unknown key; did you mean 'probe'?\n"},
           Row{"docker_sd_configs", "{host: 'tcp://10.0.0.7:2375', probe: {type: tcp}}", ""},
           Row{"docker_sd_configs", "{probe: {}}", "f:1:1: sd: the required key 'host' is missing\n"},
           Row{"docker_sd_configs", "{host: 'unix://docker.sock'}",
               "f:1:8: sd.host: needs an absolute path behind unix://, as in unix:///run/docker.sock\n"},
           Row{"docker_sd_configs", "{host: 'unix:///run/docker.sock', port: 0, refresh_interval: 1ms}",
               "f:1:41: sd.port: must be between 1 and 65535\nf:1:62: sd.refresh_interval: must be at least 1s\n"},
           Row{"docker_sd_configs", "{host: 'unix:///run/docker.sock', filters: [{name: label}]}",
               "f:1:45: sd.filters[0]: the required key 'values' is missing\n"},
           Row{"kubernetes_sd_configs", "{role: pod, probe: {type: tcp}}", ""},
           Row{"kubernetes_sd_configs", "{probe: {}}", "f:1:1: sd: the required key 'role' is missing\n"},
           Row{"kubernetes_sd_configs", "{role: node, api_server: 'k', namespaces: {names: [A]}}",
               "f:1:51: sd.namespaces.names: 'A' is no namespace\n"},
           Row{"kubernetes_sd_configs", "{role: node, api_server: k}",
               "f:1:8: sd.role: must be pod: other roles are not known\n"
               "f:1:26: sd.api_server: must be http:// or https:// and a host, such as https://10.0.0.7:6443\n"},
           Row{"kubernetes_sd_configs", "{role: pod, selectors: [{role: pod}, {role: pod}]}",
               "f:1:24: sd.selectors: has more than one of role pod\n"},
           Row{"kubernetes_sd_configs", "{role: pod, selectors: [{role: node, label: a=b}]}",
               "f:1:32: sd.selectors[0].role: must be pod: other roles are not known\n"},
           Row{"consul_sd_configs", "{probe: {type: tcp}}", ""},
           Row{"consul_sd_configs", "{server: 'a b', scheme: ftp}",
               "f:1:10: sd.server: 'a b' must not contain white space or control characters\n"
               "f:1:25: sd.scheme: must be http or https\n"},
           Row{"consul_sd_configs", "{refresh_interval: 1h, path_prefix: consul}",
               "f:1:20: sd.refresh_interval: must be between 1s and 10m\n"
               "f:1:37: sd.path_prefix: must begin with a slash and end with none\n"},
           Row{"consul_sd_configs", "{token: t, basic_auth: {username: u, password: p}}",
               "f:1:9: sd.token: cannot stand beside another login\n"},
           Row{"static_configs", "{targets: [a:1], labels: {zone: eu}, probe: {type: tcp}}", ""},
           Row{"static_configs", "{labels: {}}", "f:1:1: sd: the required key 'targets' is missing\n"},
           Row{"static_configs", "{targets: ['']}", "f:1:11: sd.targets: has an empty one\n"},
           Row{"static_configs", "[]", "f:1:1: sd: expected a mapping, got a list\n"},
       }) {
    CAPTURE(row.entry);
    CHECK(mistakes(row.key, row.entry) == row.want);
  }
}

TEST_CASE("an entry is the same source whatever its template, its layout and its place") {
  CHECK(identity("static_configs", "{targets: [a:1], probe: {type: tcp}}") ==
        identity("static_configs", "targets: ['a:1']\nprobe: {type: http}\nallow_labels: [method]\n"));
  CHECK(identity("static_configs", "{targets: [a:1]}") != identity("static_configs", "{targets: [a:2]}"));
  CHECK(identity("static_configs", "{targets: [a:1]}") != identity("file_sd_configs", "{targets: [a:1]}"));
}

TEST_CASE("targets of the configuration itself have its labels, once each") {
  fakes::FakeLoop loop;
  fakes::FakeHttp http(loop);
  fakes::FakeResolver resolver(loop);
  NoFolders folders;
  config::Errors errors;
  const config::Node node = config::Node::parse("{targets: [a:1, b:2, a:1], labels: {zone: eu}}", "f", errors);
  const auto source = discover::static_configs_source.parse(node, "sd", {"edge", "/etc"}, errors)
                          ->make({loop, folders, http, resolver}, [] { FAIL("nothing changes"); });
  REQUIRE(errors.empty());
  const auto check_list = [&] {
    REQUIRE(source->lists().size() == 1);
    const discover::TargetList& list = *source->lists()[0];
    CHECK(list.name == "services.edge.static_configs");
    CHECK(list.targets == std::vector<discover::Target>{{"a:1", {{"zone", "eu"}}}, {"b:2", {{"zone", "eu"}}}});
    CHECK(list.refreshed);
    CHECK(list.error.empty());
  };
  check_list();
  source->refresh();
  loop.advance(1h);
  check_list();
}

TEST_CASE("a list keeps its last good answer, and of endless mistakes a part") {
  const base::WallTime now = base::wall_from_ms(1'700'000'000'000);
  discover::TargetList list{"http://catalogue"};
  CHECK(list.keep("refused", now));  // never answered
  CHECK_FALSE(list.refreshed);
  CHECK(list.failing_since == now);
  CHECK(list.take({}, now + 1s));
  CHECK(list.refreshed == now + 1s);
  CHECK_FALSE(list.take({}, now + 2s));
  CHECK(list.refreshed == now + 2s);
  CHECK(list.take({{"a:1", {}}}, now + 3s));
  CHECK(list.keep("refused\n", now + 4s));
  CHECK_FALSE(list.keep("refused", now + 5s));
  CHECK(list.keep("timeout", now + 6s));
  CHECK(list.failing_since == now + 4s);
  CHECK(list.targets.size() == 1);
  CHECK(list.refreshed == now + 3s);
  CHECK(list.take({{"a:1", {}}}, now + 7s));
  CHECK(list.error.empty());
  std::string endless;
  for (int i = 0; i < 5000; ++i) endless += "f:1:1: wrong\n";
  CHECK(list.keep(endless, now));
  CHECK(list.error.ends_with("f:1:1: wrong\nand 4000 more mistakes"));
}
