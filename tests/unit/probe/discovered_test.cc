// Targets and a template make probes.
#include "probe/discovered.h"

#include <doctest/doctest.h>

#include <string>

#include "config/agent_config.h"
#include "probe/registry.h"

namespace {

using namespace std::chrono_literals;

struct Made {
  config::Errors errors;
  std::optional<probe::ProbeTemplate> made;
  explicit Made(const std::string& yaml, const std::vector<std::string>& allow_labels = {}) {
    config::Service service;
    service.unit = "edge.service";
    service.healthy_probes = 1;
    config::Global global;
    global.interval = 10s;
    global.timeout = 2s;
    config::TargetTemplate own;
    own.probe = config::Node::parse(yaml, "fettle.yml", errors);
    own.allow_labels = allow_labels;
    own.place = config::Node::parse("{files: [t.json], allow_labels: []}", "fettle.yml", errors);
    made.emplace("edge", service, global, own, "sd", errors);
  }
  // The settings of a target in one line, or why there are none.
  std::string text(const std::string& address, const model::Labels& labels = {}) const {
    const auto found = spec(address, labels);
    return found ? found->settings_text : found.error().text;
  }
  base::Result<probe::Spec> spec(const std::string& address, const model::Labels& labels = {}) const {
    return made->spec(std::string(labels.get("__meta_filepath")), address, labels, probe::BlackboxModules());
  }
};

}  // namespace

TEST_CASE("a template and a target make a probe, which the target's labels change") {
  struct Row {
    const char *yaml, *address;
    model::Labels labels;
    const char *name, *target, *own_labels;
    base::Millis interval = 10s, timeout = 2s;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"{type: tcp}", "10.0.0.7:80", {}, "tcp@10.0.0.7:80", "10.0.0.7:80", R"({target="10.0.0.7:80"})"},
           {"{type: tcp, name: port, labels: {team: shop, zone: any}}",
            "a:1",
            {{"zone", "eu"}, {"__meta_filepath", "/t.yml"}},
            "port@a:1",
            "a:1",
            R"({target="a:1", team="shop", zone="eu"})"},
           {"{type: http}", "a:80", {}, "http@a:80", "http://a:80", R"({target="a:80"})"},
           {"{type: http}", "https://a/x", {}, "http@https://a/x", "https://a/x", R"({target="https://a/x"})"},
           {"{type: http}",
            "a:443",
            {{"__scheme__", "https"}, {"__metrics_path__", "/healthz"}},
            "http@a:443",
            "https://a:443/healthz",
            R"({target="a:443"})"},
           {"{type: http, url: 'http://${target}/${path}?x=1'}",
            "a:80",
            {{"path", "ready"}},
            "http@a:80",
            "http://a:80/ready?x=1",
            R"({path="ready", target="a:80"})"},
           {"{type: websocket}", "a:80", {}, "websocket@a:80", "ws://a:80", R"({target="a:80"})"},
           {"{type: icmp}", "::1", {}, "icmp@::1", "::1", R"({target="::1"})"},
           {"{type: unix}", "/run/a", {}, "unix@/run/a", "/run/a", R"({target="/run/a"})"},
           {"{interval: 7s}",
            "a:1",
            {{"__param_module", "tcp_connect"}},
            "tcp_connect@a:1",
            "a:1",
            R"({target="a:1"})",
            7s},
           {"{type: http, name: seen}",
            "a:1",
            {{"__param_module", "http_2xx"}},
            "seen@a:1",
            "http://a:1",
            R"({target="a:1"})"},
           {"{type: http}",
            "a:80",
            {{"target", "b:80"}, {"service", "other"}},
            "http@a:80",
            "http://a:80",
            R"({service="other", target="a:80"})"},
           {"{type: tcp}",
            "a:1",
            {{"__scrape_interval__", "3s"}, {"__scrape_timeout__", "500ms"}},
            "tcp@a:1",
            "a:1",
            R"({target="a:1"})",
            3s,
            500ms},
           {"{type: tcp}",
            "a:1",
            {{"__probe_interval", "1m"}, {"__probe_name", "front"}},
            "front",
            "a:1",
            R"({target="a:1"})",
            60s},
           {"{type: http}",
            "a:1",
            {{"__probe_valid_status_codes", "[404]"}},
            "http@a:1",
            "http://a:1",
            R"({target="a:1"})"},
       }) {
    CAPTURE(row.yaml);
    CAPTURE(row.address);
    const Made made(row.yaml);
    CHECK(made.errors.text() == "");
    const auto spec = made.spec(row.address, row.labels);
    REQUIRE_MESSAGE(spec.has_value(), spec.error().text);
    CHECK(spec->service == "edge");
    CHECK(spec->name == row.name);
    CHECK(spec->settings->target() == row.target);
    CHECK(spec->labels.to_string() == row.own_labels);
    CHECK(spec->interval == row.interval);
    CHECK(spec->timeout == row.timeout);
    CHECK(spec->healthy_probes == 1);
    CHECK(spec->discovered);
  }
}

