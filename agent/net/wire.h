// One accepted connection (or one to a unix socket of our own) as bytes that go and come, without waiting; with TLS its
// handshake is part of the first reads and writes. Loop thread of its EventLoop.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/event_loop.h"
#include "net/tls/server_tls.h"

namespace net {

class Wire {
 public:
  enum class Step { done, again, closed, failed };  // closed: the peer sends no more
  struct Moved {
    Step step = Step::again;
    std::size_t size = 0;
  };

  // `on_ready` is called while what `watch` asks for may be possible. It may destroy the Wire.
  Wire(loop::EventLoop& loop, base::UniqueFd fd, std::shared_ptr<const ServerTls> tls, std::function<void()> on_ready);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Connects at once or fails; for sockets that this process itself listens on.
  static base::Result<base::UniqueFd> connect_unix(const std::string& path);

  Moved read(char* into, std::size_t size);  // `size` > 0
  Moved write(std::string_view bytes);       // what was refused with `again` must be offered again
  // Level-triggered. Bytes that TLS decrypted already do not make the descriptor ready: read until `again` before
  // waiting.
  void watch(loop::Ready want);
  bool secured() const;  // the TLS handshake is over; true without TLS
  // Tells the peer that no more comes; it may still send.
  void end_writing();
  // The connection is reset instead of closed: nothing of it stays in the kernel.
  void reset_on_close();

 private:
  struct Tls;
  Moved tls_result(int result, loop::Ready& wants);
  void rewatch();

  loop::EventLoop& loop_;
  base::UniqueFd fd_;
  std::unique_ptr<Tls> tls_;
  std::function<void()> on_ready_;
  loop::Ready want_{}, watched_{};
  loop::Ready read_wants_{.read = true}, write_wants_{.write = true};  // what TLS needs for it
  loop::Handle watch_;
};

}  // namespace net
