// file_sd: what a file says, and what counts while files come, change, break and go. Real files, a fake clock, and
// folders that speak when the test says so; one test with the kernel's own watch.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include "discover/registry.h"
#include "fakes/probe_world.h"
#include "fakes/run_until.h"
#include "fakes/temporary_folder.h"
#include "loop/event_loop.h"

namespace {

using namespace std::chrono_literals;

struct FakeFolders final : os::FolderWatcher {
  base::Result<loop::Handle> watch(const std::string& folder, std::function<void()> changed) override {
    struct Place final : loop::Registration {
      Place(FakeFolders& f, std::string n) : folders(f), name(std::move(n)) {}
      ~Place() override { folders.watched.erase(name); }
      FakeFolders& folders;
      std::string name;
    };
    if (refuse) return base::fail(base::Kind::not_found, "no such folder");
    watched[folder] = std::move(changed);
    return loop::Handle(std::make_unique<Place>(*this, folder));
  }
  bool refuse = false;
  std::map<std::string, std::function<void()>> watched;
};

// "a:1{label="x"} …", without the path of the file.
std::string shown(const std::vector<discover::Target>& targets) {
  std::string out;
  for (const discover::Target& target : targets)
    out += (out.empty() ? "" : " ") + target.address + target.labels.without("__meta_filepath").to_string();
  return out;
}

std::string parsed(const std::string& text) {
  config::Errors errors;
  const auto targets = discover::parse_targets(text, "t.yml", errors);
  return errors.empty() ? shown(targets) : errors.text();
}

std::vector<discover::Target> targets_of(const discover::Source& source) {
  std::vector<discover::Target> all;
  for (const discover::TargetList* list : source.lists())
    all.insert(all.end(), list->targets.begin(), list->targets.end());
  return all;
}

std::unique_ptr<const discover::Settings> entry_of(const std::string& text, const std::string& folder) {
  config::Errors errors;
  const config::Node entry = config::Node::parse(text, "f", errors);
  auto settings = discover::file_sd_source.parse(entry, "sd", {"edge", folder}, errors);
  REQUIRE(errors.text() == "");
  return settings;
}

struct Site {
  explicit Site(std::string entry) : entry_(std::move(entry)) {}
  void start() {
    sd = entry_of(entry_, folder.path())->make({loop, folders, http, resolver}, [this] { ++changes; });
    CHECK(changes == 0);
  }
  void tell() {
    for (const auto& [name, changed] : folders.watched) changed();
    loop.advance(50ms);
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder / name); }
  std::string shown() const { return ::shown(targets_of(*sd)); }
  // Of the only file.
  const discover::TargetList& list() const {
    REQUIRE(sd->lists().size() == 1);
    return *sd->lists()[0];
  }

  fakes::TemporaryFolder folder;
  fakes::FakeLoop loop;
  fakes::FakeHttp http{loop};
  fakes::FakeResolver resolver{loop};
  FakeFolders folders;
  int changes = 0;
  std::unique_ptr<discover::Source> sd;

 private:
  std::string entry_;
};

}  // namespace

