// One request on its way from the front to a worker and back: what both must know of it and does not belong into the
// request. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "web/server/admin_access.h"

namespace web {

struct Admin {
  AdminRight right = AdminRight::none;
  uid_t user = 0;
  pid_t process = 0;
};

struct Exchange {
  Exchange(std::optional<Admin> over_admin_socket, bool is_known, std::string header)
      : admin(std::move(over_admin_socket)), known(is_known), connection_header(std::move(header)) {}

  const std::optional<Admin> admin;     // who asks over the admin socket; none over TCP
  const bool known;                     // the client has shown name and password, or they are not asked for
  const std::string connection_header;  // of the answer; see connection_header()

  std::atomic<bool> left{false};      // the client has closed, at least its sending side
  std::atomic<bool> gone{false};      // the client cannot take the answer
  std::atomic<bool> answered{false};  // a whole answer was written: another request may follow
  std::atomic<bool> held{false};      // the answer comes later, not from this worker
};

// Which are under way, by number. The mutex protects the map for the time of a look-up.
class Exchanges {
 public:
  std::uint64_t add(std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex_);
    open_.emplace(++last_, std::move(exchange));
    return last_;
  }
  // Null if there is none. Each is given once: a worker takes it.
  std::shared_ptr<Exchange> take(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.extract(number);
    return found ? found.mapped() : nullptr;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Exchange>> open_;
  std::uint64_t last_ = 0;
};

}  // namespace web
