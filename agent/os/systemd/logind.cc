#include "os/systemd/logind.h"

#include <memory>
#include <utility>

#include "loop/event_loop.h"
#include "os/systemd/bus_connection.h"

namespace os {
namespace {

// One call on a connection of its own.
class Reboot final : public loop::Registration {
 public:
  Reboot(loop::EventLoop& loop, base::Instant deadline, std::function<void(base::Result<>)> done)
      : loop_(loop), done_(std::move(done)) {
    timer_ = loop.at(deadline, [this] {
      finish(base::fail(base::Kind::timeout, "logind did not answer in time; the node may reboot all the same"));
    });
  }
  ~Reboot() override { slot_.reset(); }  // before the connection

  void start(const std::string& address) {
    auto opened = BusConnection::open(loop_, address, [this] {
      finish(base::fail(base::Kind::unavailable, "the connection to logind's bus is lost"));
    });
    if (!opened) return fail_soon(opened.error());
    connection_ = *std::move(opened);
    sd_bus_slot* slot = nullptr;
    const int code =
        sd_bus_call_method_async(connection_->native(), &slot, "org.freedesktop.login1", "/org/freedesktop/login1",
                                 "org.freedesktop.login1.Manager", "Reboot", &Reboot::on_reply, this, "b", 0);
    slot_.reset(slot);
    if (code < 0) return fail_soon(base::fail_errno(-code, "cannot ask logind for a reboot").value());
    connection_->sent();
  }

 private:
  static int on_reply(sd_bus_message* reply, void* self, sd_bus_error*) {
    if (sd_bus_message_is_method_error(reply, nullptr) != 0)
      static_cast<Reboot*>(self)->fail_soon(bus_error(reply, "logind refused to reboot"));
    else static_cast<Reboot*>(self)->end_soon({});
    return 0;
  }
  void fail_soon(base::Error error) { end_soon(tl::unexpected<base::Error>(std::move(error))); }
  // In a turn of its own: whoever hears of it may drop this, connection and all.
  void end_soon(base::Result<> result) {
    timer_ = loop_.at(loop_.now(), [this, result = std::move(result)] { finish(result); });
  }
  void finish(base::Result<> result) {
    timer_.reset();
    const auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  loop::EventLoop& loop_;
  std::function<void(base::Result<>)> done_;
  loop::Handle timer_;
  std::unique_ptr<BusConnection> connection_;
  Slot slot_;
};

}  // namespace

loop::Handle SdBusLogind::reboot(base::Instant deadline, std::function<void(base::Result<>)> done) {
  auto call = std::make_unique<Reboot>(loop_, deadline, std::move(done));
  call->start(address_);
  return loop::Handle(std::move(call));
}

}  // namespace os