TEST_CASE("what a target changes makes another probe for a reload, its labels alone do not") {
  const Made made("{type: http}");
  const auto text = [&](const model::Labels& labels) { return made.spec("a:80", labels)->settings_text; };
  CHECK(text({}) == text({{"zone", "eu"}}));
  CHECK(text({}) != text({{"__scheme__", "https"}}));
  CHECK(text({}) != text({{"__param_module", "http_2xx"}}));
  const Made open("{}");
  CHECK(open.text("a:80", {{"__param_module", "icmp"}}) != open.text("a:80", {{"__param_module", "http_2xx"}}));
}

TEST_CASE("a target that does not fit is refused with a reason") {
  struct Row {
    const char *yaml, *address;
    model::Labels labels;
    const char* want;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"{type: tcp}", "a", {}, "target a: the required key 'port' is missing"},
           {"{type: tcp}", "a:0", {}, "target a:0.port: must be between 1 and 65535"},
           {"{}", "a:1", {}, "target a:1: the template names no type, and the target has no label __param_module"},
           {"{}", "a:1", {{"__probe_type", "tcp"}}, "the template names no type"},
           {"{}", "a:1", {{"__param_module", "nowhere"}}, "Unknown module \"nowhere\""},
           {"{type: tcp}", "a:1", {{"__scrape_timeout__", "1h"}}, "longer than the interval of 10s"},
           {"{type: exec, command: [/bin/echo, '${x}']}", "a", {}, "command of the template has ${x} in it, and the"},
           {"{type: exec, command: [/bin/echo, '${x}']}", "a", {{"x", ""}}, "the target has no label x"},
           {"{type: exec, command: [/bin/echo], environment: {A: '${x}'}}", "a", {}, "environment of the template"},
           {"{type: http, url: 'http://${target}/?x=${unknown}'}", "a", {}, "the target has no label unknown"},
           {"{type: tcp, labels: {zone: '${zone}'}}", "a:1", {}, "labels of the template has ${zone}"},
           {"{type: tcp, name: '${zone}'}", "a:1", {}, "name of the template has ${zone}"},
           {"{type: http}", "a:1", {{"__param_hostname", "shop.test"}}, "there is no label __param_module"},
           {"{type: http}",
            "a:1",
            {{"__param_hostname", "a b"}},
            "label __param_hostname: 'a b' is no name or address"},
           {"{type: http}", "a:99999", {}, "a port that must be between 1 and 65535"},
           {"{type: tcp}", "a:1", {{"__probe_hots", "b"}}, "target a:1.hots: unknown key; did you mean 'host'?"},
       }) {
    CAPTURE(row.address);
    CAPTURE(row.want);
    const auto spec = Made(row.yaml).spec(row.address, row.labels);
    REQUIRE_FALSE(spec);
    CHECK_MESSAGE(spec.error().text.find(row.want) != std::string::npos, spec.error().text);
  }
}

