#include "config/variables.h"

#include <doctest/doctest.h>

#include "config/agent_config.h"

TEST_CASE(
    "a variable where none is filled in is a mistake at its place, and texts with variables of their own are not") {
  struct Row {
    std::string text, want;
  };
  const std::string rest =
      " would stand here as it is written: only global.external_labels are filled in from the environment. Write the "
      "value itself; a secret can stand in a file that a key such as password_file or secret_file names\n";
  const Row rows[] = {
      {"receivers: [{name: a, webhook: {url: 'http://h/', secret: '${HOOK_SECRET}'}}]",
       "f.yml:1:59: receivers[0].webhook.secret: ${HOOK_SECRET}" + rest},
      {"services: {a: {unit: 'x-${UNIT}.service'}}", "f.yml:1:22: services.a.unit: ${UNIT}" + rest},
      {"services: {a: {probes: [{type: http, url: 'http://h:${PORT}/'}]}}",
       "f.yml:1:43: services.a.probes[0].url: ${PORT}" + rest},
      {"services: {a: {recovery: {steps: [{do: {webhook: {url: '${U}'}}}]}}}",
       "f.yml:1:56: services.a.recovery.steps[0].do.webhook.url: ${U}" + rest},
      {"services: {a: {probes: [{type: journey, steps: [{request: {url: '/c/${cart}'}}]}]}}", ""},
      {"services: {a: {file_sd_configs: [{files: [t.json], probe: {type: http, url: 'http://${target}/'}}]}}", ""},
      {"services: {a: {probes: [{type: exec, command: [/bin/sh, -c, 'echo ${HOME}']}]}}", ""},
      {"services: {a: {probes: [{type: tcp, query_response: [{send: 'PONG ${1}'}]}]}}", ""},
      {"services: {a: {labels: {price: '5$ {x} ${} ${1}'}}}", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    config::Errors errors;
    config::check_variables(config::Node::parse(row.text, "f.yml", errors), errors);
    CHECK(errors.text() == row.want);
  }
}

// prometheus config: os.Expand over external_labels.
TEST_CASE("external labels are filled in from the environment") {
  config::Errors errors;
  const config::Node node =
      config::Node::parse("{zone: '${ZONE}', rack: 'r$RACK-$RACK', price: '$$5 $', gone: 'a${GONE}'}", "f.yml", errors);
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "ZONE") return "eu";
    if (name == "RACK") return "4";
    return std::nullopt;
  };
  const model::Labels labels{{"zone", "${ZONE}"}, {"rack", "r$RACK-$RACK"}, {"price", "$$5 $"}, {"gone", "a${GONE}"}};
  CHECK(config::expanded(labels, node, environment, errors).to_string() ==
        R"({gone="a", price="$5 $", rack="r4-4", zone="eu"})");
  CHECK(errors.text() ==
        "f.yml:1:63: global.external_labels.gone: the agent's environment has no GONE; $$ is a dollar\n");
}
