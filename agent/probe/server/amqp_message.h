// AMQP 0-9-1 as RabbitMQ speaks it (https://www.rabbitmq.com/amqp-0-9-1-protocol), as far as a probe needs it: frames
// with methods, and the texts of a server's properties. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "probe/common/big_endian.h"

namespace probe::amqp {

using namespace std::string_view_literals;
inline constexpr std::string_view kProtocolHeader = "AMQP\0\0\x09\x01"sv;
inline constexpr std::uint8_t kMethodFrame = 1, kHeartbeatFrame = 8;

// Class and method in one number: 10 in the upper half is the connection, 20 a channel, 50 a queue.
enum class Method : std::uint32_t {
  connection_start = 10 << 16 | 10,
  connection_start_ok = 10 << 16 | 11,
  connection_secure = 10 << 16 | 20,
  connection_tune = 10 << 16 | 30,
  connection_tune_ok = 10 << 16 | 31,
  connection_open = 10 << 16 | 40,
  connection_open_ok = 10 << 16 | 41,
  connection_close = 10 << 16 | 50,
  connection_close_ok = 10 << 16 | 51,
  connection_blocked = 10 << 16 | 60,
  connection_unblocked = 10 << 16 | 61,
  channel_open = 20 << 16 | 10,
  channel_open_ok = 20 << 16 | 11,
  channel_close = 20 << 16 | 40,
  channel_close_ok = 20 << 16 | 41,
  queue_declare = 50 << 16 | 10,
  queue_declare_ok = 50 << 16 | 11,
};

struct Frame {
  std::uint8_t type = 0;
  std::uint16_t channel = 0;
  std::string payload;
};
// Takes the first frame off `bytes`; none: it is not complete, or, with `broken`, this is no AMQP.
std::optional<Frame> take_frame(std::string& bytes, bool& broken);

std::string method_frame(std::uint16_t channel, Method method, std::string_view arguments);

std::string short_text(std::string_view value);  // at most 255 bytes of it
std::string long_text(std::string_view value);
// A table of this program's properties and of what it understands.
std::string client_properties();

std::string read_short_text(BigEndianReader& in);
// The texts of a table, by name; what is no text is passed over. A table that cannot be read leaves `in` broken.
std::map<std::string, std::string> read_texts(BigEndianReader& in);

// What both sides say when they close: 403 "ACCESS_REFUSED - …".
struct Closing {
  int code = 0;
  std::string text;
};
Closing read_closing(BigEndianReader& in);

}  // namespace probe::amqp
