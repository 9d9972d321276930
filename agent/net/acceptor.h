// A listening socket, TCP or unix, and the connections that come to it. Opened on any thread, before its loop runs;
// then loop thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"

namespace net {

// Who connected over a unix socket, as the kernel says: at the time of connect(2).
struct Peer {
  uid_t user = 0;
  gid_t group = 0;
  pid_t process = 0;
  std::vector<gid_t> groups{};  // the others
};

struct Accepted {
  base::UniqueFd fd;
  std::string address;       // "10.0.0.7", "2001:db8::7"; "" over a unix socket
  std::optional<Peer> peer;  // over a unix socket; none if the kernel does not tell
};

class Acceptor {
 public:
  // `host`: a name or literal; "": every address of both families, where the kernel has no IPv6 of one. Port 0 takes
  // any.
  static base::Result<Acceptor> on_tcp(const std::string& host, std::uint16_t port);
  // `path` must be free. `mode`: who may connect.
  static base::Result<Acceptor> on_unix(const std::string& path, unsigned mode);

  int port() const;  // of TCP
  // Calls `take` for each connection, some in a turn, until stop(). Lets connections wait in the kernel's queue while
  // `may` says no, which it is asked for each, and while this process has no descriptor for them; looks again after
  // kPause.
  void start(loop::EventLoop& loop, std::function<bool()> may, std::function<void(Accepted)> take);
  void stop() { watch_.reset(), pause_.reset(); }

  static constexpr base::Millis kPause{20};

 private:
  explicit Acceptor(base::UniqueFd fd) : fd_(std::move(fd)) {}
  void watch();
  void accept_some();
  void pause();

  base::UniqueFd fd_;
  loop::EventLoop* loop_ = nullptr;
  std::function<bool()> may_;
  std::function<void(Accepted)> take_;
  loop::Handle watch_, pause_;
};

}  // namespace net