TEST_CASE("a file of targets is read as Prometheus reads it, in JSON as in YAML") {
  struct Row {
    const char *text, *want;
  };
  for (
      const Row& row : {
          Row{R"([{"targets": ["a:1", "b:2"], "labels": {"zone": "eu", "__param_module": "http_2xx"}}, {"targets": ["c:3"]}])",
              R"(a:1{__param_module="http_2xx", zone="eu"} b:2{__param_module="http_2xx", zone="eu"} c:3{})"},
          Row{"- targets: [a:1]\n  labels:\n    zone: eu\n", R"(a:1{zone="eu"})"},
          Row{"- targets:\n  - 'https://shop.test/'\n", "https://shop.test/{}"},
          Row{"", "t.yml: is empty; write [] for no targets\n"},
          Row{"# none\n", "t.yml: is empty; write [] for no targets\n"},
          Row{"null", "t.yml: is empty; write [] for no targets\n"},
          Row{"[]", ""},
          Row{"targets: [a:1]", "t.yml:1:1: expected a list of groups, each with targets, got a mapping\n"},
          Row{"- labels: {a: b}\n- targets: ~\n- targets: [a:1]\n", "a:1{}"},
          Row{"- {targets: [a:1], label: {a: b}}\n", "t.yml:1:20: [0].label: unknown key; did you mean 'labels'?\n"},
          Row{"- targets: [80, a:1]\n", "80{} a:1{}"},
          Row{"- targets: a:1\n", "t.yml:1:12: [0].targets: expected a list of targets, got a string\n"},
          Row{"- targets: [a:1]\n---\n- targets: [b:1]\n", "a:1{}"},
          Row{"- targets: [a:1]\n  labels: {k8s.io/zone: eu, 1st: x, 'naïve': y, a: ~, b: 5}\n",
              R"(a:1{_st="x", b="5", k8s_io_zone="eu", na_ve="y"})"},
          Row{"- targets: [a:1]\n  labels: {__name__: x, zone: eu}\n", R"(a:1{zone="eu"})"},
      }) {
    CAPTURE(row.text);
    CHECK(parsed(row.text) == row.want);
  }
  CHECK(parsed("- targets: [a:1]\n  labels: {'': x}\n").find("t.yml:2:") == 0);
  CHECK(parsed("[{\"targets\": [\"a:1\"").find("t.yml:") == 0);
}

TEST_CASE("JSON's two halves of a character are one, and half a one is as Go reads it") {
  struct Row {
    const char *label, *want;
  };
  for (const Row& row : {
           Row{R"(\ud83d\udca9 ok)", "\xf0\x9f\x92\xa9 ok"},
           Row{R"(\uDBFF\uDFFF)", "\xf4\x8f\xbf\xbf"},
           Row{R"(a\ud83d)", "a\xef\xbf\xbd"},
           Row{R"(\ud83d\u0041)", "\xef\xbf\xbd\x41"},
           Row{R"(\udca9\ud83d)", "\xef\xbf\xbd\xef\xbf\xbd"},
           Row{R"(\\ud83d\\udca9)", R"(\ud83d\udca9)"},
           Row{R"(caf\u00e9 \/ \"x\")", "caf\xc3\xa9 / \"x\""},
       }) {
    CAPTURE(row.label);
    config::Errors errors;
    const std::string text = std::string(R"([{"targets": ["a:1"], "labels": {"a": ")") + row.label + "\"}}]";
    const auto targets = discover::parse_targets(text, "t.json", errors);
    CHECK(errors.text() == "");
    REQUIRE(targets.size() == 1);
    CHECK(targets[0].labels.get("a") == row.want);
  }
}

TEST_CASE("a file of JSON is one to its end, with strings where text is wanted, as for Prometheus") {
  struct Row {
    const char *text, *want;
  };
  for (const Row& row : {
           Row{R"([{"targets": ["a:1"],}])", "t.json:1:22: is no JSON from here on\n"},
           Row{"[{'targets': ['a:1']}]", "t.json:1:3: is no JSON from here on\n"},
           Row{"[{\"targets\": [\"a:1\"]}]\n// the shop", "t.json:2:1: is no JSON from here on\n"},
           Row{"- targets: [a:1]\n", "t.json:1:2: is no JSON from here on\n"},
           Row{"[{\"targets\": [\"a:1\"], \"labels\": {\"a\": \"b\tc\"}}]", "t.json:1:41: is no JSON from here on\n"},
           Row{"\xef\xbb\xbf[]",
               "t.json:1:1: begins with a byte order mark, which is not for JSON: save the file without it\n"},
           Row{R"([{"targets": [1e400]}])",
               "t.json: has a number that is too large: targets and labels are strings, in quotes\n"},
           Row{"-1e40000000", "t.json: has a number that is too large: targets and labels are strings, in quotes\n"},
           Row{R"([{"targets": ["a:1"], "labels": {"a": 5}}])",
               "t.json:1:39: [0].labels.a: is no string: write it in quotes\n"},
           Row{R"([{"targets": ["a:1"], "labels": {"a": true, "b": null}}])",
               "t.json:1:39: [0].labels.a: is no string: write it in quotes\n"},
           Row{R"([{"targets": [80]}])", "t.json:1:15: [0].targets: is no string: write it in quotes\n"},
           Row{"[{\"targets\": [\"a:1\"], \"labels\": {\"a\": \"caf\xe9\"}}]", ""},
       }) {
    CAPTURE(row.text);
    config::Errors errors;
    const auto targets = discover::parse_targets(row.text, "t.json", errors);
    CHECK(errors.text() == row.want);
    if (*row.want != '\0') continue;
    REQUIRE(targets.size() == 1);
    CHECK(targets[0].labels.get("a") == "caf\xef\xbf\xbd");
  }
}

