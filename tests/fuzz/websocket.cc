// What a WebSocket's server sends after the upgrade: frames.
#include <string>

#include "base/base64.h"
#include "crypto/hmac.h"
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

namespace {

// The upgrade, with the proof that the request was read (RFC 6455, 4.2.2).
std::string upgrade(const std::string& request) {
  constexpr std::string_view header = "Sec-WebSocket-Key: ";
  const std::size_t at = request.find(header) + header.size();
  const std::string key = request.substr(at, request.find('\r', at) - at);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
         base::base64_encode(crypto::sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) + "\r\n\r\n";
}

}  // namespace

void fuzz::one_input(std::string_view bytes) {
  static const Conversation upgraded("websocket", "ws://feed:8081/", {"send=hello", "expect=^(h.*)o$"}, upgrade);
  static const Conversation from_the_start("websocket", "ws://feed:8081/", {"ping=false"});
  upgraded.hear(bytes);
  from_the_start.hear(bytes);
}
