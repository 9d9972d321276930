// What the documentation says of keys, metrics and probe types is what the program has, and its examples are right.
// UPDATE_GOLDEN=1 writes it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "app/loaded_config.h"
#include "app/reference.h"
#include "base/file.h"
#include "fakes/source_file.h"
#include "fakes/temporary_folder.h"
#include "unit/app/documents.h"

namespace {

bool update() { return std::getenv("UPDATE_GOLDEN") != nullptr; }

// Between two lines of a page stands what is made.
void holds(const std::string& page, const std::string& name, const std::string& made) {
  const std::string path = fakes::source_file("packaging/doc/" + page);
  const std::string begin = "<!-- " + name + " -->\n";
  std::string text = base::read_file(path).value();
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t to = text.find("<!-- end of ", from);
  REQUIRE(to != std::string::npos);
  const std::size_t first = from + begin.size();
  if (update()) (void)base::write_file_atomically(path, text.replace(first, to - first, made));
  else CHECK(text.substr(first, to - first) == made);
}

void is(const std::string& file, const std::string& made) {
  const std::string path = fakes::source_file(file);
  if (update()) (void)base::write_file_atomically(path, made);
  else CHECK(base::read_file(path).value_or("") == made);
}

std::string keys_of(const std::string& title) {
  for (const config::ReferenceSection& section : app::reference_sections())
    if (section.title == title) return documents::markdown(section.keys);
  return "there is no " + title;
}

// The examples of a page, each in the file that it names; the last of a name counts.
void write_examples(const std::string& page, const fakes::TemporaryFolder& folder) {
  const std::string text = base::read_file(fakes::source_file(page)).value();
  const std::string begin = "<!-- example: /", open = "```yaml\n", close = "```\n";
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    const std::size_t name = at + begin.size() - 1, from = text.find(open, at) + open.size();
    const std::string file = folder / text.substr(name + 1, text.find(" -->", at) - name - 1);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::string example = text.substr(from, text.find(close, from) - from);
    for (std::size_t path = example.find("/etc/"); path != std::string::npos;
         path = example.find("/etc/", path + folder.path().size() + 5))
      example.insert(path, folder.path());
    REQUIRE(base::write_file_atomically(file, example).has_value());
  }
}

}  // namespace

TEST_CASE("the pages about probes, keys and metrics are made from what they describe") {
  holds("probes.md", "probe types", documents::probe_types());
  holds("recovery.md", "keys of recovery", keys_of("services.NAME recovery"));
  holds("configuration.md", "keys of fettle.yml", keys_of("fettle.yml"));
  holds("metrics.md", "metrics", documents::metrics_markdown());
  is("packaging/man/fettle.yml.5", documents::configuration_manual());
  is("packaging/man/fettle-metrics.7", documents::metrics_manual());
}

TEST_CASE("every metric has a meaning") {
  CHECK(documents::agent_metrics().size() > 50);
  CHECK(documents::probe_metrics().size() > 100);
  for (const auto& all : {documents::agent_metrics(), documents::probe_metrics()})
    for (const documents::Metric& metric : all) {
      CAPTURE(metric.name);
      CHECK(metric.help.size() > 10);
      CHECK(metric.help.ends_with("."));
    }
}

TEST_CASE("the examples of the README are a configuration without a mistake") {
  const fakes::TemporaryFolder folder;
  write_examples("README.md", folder);
  std::filesystem::create_directories(folder / "etc/fettle/rules");
  for (const char* name : {"agent.yml", "services.yml"})
    std::filesystem::copy_file(fakes::source_file(std::string("rules/") + name), folder / "etc/fettle/rules/" + name);
  folder.write("etc/fettle/hook.key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr\n");
  config::Errors errors;
  const app::LoadedConfig loaded = app::load(folder / "etc/fettle/fettle.yml", errors);
  CHECK(errors.text() == "");
  CHECK(errors.warnings().empty());
  CHECK(loaded.probes.size() == 2);
  REQUIRE(loaded.plans.size() == 1);
  CHECK(loaded.plans[0]->mode == model::RecoveryMode::enforce);
}

TEST_CASE("a topic of the reference is one section, and another one is answered with those that there are") {
  CHECK(app::print_reference("nothing-like-it") == 2);
  std::size_t found = 0;
  for (const config::ReferenceSection& section : app::reference_sections())
    found += section.title == "probe type http" || section.title == "receiver slack_configs";
  CHECK(found == 2);
}