TEST_CASE("a file that is empty from the start is a mistake as well") {
  Site site("{files: [a.json]}");
  site.folder.write("a.json", "");
  site.start();
  CHECK(site.list().error == (site.folder / "a.json") + ": is empty; write [] for no targets");
}

TEST_CASE("targets come, change and go with their files") {
  Site site("{files: ['*.yml', more.json]}");
  site.folder.write("b.yml", "- targets: [b:1, b:2, b:1]\n");
  site.start();
  CHECK(site.shown() == "b:1{} b:2{}");
  CHECK(site.list().name == site.folder / "b.yml");
  CHECK(site.list().targets[0].labels.get("__meta_filepath") == site.folder / "b.yml");
  site.folder.write("a.yml", "- targets: [a:1]\n  labels: {zone: eu}\n");
  site.folder.write("more.json", R"([{"targets": ["m:1"]}])");
  site.folder.write("other.json", R"([{"targets": ["o:1"]}])");
  site.tell();
  CHECK(site.changes == 1);
  CHECK(site.shown() == R"(a:1{zone="eu"} b:1{} b:2{} m:1{})");
  site.tell();
  CHECK(site.changes == 1);  // nothing is new
  site.folder.write("a.yml", "- targets: [a:1]\n  labels: {zone: us}\n");
  site.remove("b.yml");
  site.tell();
  CHECK(site.changes == 2);
  CHECK(site.shown() == R"(a:1{zone="us"} m:1{})");
}

TEST_CASE("a file with mistakes keeps what it said before, and says so") {
  Site site("{files: [a.yml]}");
  site.folder.write("a.yml", "- targets: [a:1]\n");
  site.start();
  const base::WallTime good = site.loop.wall_now();
  site.loop.advance(1min);
  site.folder.write("a.yml", "- target: [a:2]\n");
  site.tell();
  const base::WallTime broken = site.loop.wall_now();
  CHECK(site.changes == 1);
  CHECK(site.list().refreshed == good);
  CHECK(site.list().failing_since == broken);
  CHECK(site.shown() == "a:1{}");
  CHECK(site.list().targets.size() == 1);
  const std::string place = (site.folder / "a.yml") + ":1:3: ";
  CHECK(site.list().error == place + "[0].target: unknown key; did you mean 'targets'?");
  site.folder.write("a.yml", "- target: [a:3]\n- 5\n");
  site.tell();
  CHECK(site.changes == 2);  // other mistakes
  CHECK(site.list().failing_since == broken);
  site.folder.write("a.yml", "- targets: [a:2]\n");
  site.sd->refresh();
  CHECK(site.changes == 2);  // who asks, sees
  CHECK(site.shown() == "a:2{}");
  CHECK(site.list().refreshed == site.loop.wall_now());
  CHECK_FALSE(site.list().failing_since);
  CHECK(site.list().error.empty());
}

TEST_CASE("a file that was emptied keeps what it said before, until it says []") {
  for (const char* name : {"a.yml", "a.json"}) {
    Site site("{files: [" + std::string(name) + "]}");
    site.folder.write(name, R"([{"targets": ["a:1"]}])");
    site.start();
    site.folder.write(name, "");
    site.tell();
    CHECK(site.shown() == "a:1{}");
    CHECK(site.list().error == (site.folder / name) + ": is empty; write [] for no targets");
    site.folder.write(name, "[]");
    site.tell();
    CHECK(targets_of(*site.sd).empty());
    CHECK(site.list().error.empty());
  }
}

