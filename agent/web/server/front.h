// What stands before the HTTP server: it takes connections, speaks TLS, waits for whole requests, asks for names and
// passwords, and only then gives a request to one of the few workers. A client that sends nothing, or slowly, or does
// not take its answer holds some memory and no thread. One thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/acceptor.h"
#include "net/tls/server_tls.h"
#include "web/server/admin_access.h"
#include "web/server/basic_auth.h"
#include "web/server/exchange.h"
#include "web/server/lane.h"
#include "web/server/refusals.h"

namespace web {

struct FrontOptions {
  net::Acceptor tcp;
  std::optional<net::Acceptor> admin;
  AdminGroups admin_groups;
  std::shared_ptr<const net::ServerTls> tls;  // null: plain HTTP
  std::string workers_socket;                 // where the workers' server listens
  std::array<int, kLanes> workers{};          // of each Lane
  std::size_t most_connections = 0;           // over TCP
};

class Front {
 public:
  // `on_left`: a client has left while its answer was due; on the front's thread. Nobody is let in before begin().
  Front(FrontOptions options, Exchanges& exchanges, BasicAuth& auth, Refusals& refusals, std::function<void()> on_left);
  ~Front();  // stops without patience

  // Kind::limit: there is no thread for it.
  base::Result<> begin();
  // No further request is taken. Waits for those that are under way, not longer than `patience`; then everything is
  // closed, and no worker waits for the front.
  void stop(std::chrono::milliseconds patience);
  // For connections to come. Any thread.
  void use(std::shared_ptr<const net::ServerTls> tls);
  // Any thread: how many clients are connected.
  std::size_t connections() const { return connections_; }

  // Where the answers go that come after their worker has left. It may outlive the front. Any thread.
  class Inbox {
   public:
    virtual ~Inbox() = default;
    virtual void answer(std::uint64_t exchange, std::string bytes) = 0;
  };
  std::shared_ptr<Inbox> inbox() const;

 private:
  class Rep;
  class Mail;
  std::atomic<std::size_t> connections_{0};
  std::shared_ptr<Mail> mail_;
  std::unique_ptr<Rep> rep_;
};

}  // namespace web
