// One D-Bus connection of sd-bus on the event loop: connects, turns, notices its end. Used inside os/ only.
#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "loop/event_loop.h"

namespace os {

struct UnrefBus {
  void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
struct UnrefSlot {
  void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Slot = std::unique_ptr<sd_bus_slot, UnrefSlot>;
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;

// Outstanding calls get their error from sd-bus before `on_lost` is called, from the loop and once. In `on_lost` the
// connection may be destroyed.
class BusConnection {
 public:
  // `address` "": the system bus. The only call that may wait: connecting to a local socket.
  static base::Result<std::unique_ptr<BusConnection>> open(loop::EventLoop& loop, const std::string& address,
                                                           std::function<void()> on_lost);
  sd_bus* native() const { return bus_.get(); }
  // After anything was sent: what to wait for may have changed.
  void sent() { arm(); }

 private:
  BusConnection(loop::EventLoop& loop, std::function<void()> on_lost) : loop_(loop), on_lost_(std::move(on_lost)) {}
  void process();
  void arm();
  void lost();

  loop::EventLoop& loop_;
  std::function<void()> on_lost_;
  std::unique_ptr<sd_bus, UnrefBus> bus_;
  loop::Ready watched_{};
  loop::Handle watch_, timer_;
};

// The error of a reply, in the Kinds of ours; `what` begins the sentence.
base::Error bus_error(sd_bus_message* reply, const std::string& what);

}  // namespace os
