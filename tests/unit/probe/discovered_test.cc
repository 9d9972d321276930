// Targets and a template make probes.
#include "probe/discovered.h"

#include <doctest/doctest.h>

#include <string>

#include "config/agent_config.h"

namespace {

using namespace std::chrono_literals;

struct Made {
  config::Errors errors;
  std::optional<probe::ProbeTemplate> made;
  explicit Made(const std::string& yaml) {
    config::Service service;
    service.unit = "edge.service";
    service.healthy_probes = 1;
    config::Global global;
    global.interval = 10s;
    global.timeout = 2s;
    made.emplace("edge", service, global, config::Node::parse(yaml, "fettle.yml", errors), "probe", errors);
  }
  base::Result<probe::Spec> spec(const std::string& address, const model::Labels& labels = {}) const {
    return made->spec(address, labels, probe::BlackboxModules());
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
           {"{type: http, url: 'http://${target}/${path}?x=${unknown}'}",
            "a:80",
            {{"path", "ready"}},
            "http@a:80",
            "http://a:80/ready?x=${unknown}",
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
           {"{type: icmp, name: seen}",
            "a:1",
            {{"__param_module", "http_2xx"}},
            "seen@a:1",
            "http://a:1",
            R"({target="a:1"})"},
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
           {"{}", "a:1", {{"__probe_type", "tcp"}}, "tcp@a:1", "a:1", R"({target="a:1"})"},
           {"{type: tcp}",
            "a:1",
            {{"__probe_type", "http"}, {"__probe_valid_status_codes", "[404]"}},
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
  CHECK(text({{"__param_module", "icmp"}}) != text({{"__param_module", "http_2xx"}}));
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
           {"{}", "a:1", {}, "target a:1: neither the template nor the label __probe_type names a type that exists"},
           {"{}", "a:1", {{"__probe_type", "tcpp"}}, "names a type that exists"},
           {"{}", "a:1", {{"__param_module", "nowhere"}}, "Unknown module \"nowhere\""},
           {"{type: tcp}", "a:1", {{"__scrape_timeout__", "1h"}}, "longer than the interval of 10s"},
           {"{type: tcp}", "a:1", {{"__probe_hots", "b"}}, "target a:1.hots: unknown key; did you mean 'host'?"},
       }) {
    CAPTURE(row.address);
    CAPTURE(row.want);
    const auto spec = Made(row.yaml).spec(row.address, row.labels);
    REQUIRE_FALSE(spec);
    CHECK_MESSAGE(spec.error().text.find(row.want) != std::string::npos, spec.error().text);
  }
}

TEST_CASE("mistakes of a template are told when the file is read") {
  CHECK(Made("[tcp]").errors.text() ==
        "fettle.yml:1:1: probe: required: a probe without what the target says, such as {type: tcp}\n");
  CHECK(Made("{type: tpc}").errors.text() ==
        "fettle.yml:1:8: probe.type: there is no probe type 'tpc'; did you mean 'tcp'?\n");
  CHECK(Made("{interval: 5, timeout: 1s}").errors.text() ==
        "fettle.yml:1:12: probe.interval: expected a duration such as 500ms or 2s, got '5': a number needs a unit\n");
  CHECK(Made("{valid_status_codes: [404]}").errors.text() ==
        "fettle.yml:1:2: probe.valid_status_codes: needs a type; without one each target names a module by "
        "__param_module\n");
}
