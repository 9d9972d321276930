// What is said of targets that do not fit, and which sources a new configuration leaves running.
#include "app/discoveries.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "config/target_template.h"
#include "discover/registry.h"
#include "fakes/probe_world.h"
#include "fakes/temporary_folder.h"
#include "loop/event_loop.h"
#include "os/folder_watch.h"

namespace {

// Entries of one service, as a configuration file has them: {KEY, entry}.
using Entries = std::vector<std::pair<std::string, std::string>>;

struct Site {
  std::vector<app::Discovery> parsed(const Entries& entries) const {
    std::vector<app::Discovery> all;
    config::Errors errors;
    for (const auto& [key, text] : entries) {
      const config::Node entry = config::Node::parse(text, "f", errors);
      discover::Entry source =
          discover::parse_entry(*discover::types().find(key), entry, key, {"edge", folder.path()}, errors);
      const config::TargetTemplate own = config::target_template_schema().parse_beside(entry, key, errors);
      all.push_back({std::move(source), probe::ProbeTemplate("edge", {}, {}, own, key, errors)});
    }
    REQUIRE(errors.text() == "");
    return all;
  }
  void replace(const Entries& entries) { discoveries.replace(parsed(entries), {}); }
  std::vector<probe::Spec> specs() {
    told.clear();
    return discoveries.specs(probe::BlackboxModules(), [&](const std::string& why) { told.push_back(why); });
  }
  // "file@a:1 other@b:2"
  std::string names() {
    std::string out;
    for (const probe::Spec& spec : specs()) out += (out.empty() ? "" : " ") + spec.name;
    return out;
  }

  const fakes::TemporaryFolder folder;
  fakes::FakeLoop fake_loop;
  fakes::FakeHttp http{fake_loop};
  fakes::FakeResolver resolver{fake_loop};
  loop::EventLoop loop;
  os::FolderWatch folders{loop};
  std::vector<std::string> told;
  int changes = 0;
  app::Discoveries discoveries{{loop, folders, http, resolver}, [this] { ++changes; }};
};

constexpr char kFile[] = "{files: [t.json], probe: {type: tcp}}";

}  // namespace

TEST_CASE("each target that does not fit is told, and its source has the first and their number") {
  for (const bool in_file : {true, false}) {
    for (const std::size_t bad : {0U, 1U, 2U, 16U}) {
      Site site;
      std::string targets = "\"good:1\"";
      for (std::size_t i = 0; i < bad; ++i) targets += ", \"bad" + std::to_string(i) + ":0\"";
      const std::string file = site.folder.write("t.json", "[{\"targets\": [" + targets + "]}]");
      if (in_file) site.replace({{"file_sd_configs", kFile}});
      else site.replace({{"static_configs", "{targets: [" + targets + "], probe: {type: tcp}}"}});
      CHECK(site.specs().size() == 1);
      REQUIRE(site.told.size() == bad);
      const std::string source = in_file ? file : "services.edge.static_configs";
      for (std::size_t i = 0; i < bad; ++i) {
        CHECK(site.told[i].starts_with(source + ":1:"));
        CHECK(site.told[i].find("target bad" + std::to_string(i) + ":0.port: must be between 1 and 65535") !=
              std::string::npos);
        CHECK(site.told[i].back() != '\n');
      }
      const auto statuses = site.discoveries.statuses();
      REQUIRE(statuses.size() == 1);
      CHECK(statuses[0].service == "edge");
      CHECK(statuses[0].name == source);
      CHECK(statuses[0].targets == bad + 1);
      CHECK(statuses[0].refreshed);
      CHECK_FALSE(statuses[0].failing_since);
      CHECK(statuses[0].of_target == (bad > 0));
      const std::string& said = statuses[0].error;
      if (bad == 0) CHECK(said == "");
      if (bad == 1) CHECK(said == site.told[0]);
      if (bad == 2) CHECK(said == site.told[0] + " (1 more target of this source is not probed)");
      if (bad == 16) CHECK(said == site.told[0] + " (15 more targets of this source are not probed)");
    }
  }
}

