#include "app/config_reader.h"

#include <doctest/doctest.h>

#include "fakes/temporary_folder.h"
#include "loop/event_loop.h"

namespace {

std::string with_service(const std::string& name) {
  return "services: {" + name + ": {probes: [{name: t, type: tcp, host: 127.0.0.1, port: 1}]}}\n";
}

}  // namespace

TEST_CASE("a configuration is read beside the loop, and told in a later turn, with its mistakes") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("fettle.yml", with_service("order"));
  loop::EventLoop loop;
  app::ConfigReader reader(loop);
  std::string told;
  const auto note = [&](const app::LoadedConfig& loaded, const config::Errors& errors) {
    for (const auto& [name, service] : loaded.config.services) told += name + " ";
    told += std::to_string(loaded.probes.size()) + (errors.empty() ? " fine; " : " wrong; ");
    CHECK_FALSE(reader.busy());
  };
  reader.read(file, ":1", [&](app::LoadedConfig first, const config::Errors& errors) {
    note(first, errors);
    CHECK(first.shown.find("order") != std::string::npos);
    CHECK(first.config.root.is_null());  // what runs keeps no document
    folder.write("fettle.yml", with_service("payment: {wrong: 1}, stock"));
    reader.read(file, ":1", [&](const app::LoadedConfig& second, const config::Errors& mistakes) {
      note(second, mistakes);
      CHECK(mistakes.text().find("wrong") != std::string::npos);
      loop.stop();
    });
  });
  CHECK(told.empty());
  CHECK(reader.busy());
  loop.run();
  CHECK(told == "order 1 fine; payment stock 1 wrong; ");
}

TEST_CASE("who reads and goes waits for its thread, and is told nothing") {
  const fakes::TemporaryFolder folder;
  const std::string file = folder.write("fettle.yml", with_service("order"));
  loop::EventLoop loop;
  bool told = false;
  {
    app::ConfigReader reader(loop);
    reader.read(file, ":1", [&](const auto&, const auto&) { told = true; });
  }
  loop.post([&] { loop.stop(); });
  loop.run();
  CHECK_FALSE(told);
}
