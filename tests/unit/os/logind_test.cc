#include "os/systemd/logind.h"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "fakes/fake_systemd.h"
#include "fakes/run_until.h"

namespace {

// Something that owns logind's name and answers Reboot; "hang" is no answer.
class ScriptedLogind {
 public:
  ScriptedLogind(const std::string& address, std::string answer) : answer_(std::move(answer)) {
    sd_bus_new(&bus_);
    sd_bus_set_address(bus_, address.c_str());
    sd_bus_set_bus_client(bus_, 1);
    if (sd_bus_start(bus_) < 0 || sd_bus_request_name(bus_, "org.freedesktop.login1", 0) < 0) std::abort();
    sd_bus_add_filter(
        bus_, nullptr,
        [](sd_bus_message* m, void* self, sd_bus_error*) { return static_cast<ScriptedLogind*>(self)->reply(m); },
        this);
    thread_ = std::thread([this] {
      while (!stopping_) {
        while (sd_bus_process(bus_, nullptr) > 0) {
        }
        sd_bus_wait(bus_, 1000);
      }
    });
  }
  ~ScriptedLogind() {
    stopping_ = true;
    thread_.join();
    sd_bus_flush_close_unref(bus_);
  }
  int reboots() const { return reboots_; }

 private:
  int reply(sd_bus_message* m) {
    if (sd_bus_message_is_method_call(m, "org.freedesktop.login1.Manager", "Reboot") == 0) return 0;
    int interactive = 1;
    if (sd_bus_message_read(m, "b", &interactive) < 0 || interactive != 0) std::abort();
    ++reboots_;
    if (answer_ == "hang") return 1;
    if (answer_.empty()) return sd_bus_reply_method_return(m, "");
    return sd_bus_reply_method_errorf(m, answer_.c_str(), "Operation inhibited");
  }
  std::string answer_;
  sd_bus* bus_ = nullptr;
  std::atomic<int> reboots_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

std::string reboot(const std::string& address, base::Duration limit = std::chrono::seconds{10}) {
  loop::EventLoop loop;
  os::SdBusLogind logind(loop, address);
  std::optional<base::Result<>> got;
  loop::Handle handle;
  handle = logind.reboot(loop.now() + limit, [&](base::Result<> result) {
    got = std::move(result);
    handle.reset();
  });
  CHECK_FALSE(got.has_value());
  REQUIRE(fakes::run_until(loop, [&] { return got.has_value(); }));
  return *got ? "begun" : std::string(base::to_string(got->error().kind)) + ": " + got->error().text;
}

}  // namespace

TEST_CASE("a reboot is asked of logind once, without questions to anybody") {
  const fakes::BusDaemon daemon;
  if (daemon.address.empty()) {
    MESSAGE("skipped: no dbus-daemon here (package dbus)");
    return;
  }
  struct Row {
    const char* answer;
    base::Duration limit;
    const char* want;
  };
  const std::chrono::seconds enough{10};
  for (const Row& row : {Row{"", enough, "begun"},
                         Row{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", enough,
                             "permission: logind refused to reboot: Operation inhibited"},
                         Row{"org.freedesktop.DBus.Error.AccessDenied", enough,
                             "permission: logind refused to reboot: Operation inhibited"},
                         Row{"hang", std::chrono::milliseconds{50},
                             "timeout: logind did not answer in time; the node may reboot all the same"}}) {
    CAPTURE(row.answer);
    const ScriptedLogind logind(daemon.address, row.answer);
    CHECK(reboot(daemon.address, row.limit) == row.want);
    CHECK(logind.reboots() == 1);
  }
  CHECK(reboot(daemon.address).starts_with("unavailable: logind refused to reboot: "));  // nobody has the name now
  CHECK(reboot("unix:path=/no/such/bus").starts_with("unavailable: cannot connect to unix:path=/no/such/bus"));
}