TEST_CASE("two templates for one list are one status, two lists are two") {
  Site site;
  site.folder.write("t.json", R"([{"targets": ["a:1", "b:1"]}])");
  site.replace({{"file_sd_configs", kFile},
                {"file_sd_configs", "{files: [t.json], probe: {type: http}}"},
                {"static_configs", "{targets: [c:1], probe: {type: tcp}}"},
                {"static_configs", "{targets: [d:1], probe: {type: tcp}}"}});
  CHECK(site.names() == "tcp@a:1 tcp@b:1 http@a:1 http@b:1 tcp@c:1 tcp@d:1");
  const auto statuses = site.discoveries.statuses();
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[0].targets == 4);
  CHECK(statuses[1].name == "services.edge.static_configs");
  CHECK(statuses[1].targets == 2);
}

TEST_CASE("a new configuration lets a source go on that it does not change, with what that last knew") {
  Site site;
  const std::string file = site.folder.write("t.json", R"([{"targets": ["a:1"]}])");
  site.replace({{"file_sd_configs", kFile}});
  CHECK(site.names() == "tcp@a:1");
  // It is asked at once: nobody waits for a watch.
  site.folder.write("t.json", R"([{"targets": ["b:1"]}])");
  site.replace({{"file_sd_configs", kFile}});
  CHECK(site.names() == "tcp@b:1");
  // Mistakes, another template and another place in the list: what the file said before goes on.
  site.folder.write("t.json", "[5]");
  site.replace({{"static_configs", "{targets: [s:1], probe: {type: tcp}}"},
                {"file_sd_configs", "{files: [t.json], probe: {type: http}}"}});
  CHECK(site.names() == "tcp@s:1 http@b:1");
  auto statuses = site.discoveries.statuses();
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[1].name == file);
  CHECK(statuses[1].failing_since);
  // Other settings are another source.
  site.replace({{"file_sd_configs", "{files: [t.json], refresh_interval: 9s, probe: {type: http}}"}});
  CHECK(site.names() == "");
  // One that is gone is gone.
  site.replace({});
  CHECK(site.discoveries.statuses().empty());
  CHECK(site.changes == 0);
}

TEST_CASE("the status has all mistakes of a list") {
  Site site;
  std::string groups;
  for (int i = 0; i < 30; ++i) groups += "- {target: [a:1]}\n";
  site.folder.write("t.yml", groups);
  site.replace({{"file_sd_configs", "{files: [t.yml], probe: {type: tcp}}"}});
  const auto statuses = site.discoveries.statuses();
  REQUIRE(statuses.size() == 1);
  for (int i = 0; i < 30; ++i)
    CHECK(statuses[0].error.find("[" + std::to_string(i) + "].target: unknown key") != std::string::npos);
  CHECK_FALSE(statuses[0].of_target);
}

// prometheus/discovery: a target is its labels, so that one address may be listed for several roles.
TEST_CASE("one address with several sets of labels is several probes, and the same one again is refused") {
  Site site;
  site.folder.write("t.json", R"([{"targets": ["a:1"], "labels": {"role": "read"}},
                                  {"targets": ["a:1"], "labels": {"role": "write"}},
                                  {"targets": ["a:1"], "labels": {"role": "admin"}},
                                  {"targets": ["b:1"], "labels": {"role": "read"}}])");
  site.folder.write("u.json", R"([{"targets": ["b:1"], "labels": {"role": "read"}}])");
  site.replace({{"file_sd_configs", "{files: [t.json, u.json], probe: {type: tcp}}"}});
  CHECK(site.names() == "tcp@a:1 tcp@a:1#2 tcp@a:1#3 tcp@b:1");
  REQUIRE(site.told.size() == 1);
  CHECK(site.told[0].find("there is a probe edge/tcp@b:1 already") != std::string::npos);
}
