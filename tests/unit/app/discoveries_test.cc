// What is said of targets that do not fit.
#include "app/discoveries.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "fakes/temporary_folder.h"
#include "loop/event_loop.h"
#include "os/folder_watch.h"

TEST_CASE("each target that does not fit is told, and its file has the first and their number") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder / "t.json";
  for (const std::size_t bad : {0U, 1U, 2U, 16U}) {
    std::string targets = "\"good:1\"";
    for (std::size_t i = 0; i < bad; ++i) targets += ", \"bad" + std::to_string(i) + ":0\"";
    std::ofstream(file) << "[{\"targets\": [" << targets << "]}]";
    config::Errors errors;
    config::FileSd sd;
    sd.probe = config::Node::parse("{type: tcp}", "f", errors);
    std::vector<app::Discovery> all;
    all.push_back({{{file}, base::Millis{60'000}}, probe::ProbeTemplate("edge", {}, {}, sd, "sd", errors)});
    loop::EventLoop loop;
    os::FolderWatch folders(loop);
    app::Discoveries discoveries(loop, folders, [] {});
    discoveries.replace(std::move(all), {});
    std::vector<std::string> told;
    const auto specs =
        discoveries.specs(probe::BlackboxModules(), [&](const std::string& why) { told.push_back(why); });
    CHECK(specs.size() == 1);
    REQUIRE(told.size() == bad);
    for (std::size_t i = 0; i < bad; ++i) {
      CHECK(told[i].find("target bad" + std::to_string(i) + ":0.port: must be between 1 and 65535") !=
            std::string::npos);
      CHECK(told[i].back() != '\n');
    }
    const auto statuses = discoveries.statuses();
    REQUIRE(statuses.size() == 1);
    CHECK(statuses[0].of_target == (bad > 0));
    const std::string& said = statuses[0].file.error;
    if (bad == 0) CHECK(said == "");
    if (bad == 1) CHECK(said == told[0]);
    if (bad == 2) CHECK(said == told[0] + " (1 more target of this file is not probed)");
    if (bad == 16) CHECK(said == told[0] + " (15 more targets of this file are not probed)");
  }
}
