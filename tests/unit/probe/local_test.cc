// file, disk, node and connection: what stands on this node itself.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "fakes/probe_trial.h"
#include "fakes/real_server.h"
#include "loop/blocking_pool.h"

namespace {

using namespace std::chrono_literals;
using model::Reason;

// A folder whose files are as old as a test says; the fakes' wall clock stands at 1,700,000,000 s.
struct Files {
  void write(const std::string& name, const std::string& text, int seconds_ago) const {
    const std::string path = folder.path() + "/" + name;
    std::ofstream(path) << text;
    const timespec then{1'700'000'000 - seconds_ago, 0};
    const timespec times[] = {then, then};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  // "up: text" or "reason: text", with FOLDER for the folder's path.
  std::string look(const std::string& path, const std::vector<std::string>& settings) const {
    fakes::Trial trial("file", folder.path() + "/" + path, settings);
    trial.start();
    trial.world.loop.run_due();
    REQUIRE(trial.answers == 1);
    std::string text =
        (trial.found.up ? "up" : std::string(model::to_string(trial.found.reason))) + ": " + trial.found.text;
    for (std::size_t at = text.find(folder.path()); at != std::string::npos; at = text.find(folder.path()))
      text.replace(at, folder.path().size(), "FOLDER");
    return text;
  }
  fakes::TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a file system that hangs costs its own probe, and the next look says so at once") {
  for (const char* type : {"file", "disk"}) {
    CAPTURE(type);
    fakes::Trial trial(type, "/mnt/nfs");
    trial.world.blocking_pool.hanging.insert("/mnt/nfs");
    trial.start();
    trial.world.loop.run_due();
    CHECK(trial.answers == 0);
    trial.world.loop.advance(1100ms);  // the Trial's timeout, and a moment
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == Reason::read_timeout);
    trial.answers = 0;
    trial.start();
    trial.world.loop.run_due();
    REQUIRE(trial.answers == 1);
    CHECK(trial.found.reason == Reason::read_timeout);
    CHECK(trial.found.text == "/mnt/nfs hangs");
    // Another probe of the same path has its own look, and its own time for it.
    const fakes::Trial other(type, "/mnt/nfs", {"name=other"});
    int answers = 0;
    const auto attempt = probe::run_once(trial.world.context, other.spec, [&](model::Outcome) { ++answers; });
    trial.world.loop.run_due();
    CHECK(answers == 0);
  }
}

TEST_CASE("file judges the newest file that its pattern names") {
  const Files files;
  files.write("shop-1.dump", "old", 7200);
  files.write("shop-2.dump", "a new dump: ok", 90);
  struct Row {
    const char* path;
    std::vector<std::string> settings;
    const char* text;
  };
  for (const Row& row : {
           Row{"shop-*.dump", {"max_age=2m", "min_size=5"}, "up: FOLDER/shop-2.dump was written 1m30s ago"},
           Row{"shop-1.dump", {"max_age=1h"}, "heartbeat_missed: FOLDER/shop-1.dump was written 2h ago; max_age is 1h"},
           Row{"shop-2.dump", {"min_age=5m"}, "body_mismatch: FOLDER/shop-2.dump was written 1m30s ago; min_age is 5m"},
           Row{"shop-*.dump", {"min_size=15"}, "body_mismatch: FOLDER/shop-2.dump has 14 bytes; min_size is 15"},
           Row{"shop-*.dump", {"max_size=13"}, "too_large: FOLDER/shop-2.dump has 14 bytes; max_size is 13"},
           Row{"shop-*.dump", {"min_count=3"}, "body_mismatch: 2 of 3 files match FOLDER/shop-*.dump"},
           Row{"shop-*.dump", {"matches=ok$"}, "up: FOLDER/shop-2.dump was written 1m30s ago"},
           Row{"shop-1.dump", {"matches=ok$"}, "body_mismatch: FOLDER/shop-1.dump does not match ok$"},
           Row{"shop-2.dump", {"not_matches=dump"}, "body_mismatch: FOLDER/shop-2.dump matches dump"},
           Row{"other", {}, "body_mismatch: there is no FOLDER/other"},
           Row{"shop-2.dump/x", {}, "unreachable: FOLDER/shop-2.dump/x: Not a directory"},
           Row{"other", {"exists=false"}, "up: there is no FOLDER/other"},
           Row{"shop-1.dump", {"exists=false"}, "body_mismatch: FOLDER/shop-1.dump is there, and must not be"},
       }) {
    CAPTURE(row.path);
    CHECK(files.look(row.path, row.settings) == row.text);
  }
  fakes::Trial trial("file", files.folder.path() + "/shop-*");
  trial.start();
  trial.world.loop.run_due();
  CHECK(trial.measured("probe_file_count") == 2);
  CHECK(trial.measured("probe_file_age_seconds") == 90);
  CHECK(trial.measured("probe_file_size_bytes") == 14);
  CHECK(trial.measured("probe_file_modified_timestamp_seconds") == 1'699'999'910);
}

TEST_CASE("file does not open what may block") {
  const fakes::TemporaryFolder folder;
  const std::string path = folder.path() + "/pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  fakes::Trial trial("file", path, {"matches=x"});
  trial.start();
  trial.world.loop.run_due();
  CHECK(trial.found.text == path + " is no regular file");
}

TEST_CASE("disk judges what is left") {
  const auto look = [](const std::vector<std::string>& settings) {
    fakes::Trial trial("disk", "/tmp", settings);
    trial.start();
    trial.world.loop.run_due();
    return trial.found;
  };
  const auto fine = look({"min_available_percent=0", "min_inodes_percent=0"});
  CHECK(fine.up);
  CHECK(fine.text.starts_with("/tmp has "));
  CHECK(fakes::measurement(fine, "probe_disk_size_bytes") > 0);
  CHECK(fakes::measurement(fine, "probe_disk_available_percent") <= 100);
  const auto full = look({"min_available_percent=100", "min_inodes_percent=0"});
  CHECK(full.reason == Reason::queue_saturated);
  CHECK(full.text.ends_with(" left; min_available_percent is 100.0 %"));
  CHECK(look({"min_available_percent=0", "min_available_bytes=4611686018427387904"}).reason == Reason::queue_saturated);
  // A file system without a number of inodes (btrfs) has all of them left.
  const auto inodes = look({"min_available_percent=0", "min_inodes_percent=100"});
  const double left = fakes::measurement(inodes, "probe_disk_inodes_available_percent");
  CHECK(inodes.up == (left >= 100));
  if (!inodes.up) CHECK(inodes.text.ends_with(" of its inodes left; min_inodes_percent is 100.0 %"));
  fakes::Trial nowhere("disk", "/nonexistent/path");
  nowhere.start();
  nowhere.world.loop.run_due();
  CHECK(nowhere.found.reason == Reason::unreachable);
  CHECK(nowhere.found.text == "/nonexistent/path: No such file or directory");
}

TEST_CASE("node judges memory and pressure") {
  const fakes::TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() + "/pressure");
  std::ofstream(folder.path() + "/meminfo") << "MemTotal:        1000 kB\nMemFree:  5 kB\nMemAvailable:     80 kB\n"
                                               "SwapTotal:  100 kB\nSwapFree:   40 kB\n";
  std::ofstream(folder.path() + "/pressure/io") << "some avg10=62.50 avg60=1.00 avg300=0.10 total=5000000\n"
                                                   "full avg10=10.00 avg60=0.00 avg300=0.00 total=1000000\n";
  const auto look = [&](std::vector<std::string> settings) {
    settings.push_back("proc=" + folder.path());
    fakes::Trial trial("node", "", settings);
    trial.start();
    trial.world.loop.run_due();
    return trial.found;
  };
  const auto fine = look({});
  CHECK(fine.text == "8 % of the memory is available");
  CHECK(fine.up);
  CHECK(fakes::measurement(fine, "probe_node_memory_available_bytes") == 80 * 1024);
  CHECK(fakes::measurement(fine, "probe_node_swap_used_bytes") == 60 * 1024);
  CHECK(fakes::measurement(fine, "probe_node_pressure_percent", "kind", "some") == 62.5);
  CHECK(fakes::measurement(fine, "probe_node_pressure_waiting_seconds", "kind", "full") == 1);
  const auto scarce = look({"min_memory_percent=9"});
  CHECK(scarce.reason == Reason::queue_saturated);
  CHECK(scarce.text == "8 % of the memory is available; min_memory_percent is 9 %");
  CHECK(look({"max_io_pressure=60"}).text ==
        "tasks waited for io in 62 % of the last 10 seconds; max_io_pressure is 60 %");
  CHECK(look({"max_io_pressure=70"}).up);
  CHECK(look({"max_cpu_pressure=70"}).text.starts_with("the kernel tells no pressure (boot it with psi=1): "));
}

TEST_CASE("connection tells the end of what it held, and connects again with longer and longer pauses") {
  fakes::ProbeWorld world;
  const auto spec = probe::spec_from_arguments("connection", "127.0.0.1:6379", {});
  REQUIRE(spec);
  std::vector<probe::Event> events;
  auto source = spec->settings->watch(world.context, [&](probe::Event event) { events.push_back(std::move(event)); });
  REQUIRE(source);
  const auto active = [&] {
    model::Outcome outcome = model::Outcome::success("");
    source->describe(outcome);
    return fakes::measurement(outcome, "probe_event_source_active", "source", "connection");
  };
  auto& desk = world.dialer.desk;
  fakes::Peer first(world.loop);
  const auto connect = [&](fakes::Peer& peer) {
    net::Connected connected;
    connected.stream = std::make_unique<fakes::FakeStream>(peer);
    desk.answer(std::move(connected));
  };
  REQUIRE(desk.waiting() == 1);
  CHECK(active() == 0);
  connect(first);
  CHECK(active() == 1);
  first.say("what it says is of no interest");
  world.loop.advance(2h);
  CHECK(events.empty());
  CHECK(first.open);
  first.fail(Reason::reset, "127.0.0.1:6379: Connection reset by peer");
  REQUIRE(events.size() == 1);
  CHECK(events[0].source == "connection");
  CHECK(events[0].text == "127.0.0.1:6379: Connection reset by peer");
  CHECK(events[0].noticed == world.loop.now());
  CHECK_FALSE(first.open);
  CHECK(active() == 0);

  // Refused: after 100 ms, then 200, 400 …
  CHECK(desk.waiting() == 0);
  for (const auto pause : {100ms, 200ms, 400ms}) {
    world.loop.advance(pause - 1ms);
    CHECK(desk.waiting() == 0);
    world.loop.advance(1ms);
    REQUIRE(desk.waiting() == 1);
    net::Connected refused;
    refused.failure = {Reason::refused, "refused"};
    desk.answer(std::move(refused));
  }
  world.loop.advance(800ms);
  // A peer that closes at once is no end of something held.
  fakes::Peer second(world.loop);
  connect(second);
  second.close();
  CHECK(events.size() == 1);
  world.loop.advance(1600ms);
  fakes::Peer third(world.loop);
  connect(third);
  world.loop.advance(5s);
  third.close();
  REQUIRE(events.size() == 2);
  CHECK(events[1].text == "127.0.0.1:6379 closed the connection that was held");
  source.reset();
  world.loop.advance(1h);
  CHECK(desk.waiting() == 0);
}
