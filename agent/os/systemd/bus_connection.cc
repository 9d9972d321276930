#include "os/systemd/bus_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace os {
namespace {

// Messages of one turn: a burst of signals must not keep timers waiting.
constexpr int kPerTurn = 64;

}  // namespace

base::Result<std::unique_ptr<BusConnection>> BusConnection::open(loop::EventLoop& loop, const std::string& address,
                                                                 std::function<void()> on_lost) {
  std::unique_ptr<BusConnection> made(new BusConnection(loop, std::move(on_lost)));
  sd_bus* bus = nullptr;
  int code = 0;
  if (address.empty()) {
    code = sd_bus_open_system(&bus);
    made->bus_.reset(bus);
  } else {
    code = sd_bus_new(&bus);
    made->bus_.reset(bus);
    if (code >= 0) code = sd_bus_set_address(bus, address.c_str());
    if (code >= 0) code = sd_bus_set_bus_client(bus, 1);
    if (code >= 0) code = sd_bus_start(bus);
  }
  if (code < 0) {
    const base::Error error =
        base::fail_errno(-code, fmt::format("cannot connect to {}", address.empty() ? "the system bus" : address))
            .value();
    return base::fail(base::Kind::unavailable, error.text);
  }
  made->arm();
  return made;
}

void BusConnection::process() {
  for (int i = 0; i < kPerTurn; ++i) {
    const int did = sd_bus_process(bus_.get(), nullptr);
    if (did < 0) return lost();
    if (did == 0) break;
  }
  arm();
}

void BusConnection::arm() {
  const int fd = sd_bus_get_fd(bus_.get());
  const int events = sd_bus_get_events(bus_.get());
  std::uint64_t until = UINT64_MAX;
  if (fd < 0 || events < 0 || sd_bus_get_timeout(bus_.get(), &until) < 0) {
    // Told from the loop, never from inside a call.
    timer_ = loop_.at(loop_.now(), [this] { lost(); });
    return;
  }
  const loop::Ready want{.read = (events & POLLIN) != 0, .write = (events & POLLOUT) != 0};
  if (!watch_ || want.read != watched_.read || want.write != watched_.write) {
    watch_.reset();
    watch_ = loop_.watch(fd, want, [this](loop::Ready) { process(); });
    watched_ = want;
  }
  timer_.reset();
  if (until == UINT64_MAX) return;
  // Absolute, in microseconds of the monotonic clock; 0 when messages wait that were read already.
  timer_ = loop_.at(base::Instant{std::chrono::microseconds{until}}, [this] { process(); });
}

void BusConnection::lost() {
  watch_.reset();
  timer_.reset();
  const auto on_lost = std::exchange(on_lost_, nullptr);
  if (on_lost) on_lost();
}

base::Error bus_error(sd_bus_message* reply, const std::string& what) {
  const sd_bus_error* error = sd_bus_message_get_error(reply);
  const std::string_view name = error != nullptr && error->name != nullptr ? error->name : "";
  const std::string text =
      fmt::format("{}: {}", what, error != nullptr && error->message != nullptr ? error->message : std::string(name));
  if (name.ends_with(".AccessDenied") || name.ends_with(".InteractiveAuthorizationRequired") ||
      name.ends_with(".NotAuthorized"))
    return {base::Kind::permission, text};
  if (name.ends_with(".NoSuchUnit") || name.ends_with(".UnknownObject") || name.ends_with(".UnitNotFound"))
    return {base::Kind::not_found, text};
  if (name.ends_with(".TransactionIsDestructive") || name.ends_with(".OperationInProgress"))
    return {base::Kind::cancelled, text};
  if (name.ends_with(".Timeout")) return {base::Kind::timeout, text};
  if (name.ends_with(".NoReply") || name.ends_with(".ServiceUnknown") || name.ends_with(".NameHasNoOwner") ||
      name.ends_with(".Disconnected") || name.starts_with("System.Error."))
    return {base::Kind::unavailable, text};
  return {base::Kind::protocol, text};
}

}  // namespace os
