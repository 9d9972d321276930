// One client's connection at the front: reads whole requests, one at a time, and writes what answers them; ends those
// who let it wait. Loop thread of the front.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loop/event_loop.h"
#include "net/acceptor.h"
#include "net/tls/server_tls.h"
#include "net/wire.h"
#include "web/server/http.h"
#include "web/server/refusals.h"
#include "web/server/request_reader.h"

namespace web {

class ClientConnection {
 public:
  // For TLS handshake, head and body together, from the connection on, or from the first byte of a further request on.
  static constexpr base::Millis kRequestTime{5'000};
  static constexpr base::Millis kIdleTime{120'000};  // between two requests
  static constexpr base::Millis kLingerTime{1'000};  // for a last answer to arrive before the connection is closed
  // Who takes less than kTakes of an answer in kTakeTime is gone.
  static constexpr base::Millis kTakeTime{10'000};
  static constexpr std::size_t kTakes = 64 * 1024;

  // What the front is told. Each may close the connection, which lives until a later turn.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_request(WholeRequest request) = 0;  // then none until answered()
    virtual void on_left() = 0;                         // the client has closed while its answer was due
    virtual void on_taken() = 0;                        // unsent() became smaller
    // Whether the connection waits for its client from now on; again when the client has shown that it lives.
    virtual void on_waiting(bool waits) = 0;
    virtual void on_closed() = 0;  // once
  };

  ClientConnection(loop::EventLoop& loop, net::Accepted accepted, std::shared_ptr<const net::ServerTls> tls,
                   Refusals& refusals, Owner& owner);

  void begin();  // the first reading
  // A part of the answer.
  void send(std::string_view bytes);
  std::size_t unsent() const { return out_.size() - sent_; }
  enum class Next { request, close };
  void answered(Next next);
  // An answer of the front's own.
  void answer(const WholeRequest& request, const Response& response);
  void close();
  // No further request is read from now on.
  void let_go() { last_ = true; }
  bool idle() const { return at_ == At::reading || at_ == At::idle || at_ == At::lingering; }
  bool closed() const { return at_ == At::closed; }
  const std::string& address() const { return address_; }

 private:
  enum class At { reading, idle, answering, sending, lingering, closed };

  void go_on();
  void read_some();
  void look();
  void write_some();
  void update();
  void refuse(Refusals::Reason reason, const Response& response);
  void linger();
  void late();
  void wait(At at, base::Millis time);
  void tell_waiting(bool waits);

  loop::EventLoop& loop_;
  Refusals& refusals_;
  Owner& owner_;
  const std::string address_;
  std::unique_ptr<net::Wire> wire_;
  RequestReader reader_;
  At at_ = At::reading;
  Next next_ = Next::request;
  std::string out_;
  std::size_t sent_ = 0;
  std::size_t taken_ = 0;   // since taking_ was set
  bool heard_all_ = false;  // the client sends no more
  bool last_ = false;
  bool busy_ = false;  // go_on() runs
  bool again_ = false;
  bool waits_ = false;
  loop::Handle deadline_, taking_, soon_;
};

}  // namespace web