TEST_CASE("a label has no more power than the template gives it") {
  const char* const kOnlyTemplate = "which only the template may";
  struct Row {
    const char *yaml, *address;
    model::Labels labels;
    std::string want;  // part of the reason
    std::vector<std::string> allow = {};
  };
  for (const Row& row : std::initializer_list<Row>{
           // What runs, which file is read, where else something goes.
           {"{type: http}", "a:80", {{"__probe_type", "exec"}, {"__probe_command", "[/bin/sh]"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_authorization", "{credentials_file: /etc/x}"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_basic_auth", "{username: a, password_file: /x}"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_oauth2", "{}"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_tls_config", "{ca_file: /x}"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_unix_socket", "/run/docker.sock"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_proxy_url", "http://evil:1"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_no_proxy", "*"}}, kOnlyTemplate},
           {"{type: http}", "a:80", {{"__probe_labels", "{a: b}"}}, kOnlyTemplate},
           {"{type: redis}", "a:80", {{"__probe_password_file", "/x"}}, kOnlyTemplate},
           {"{type: redis}", "a:80", {{"__probe_unix_socket", "/x"}}, kOnlyTemplate},
           {"{type: journey, steps: [{name: a, request: {url: /}}]}",
            "http://a",
            {{"__probe_variable_files", "{a: /x}"}},
            kOnlyTemplate},
           {"{type: exec, command: [/bin/true]}", "a", {{"__probe_environment", "{LD_PRELOAD: /x}"}}, kOnlyTemplate},
           {"{type: exec, command: [/bin/true]}", "a", {{"__probe_directory", "/x"}}, kOnlyTemplate},
           {"{type: exec, command: [/bin/true]}", "a", {{"__probe_input", "x"}}, kOnlyTemplate},
           {"{type: file}", "/a", {{"__probe_path", "/etc/shadow"}}, kOnlyTemplate},
           {"{type: exec}", "[/bin/sh, -c, id]", {}, "its address would set command, which only the template may"},
           {"{type: redis}", "/run/x.sock", {}, "its address would set unix_socket, which only the template may"},
           {"{type: process}", "/run/x.pid", {}, "its address would set pidfile, which only the template may"},
           {"{type: tcp}", "a:1", {{"__param_module", "http_2xx"}}, "a label does not change the type"},
           {"{}",
            "a:1",
            {{"__param_module", "tcp_connect"}, {"__probe_port", "2"}},
            "is no key of a probe that a module"},
           {"{}", "a:80@evil", {{"__param_module", "http_2xx"}}, "has user information in it"},
           {"{}", "-a", {{"__param_module", "icmp"}}, "begins with -"},
           // What the template must allow.
           {"{type: http}",
            "a:80",
            {{"__probe_method", "DELETE"}},
            "label __probe_method would set method; add allow_labels: [method] beside probe, if those who write the "
            "targets may decide that, or take the label away"},
           {"{type: http}", "a:80", {{"__probe_headers", "{A: b}"}}, "add allow_labels: [headers]"},
           {"{type: http}", "a:80", {{"__probe_url", "http://b"}}, "add allow_labels: [url]"},
           {"{type: tcp}", "a:80", {{"__probe_host", "b"}}, "add allow_labels: [host]"},
           {"{type: tcp}", "a:80", {{"__probe_failure_threshold", "1000"}}, "add allow_labels: [failure_threshold]"},
           {"{type: http}", "a:80", {{"__probe_method", "GET"}}, "add allow_labels: [method]", {"body"}},
           // Values that would be more than a value.
           {"{type: http}",
            "a:80",
            {{"__probe_valid_status_codes", "[200], \"type\": \"exec\", \"command\": [/bin/sh]"}},
            "is no list and no mapping"},
           {"{type: http}", "a:80", {{"__probe_valid_status_codes", "[{a: b}]"}}, "something else than single values"},
           {"{type: http}", "a:80", {{"__probe_name", "a\nb"}}, "label __probe_name has a line end"},
           {"{type: http}", "a:80", {{"__probe_method", "${x}"}}, "has a placeholder in it", {"method"}},
           {"{type: http}", "a:80", {{"__probe_url", "http://u:p@b"}}, "has user information", {"url"}},
           {"{type: tcp}", "a:80, type: exec", {}, "its host is no name or address"},
           {"{type: tcp}", "a:80]", {}, "its port has other characters"},
           {"{type: http}", "a:80@evil", {}, "has user information in it"},
           {"{type: http}", "http://u:p@a/", {}, "has user information in it"},
           {"{type: http}", "a:80/#", {}, "has characters that no path and no query has"},
           {"{type: http}", "file:///etc/passwd", {}, "must begin with http://"},
           {"{type: http}", "a b:80", {}, "is no name or address"},
           {"{type: http}", "a:80", {{"__scheme__", "http://evil/?"}}, "must be http or https"},
           {"{type: http}", "a:80", {{"__scheme__", "file"}}, "must be http or https"},
           {"{type: http}", "a:80", {{"__metrics_path__", "@evil/"}}, "must begin with /"},
           {"{type: http}", "a:80", {{"__metrics_path__", "/a?b=c"}}, "must be a path only"},
           {"{type: http}", "a:80", {{"__metrics_path__", "/a/../b"}}, "leads to another folder"},
           {"{type: http}", "a:80", {{"__metrics_path__", "/${password}"}}, "must be a path only"},
           {"{type: unix}", "/run/../etc/x", {}, "leads to another folder"},
           {"{type: unix}", "run/x", {}, "must be an absolute path"},
           {"{type: systemd}", "-a.service", {}, "target -a.service: its unit"},
           {"{type: http, url: 'http://shop${x}/'}", "a", {{"x", ".evil/"}}, "url of the template: ${x} is '.evil/'"},
           {"{type: exec, command: [/bin/echo, '${x}']}", "a", {{"x", "-rf"}}, "would make it an option"},
           {"{type: exec, command: [/bin/sh, -c, 'ping ${x}']}", "a", {{"x", "a; id"}}, "command of the template"},
           {"{type: http, unix_socket: '/run/${x}/s'}", "a", {{"x", "../.."}}, "unix_socket of the template"},
           {"{}", "a:1", {{"__param_module", "http_2xx"}, {"__param_hostname", "a\r\nX: y"}}, "label __param_hostname"},
           // Times out of bounds.
           {"{type: tcp}", "a:1", {{"__scrape_interval__", "10ms"}}, "its interval of 10ms is not between 1s and 1h"},
           {"{type: tcp}", "a:1", {{"__probe_interval", "2h"}}, "its interval of 2h is not between 1s and 1h"},
       }) {
    CAPTURE(row.yaml);
    CAPTURE(row.address);
    CAPTURE(row.labels.to_string());
    const Made made(row.yaml, row.allow);
    CHECK(made.errors.text() == "");
    const auto spec = made.spec(row.address, row.labels.with("__meta_filepath", "/t.json"));
    REQUIRE_FALSE(spec.has_value());
    CHECK_MESSAGE(spec.error().text.find(row.want) != std::string::npos, spec.error().text);
    CHECK_MESSAGE(spec.error().text.find("/t.json:") == 0, spec.error().text);
    CHECK_MESSAGE(spec.error().text.find("target ") != std::string::npos, spec.error().text);
  }
}

TEST_CASE("allow_labels lets a label set more, as one value") {
  const Made made("{type: http}", {"method", "__probe_headers", "failure_threshold"});
  CHECK(made.errors.text() == "");
  CHECK(made.text("a:80", {{"__probe_method", "HEAD"}}) == R"("method": HEAD, "url": "http://a:80", )");
  CHECK(made.text("a:80", {{"__probe_headers", "{Host: b}"}}) == R"("headers": {"Host": b}, "url": "http://a:80", )");
  CHECK(made.spec("a:80", {{"__probe_failure_threshold", "5"}})->failure_threshold == 5);
  CHECK(Made("{type: tcp, host: '${target}', port: 80}").text("::1") == R"("host": "::1", "port": 80, )");
  CHECK(Made("{type: tcp, host: h, port: '${target}'}").text("80").find("in quotes") != std::string::npos);
  CHECK(Made("type: tcp\nhost: h\nport: ${target}").text("80") == R"("host": h, "port": 80, )");

  CHECK(
      Made("{type: exec, command: [/bin/true]}", {"command"}).errors.text() ==
      "fettle.yml:1:33: sd.allow_labels: command is never set by a label; write it in the probe, with ${LABEL} for the "
      "part that differs\n");
  for (const char* key :
       {"type", "labels", "tls_config", "authorization", "basic_auth", "oauth2", "unix_socket", "proxy_url"})
    CHECK_MESSAGE(!Made("{type: http}", {key}).errors.text().empty(), key);
  CHECK(Made("{type: http}", {"hots"}).errors.text() ==
        "fettle.yml:1:33: sd.allow_labels: there is no key hots in a probe of type http\n");
  CHECK(
      Made("{type: exec, command: ['${target}', -x]}").errors.text() ==
      "fettle.yml:1:24: sd.probe.command[0]: a target cannot name the program; write its path, and ${target} among its "
      "arguments\n");
}

TEST_CASE("a label that sets a method or a header sets no more than that") {
  const Made made("{type: http}", {"method", "headers"});
  for (const model::Labels& labels : {
           model::Labels{{"__probe_method", "GET /steal HTTP/1.0"}},
           model::Labels{{"__probe_headers", "{Content-Length: '5'}"}},
           model::Labels{{"__probe_headers", "{Transfer-Encoding: chunked}"}},
           model::Labels{{"__probe_headers", "{'A B': c}"}},
       })
    CHECK_FALSE(made.spec("a:80", labels));
}

TEST_CASE("a target has its labels as they are, however long") {
  const Made made("{type: tcp, labels: {team: shop}}");
  std::vector<std::pair<std::string, std::string>> all;
  for (int i = 0; i < 40; ++i) all.emplace_back("l" + std::to_string(i), std::string(1000, 'x'));
  std::vector<model::Label> views;
  for (const auto& [name, value] : all) views.push_back({name, value});
  views.push_back({"odd", "\"a\\: [b]"});
  const auto spec = made.spec("a:1", model::Labels(views));
  REQUIRE(spec);
  CHECK(spec->labels.size() == 43);
  CHECK(spec->labels.get("l39").size() == std::min<std::size_t>(1000, model::kLabelValueLimit));
  CHECK(spec->labels.get("odd") == "\"a\\: [b]");
  CHECK(spec->labels.get("team") == "shop");
  CHECK(spec->labels.get("target") == "a:1");
}

TEST_CASE("a label takes the place of no variable of a journey") {
  const Made made(
      "{type: journey, variable_files: {password: /p}, steps: [{name: a, request: {url: /}, capture: {cart: {json: "
      "id}}}, {name: b, request: {url: '/${zone}/${password}/${cart}', body: '$${literal}'}}]}");
  const std::string text = made.text("http://a", {{"password", "x"}, {"cart", "y"}, {"zone", "eu"}});
  CHECK_MESSAGE(text.find("/eu/${password}/${cart}") != std::string::npos, text);
  CHECK_MESSAGE(text.find("$${literal}") != std::string::npos, text);
}

TEST_CASE("no key is open to a label that runs, reads, signs, or leads elsewhere") {
  // Whatever a type adds: a key with such a name, or one with keys inside, is the template's.
  for (const probe::Type* type : probe::types())
    for (const config::KeyReference& key : type->reference()) {
      CAPTURE(type->name);
      CAPTURE(key.key);
      const auto has = [&](std::string_view part) { return key.key.find(part) != std::string::npos; };
      const bool dangerous = has("file") || has("socket") || has("password") || has("secret") || has("proxy") ||
                             has("token") || has("auth") || has("command") || has("environment") || has("directory") ||
                             has("user") || has("tls_config") || key.key == "type" || key.key == "path" ||
                             !key.inner.empty();
      if (dangerous) CHECK(key.reach < config::Reach::listed);
      if (key.reach == config::Reach::label)
        CHECK_MESSAGE(
            (key.key == "name" || key.key == "interval" || key.key == "timeout" || key.key == "valid_status_codes"),
            key.key);
    }
}

TEST_CASE("mistakes of a template are told when the file is read") {
  CHECK(Made("[tcp]").errors.text() ==
        "fettle.yml:1:1: sd.probe: required: a probe without what the target says, such as {type: tcp}\n");
  CHECK(Made("{type: tpc}").errors.text() ==
        "fettle.yml:1:8: sd.probe.type: there is no probe type 'tpc'; did you mean 'tcp'?\n");
  CHECK(
      Made("{interval: 5, timeout: 1s}").errors.text() ==
      "fettle.yml:1:12: sd.probe.interval: expected a duration such as 500ms or 2s, got '5': a number needs a unit\n");
  CHECK(Made("{valid_status_codes: [404]}").errors.text() ==
        "fettle.yml:1:2: sd.probe.valid_status_codes: needs a type; without one each target names a module by "
        "__param_module\n");
}

TEST_CASE("a template without a type takes the probe that the source knows") {
  const auto text = [](const Made& made, const config::DeclaredProbe& declared, const model::Labels& labels = {}) {
    const auto spec = made.made->spec("k8s", "10.1.0.2:81", labels, probe::BlackboxModules(), declared);
    return spec ? spec->name + " " + std::string(spec->type->name) + " " + base::format_duration(spec->interval) + " " +
                      base::format_duration(spec->timeout) + " " + std::to_string(spec->failure_threshold) + " " +
                      spec->settings_text
                : spec.error().text;
  };
  const config::DeclaredProbe tcp{.type = "tcp",
                                  .keys = {{"interval", "20s"}, {"timeout", "4s"}, {"failure_threshold", "5"}}};
  const Made own("{}");
  CHECK(own.errors.text() == "");
  CHECK(text(own, tcp) == "tcp@10.1.0.2:81 tcp 20s 4s 5 \"host\": 10.1.0.2, \"port\": 81, ");
  // The template goes before it, times as a whole; and what a label may set goes before both.
  CHECK(text(Made("{interval: 3s, failure_threshold: 1, name: pod}"), tcp).starts_with("pod@10.1.0.2:81 tcp 3s 2s 1 "));
  CHECK(text(own, tcp, {{"__probe_interval", "7s"}}).starts_with("tcp@10.1.0.2:81 tcp 7s 4s 5 "));
  // A type in the template, or a module, is what it was.
  CHECK(text(Made("{type: http}"), tcp).starts_with("http@10.1.0.2:81 http 10s 2s 3 "));
  CHECK(text(own, tcp, {{"__param_module", "http_2xx"}}).starts_with("http_2xx@10.1.0.2:81 http 10s 2s 3 "));
  CHECK(text(own, {}).find("the template names no type") != std::string::npos);
  CHECK(text(own, {.impossible = "it is exec"}) == "k8s: target 10.1.0.2:81: it is exec");
  CHECK(text(own, {.type = "grpc", .keys = {{"service", "shop.Order"}}}).find("\"service\": shop.Order") !=
        std::string::npos);

  config::DeclaredProbe http{
      .type = "http", .keys = {{"url", "https://10.1.0.2:81/ready?x=1"}}, .any_certificate = true};
  CHECK(text(own, http).find("insecure_skip_verify") != std::string::npos);
  CHECK(text(own, http, {{"__probe_headers", "{Host: a}"}}).find("add allow_labels: [headers] beside probe") !=
        std::string::npos);
  CHECK(text(Made("{}", {"headers"}), http, {{"__probe_headers", "{Host: shop.test}"}}).find("shop.test") !=
        std::string::npos);
  for (const char* url : {"https://user:pw@10.1.0.2/", "file:///etc/shadow", "http://a/../b", "https://10.1.0.2/a b"}) {
    http.keys = {{"url", url}};
    CHECK(text(own, http).find("its own probe: the url '") != std::string::npos);
  }
  http.keys = {{"unix_socket", "/run/docker.sock"}};
  CHECK(text(own, http).find("its own probe would set unix_socket, which it may not") != std::string::npos);
}
