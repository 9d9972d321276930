// A server of one line: who connects is told a text and that is all, as HAProxy's agent-check wants it. What the peer
// sends is read and thrown away. Connections are few and short: at most kOpen at a time, the oldest goes for a new one,
// and none stays longer than kLinger. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "loop/handle.h"

namespace loop {
class EventLoop;
}  // namespace loop

namespace net {

class AgentCheckServer {
 public:
  virtual ~AgentCheckServer() = default;
  // `address` is host:port with a literal host ("" or "*": every address), [v6]:port, or unix:/path; port 0 takes any.
  // `line` is asked once for each connection, with the peer's address without its port ("unix" for unix sockets).
  // Errors: not an address, in use, not permitted. Dropping the Handle closes everything.
  virtual base::Result<loop::Handle> serve(const std::string& address,
                                           std::function<std::string(const std::string& peer)> line) = 0;
};

class SocketAgentCheckServer final : public AgentCheckServer {
 public:
  static constexpr std::size_t kOpen = 64;
  static constexpr base::Millis kLinger{2'000};

  explicit SocketAgentCheckServer(loop::EventLoop& loop) : loop_(loop) {}
  base::Result<loop::Handle> serve(const std::string& address,
                                   std::function<std::string(const std::string& peer)> line) override;

 private:
  loop::EventLoop& loop_;
};

}  // namespace net
