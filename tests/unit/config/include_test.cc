// Services in files of their own: `include` of fettle.yml. What is wrong with such files is in tests/config/bad.
#include "config/include.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "config/agent_config.h"
#include "config/redact.h"
#include "fakes/temporary_folder.h"

namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  REQUIRE(base::write_file_atomically(path, text).has_value());
}

}  // namespace

TEST_CASE("services of included files stand among the others, and each knows its file") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder / "fettle.yml";
  write(file, "include: [services.d/*.yml, services.d/b.yml, '*.yml']\nservices:\n  order: {depends_on: [stock]}\n");
  write(folder / "services.d/a.yml", "# my services\nservices:\n  stock: {unit: stock.service}\n");
  write(folder / "services.d/b.yml", "services:\n  payment: {depends_on: [order]}\n");
  config::Errors errors;
  const config::AgentConfig config = config::load_agent_config(file, errors);
  CHECK(errors.text() == "");
  REQUIRE(config.services.size() == 3);
  CHECK(config.services[0].first == "order");
  CHECK(config.services[1].first == "stock");
  CHECK(config.services[1].second.unit == "stock.service");
  CHECK(config.services[1].second.place.mark().file == folder / "services.d/a.yml");
  CHECK(config.services[1].second.place.mark().line == 3);
  CHECK(config.services[2].first == "payment");
  CHECK(config.included == std::vector<std::string>{folder / "services.d/a.yml", folder / "services.d/b.yml"});
  CHECK(config::shown_config(config.root) ==
        "include:\n  - \"services.d/*.yml\"\n  - services.d/b.yml\n  - \"*.yml\"\n"
        "services:\n  order:\n    depends_on:\n      - stock\n  stock:\n    unit: stock.service\n"
        "  payment:\n    depends_on:\n      - order\n");
}

TEST_CASE("the file itself may have no service, and the folder no file") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder / "fettle.yml";
  write(file, "include: [services.d/*.yml]\n");
  std::filesystem::create_directories(folder / "services.d");
  config::Errors errors;
  CHECK(config::load_agent_config(file, errors).services.empty());
  CHECK(errors.warnings().empty());
  write(folder / "services.d/a.yml", "services:\n  stock: {unit: stock.service}\n");
  write(folder / "services.d/b.yml", "services:\n");
  const config::AgentConfig config = config::load_agent_config(file, errors);
  CHECK(errors.text() == "");
  REQUIRE(config.services.size() == 1);
  CHECK(config.services[0].first == "stock");
  CHECK(config.included.size() == 2);
}

TEST_CASE("a folder that is not there is a warning, with the place of the pattern") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder / "fettle.yml";
  write(file, "include: [services.d/*.yml]\nservices: {}\n");
  config::Errors errors;
  (void)config::load_agent_config(file, errors);
  CHECK(errors.text() == "");
  CHECK(errors.warnings() ==
        std::vector<std::string>{file + ":1:11: include[0]: there is no folder " + (folder / "services.d")});
}
