#include "config/agent_config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/random.h"
#include "config/redact.h"
#include "config/reference.h"
#include "config/rule_file.h"
#include "config/schema.h"
#include "golden.h"

TEST_CASE("every bad configuration is answered with all its mistakes, word for word") {
  const std::vector<std::string> inputs = golden::inputs("bad");
  REQUIRE(inputs.size() >= 7);
  for (const std::string& path : inputs) {
    CAPTURE(path);
    config::Errors errors;
    (void)config::load_agent_config(path, errors);
    CHECK_FALSE(errors.empty());
    const std::string got = golden::without_folder(errors.text(), path);
    CHECK(got == golden::expected(path, got));
  }
}

TEST_CASE("ten mistakes give ten located messages") {
  config::Errors errors;
  (void)config::load_agent_config(golden::folder("bad") + "/ten-mistakes.yml", errors);
  std::size_t located = 0;
  for (const std::string& line : errors.lines()) located += line.find("ten-mistakes.yml:") != std::string::npos;
  CHECK(located == errors.size());
  CHECK(errors.size() == 10);
}

TEST_CASE("a file that is not there is a mistake, not a crash") {
  config::Errors errors;
  (void)config::load_agent_config("/nonexistent/fettle.yml", errors);
  CHECK(errors.text() == "cannot read /nonexistent/fettle.yml: No such file or directory\n");
}

TEST_CASE("a good configuration arrives in its structs, and what others know stays a node") {
  const std::string path = golden::folder("good") + "/agent.yml";
  config::Errors errors;
  const config::AgentConfig c = config::load_agent_config(path, errors);
  REQUIRE(errors.text() == "");
  CHECK(c.global.interval == base::Millis{5000});
  CHECK(c.global.external_labels.get("cluster") == "shop-eu");
  CHECK(c.global.job == "fettle");
  CHECK(c.rule_files == std::vector<std::string>{"rules/*.yml"});
  CHECK(c.promql_compat == 2);
  CHECK(c.storage.retention == base::Millis{3'600'000});
  CHECK(c.storage.max_series == 500);
  CHECK(c.heartbeat_socket == "/run/fettle/heartbeat.sock");
  CHECK(c.heartbeat_token_file == golden::folder("good") + "/heartbeat.token");
  REQUIRE(c.services.size() == 2);
  CHECK(c.services[0].first == "order");
  const config::Service& order = c.services[0].second;
  CHECK(order.unit == "order.service");
  CHECK(order.labels.get("tier") == "trading");
  CHECK(order.depends_on == std::vector<std::string>{"redis"});
  REQUIRE(order.probes.size() == 2);
  CHECK(order.probes[0].find("name").scalar() == "http");
  CHECK(order.traffic.find("nginx").is_mapping());
  CHECK(order.recovery.find("when").find("alert").scalar() == "ServiceDown");
  CHECK(order.place.mark().line == 8);
  CHECK(c.services[1].second.recovery.is_null());
  REQUIRE(c.receivers.size() == 1);
  CHECK(c.receivers[0].find("name").scalar() == "ops");
}

TEST_CASE("the reference page names every key once with default and help") {
  const std::string page =
      config::print_reference({{"fettle.yml", "The configuration of the agent.", config::agent_config_reference()}});
  CHECK(page.starts_with("fettle.yml\n==========\nThe configuration of the agent.\nglobal:  (optional)\n"));
  CHECK(page.find("  interval:  (default: 5s)\n      How often a probe runs that does not say so itself.\n") !=
        std::string::npos);
  CHECK(page.find("  depends_on:  (default: [])\n") != std::string::npos);
}

TEST_CASE("a file with random damage is read or refused, and each mistake has its file") {
  base::Random random(11);
  ::alarm(120);  // a parser that never ends is one of the things that may be found
  const std::string agent = base::read_file(golden::folder("good") + "/agent.yml").value();
  const std::string rules = base::read_file(golden::folder("good") + "/rules.yml").value();
  const std::string letters = "\n\t :-{}[]&*!|>'\"#%@`,?\\<x1~\xc3\xff";
  for (int round = 0; round < 3000; ++round) {
    const bool is_agent = round % 2 == 0;
    std::string text = is_agent ? agent : rules;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0: text[at] = letters[random.below(letters.size())]; break;
        case 1: text.erase(at, 1 + random.below(20)); break;
        default: text.insert(at, 1, letters[random.below(letters.size())]);
      }
    }
    config::Errors errors;
    if (is_agent) (void)config::shown_config(config::parse_agent_config(text, "f.yml", errors).root);
    else (void)config::parse_rule_file(text, "f.yml", errors);
    CAPTURE(text);
    for (const std::string& line : errors.lines()) REQUIRE(line.starts_with("f.yml:"));
  }
  ::alarm(0);
}
