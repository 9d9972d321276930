#include "probe/server/amqp_message.h"

namespace probe::amqp {
namespace {

constexpr char kFrameEnd = '\xce';

// Passes over a value of this type, or gives back the text that it is. RabbitMQ's letters, which differ from the
// specification's: s and l are signed, S is the one text.
std::string read_value(BigEndianReader& in, char type) {
  switch (type) {
    case 't':
    case 'b':
    case 'B': in.text(1); return "";
    case 's':
    case 'u':
    case 'U': in.text(2); return "";
    case 'I':
    case 'i':
    case 'f': in.text(4); return "";
    case 'l':
    case 'L':
    case 'd':
    case 'T': in.text(8); return "";
    case 'D': in.text(5); return "";
    case 'V': return "";
    case 'S': return std::string(in.text(in.number(4)));
    // Tables, arrays and byte strings have their size in front.
    case 'F':
    case 'A':
    case 'x': in.text(in.number(4)); return "";
    default: in.text(in.left() + 1); return "";
  }
}

std::string entry(std::string_view name, std::string_view type, std::string_view value) {
  return short_text(name) + std::string(type) + std::string(value);
}

}  // namespace

std::optional<Frame> take_frame(std::string& bytes, bool& broken) {
  if (bytes.size() < 7) {
    broken = !bytes.empty() && bytes[0] != kMethodFrame && bytes[0] != kHeartbeatFrame;
    return std::nullopt;
  }
  BigEndianReader in(bytes);
  Frame frame;
  frame.type = static_cast<std::uint8_t>(in.number(1));
  frame.channel = static_cast<std::uint16_t>(in.number(2));
  const std::uint64_t size = in.number(4);
  broken = (frame.type != kMethodFrame && frame.type != kHeartbeatFrame) || size > 1'000'000;
  if (broken || in.left() < size + 1) return std::nullopt;
  frame.payload = in.text(size);
  broken = in.text(1)[0] != kFrameEnd || (frame.type == kMethodFrame && size < 4);
  if (broken) return std::nullopt;
  bytes.erase(0, 7 + size + 1);
  return frame;
}

std::string method_frame(std::uint16_t channel, Method method, std::string_view arguments) {
  return big_endian(kMethodFrame, 1) + big_endian(channel, 2) + big_endian(arguments.size() + 4, 4) +
         big_endian(static_cast<std::uint32_t>(method), 4) + std::string(arguments) + kFrameEnd;
}

std::string short_text(std::string_view value) {
  value = value.substr(0, 255);
  return big_endian(value.size(), 1) + std::string(value);
}

std::string long_text(std::string_view value) { return big_endian(value.size(), 4) + std::string(value); }

std::string client_properties() {
  // With authentication_failure_close the server says why it refuses a login, instead of hanging up seconds later.
  const std::string capabilities = entry("authentication_failure_close", "t", "\x01");
  return long_text(entry("product", "S", long_text("fettle")) + entry("information", "S", long_text("health probe")) +
                   entry("capabilities", "F", long_text(capabilities)));
}

std::string read_short_text(BigEndianReader& in) { return std::string(in.text(in.number(1))); }

std::map<std::string, std::string> read_texts(BigEndianReader& in) {
  std::map<std::string, std::string> found;
  BigEndianReader table(in.text(in.number(4)));
  while (table.left() > 0) {
    std::string name = read_short_text(table);
    const char type = static_cast<char>(table.number(1));
    std::string value = read_value(table, type);
    if (type == 'S') found.emplace(std::move(name), std::move(value));
  }
  if (table.broken()) in.text(in.left() + 1);
  return found;
}

Closing read_closing(BigEndianReader& in) {
  Closing closing;
  closing.code = static_cast<int>(in.number(2));
  closing.text = read_short_text(in);
  return closing;
}

}  // namespace probe::amqp
