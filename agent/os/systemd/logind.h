// systemd-logind over D-Bus: the reboot of this node, as org.freedesktop.login1(5) has it.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace os {

class Logind {
 public:
  virtual ~Logind() = default;
  // `done` once, in a later turn, when logind has begun the reboot; the end of this process follows. Nobody is asked
  // for a password and inhibitors are respected: both are permission errors. Dropping the Handle takes back nothing.
  virtual loop::Handle reboot(base::Instant deadline, std::function<void(base::Result<>)> done) = 0;
};

class SdBusLogind final : public Logind {
 public:
  // `address` "": the system bus; else a D-Bus address (tests). A connection for each call: there are few.
  explicit SdBusLogind(loop::EventLoop& loop, std::string address = "") : loop_(loop), address_(std::move(address)) {}
  loop::Handle reboot(base::Instant deadline, std::function<void(base::Result<>)> done) override;

 private:
  loop::EventLoop& loop_;
  std::string address_;
};

}  // namespace os