TEST_CASE("a file names so many targets with so many labels, and no more") {
  const auto targets = [](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "a:" : ", a:") + std::to_string(i);
    return out;
  };
  const auto mistake = [&](std::size_t count, const std::string& labels) {
    config::Errors errors;
    const auto found = discover::parse_targets(
        "- targets: [" + targets(count) + "]\n  labels: {" + labels + "}\n" + "- targets: [b:1]\n", "t.yml", errors);
    CHECK(found.size() == (errors.empty() ? count + 1 : 0));
    return errors.text();
  };
  const std::string too_much =
      " has more than 10000 targets, or more than 4 MiB of targets with their labels; divide it into several files, or "
      "take labels away\n";
  CHECK(mistake(9'999, "") == "");
  CHECK(mistake(10'000, "") == "t.yml:3:3:" + too_much);
  std::string labels;
  for (int i = 0; i < 40; ++i) labels += "l" + std::to_string(i) + ": " + std::string(1000, 'x') + ", ";
  CHECK(mistake(100, labels) == "");
  CHECK(mistake(2'000, labels) == "t.yml:1:3:" + too_much);

  Site site("{files: [a.yml]}");
  site.folder.write("a.yml", "- targets: [old:1]\n");
  site.start();
  site.folder.write("a.yml", "- targets: [" + targets(10'001) + "]\n");
  site.tell();
  CHECK(site.shown() == "old:1{}");
}

TEST_CASE("a file that has mistakes from the beginning has no targets, and an error") {
  Site site("{files: [a.yml]}");
  site.folder.write("a.yml", "- target: [a:1]\n");
  site.start();
  CHECK(targets_of(*site.sd).empty());
  CHECK_FALSE(site.list().error.empty());
}

TEST_CASE("without a watch, and besides one, the files are looked at from time to time") {
  Site site("{files: [a.yml], refresh_interval: 60s}");
  site.folders.refuse = true;
  site.start();
  CHECK(targets_of(*site.sd).empty());
  CHECK(site.sd->lists().empty());
  site.folder.write("a.yml", "- targets: [a:1]\n");
  site.loop.advance(59s);
  CHECK(site.changes == 0);
  site.folders.refuse = false;
  site.loop.advance(1s);
  CHECK(site.changes == 1);
  CHECK(site.shown() == "a:1{}");
  CHECK(site.folders.watched.size() == 1);  // there is one now
  site.folder.write("a.yml", "- targets: [a:2]\n");
  site.loop.advance(60s);
  CHECK(site.shown() == "a:2{}");
}

TEST_CASE("the kernel tells of files that are written, renamed and removed") {
  const fakes::TemporaryFolder folder;
  loop::EventLoop loop;
  os::FolderWatch folders(loop);
  fakes::FakeLoop fake_loop;
  fakes::FakeHttp http(fake_loop);
  fakes::FakeResolver resolver(fake_loop);
  int changes = 0;
  const auto sd =
      entry_of("{files: ['*.yml'], refresh_interval: 1h}", folder.path())->make({loop, folders, http, resolver}, [&] {
        ++changes;
      });
  const auto wait_for = [&](const std::string& want) {
    CHECK(fakes::run_until(loop, [&] { return shown(targets_of(*sd)) == want; }));
  };
  folder.write("a.yml", "- targets: [a:1]\n");
  wait_for("a:1{}");
  folder.write("next", "- targets: [a:2]\n");
  std::filesystem::rename(folder / "next", folder / "a.yml");
  wait_for("a:2{}");
  std::filesystem::remove(folder / "a.yml");
  wait_for("");
  CHECK(changes == 3);
  CHECK_FALSE(folders.watch(folder / "nowhere", [] {}));
}
