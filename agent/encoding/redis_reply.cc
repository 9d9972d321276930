#include "encoding/redis_reply.h"

#include <algorithm>
#include <cstddef>

#include "base/number.h"

namespace encoding {
namespace {

constexpr long kLongest = 1'000'000;  // bytes of a bulk
constexpr long kMostItems = 1'000;
constexpr int kDeepest = 4;

// Reads one answer at `at` and moves it behind. None: not complete, or broken.
std::optional<RedisReply> read_reply(std::string_view bytes, std::size_t& at, int depth, bool& broken) {
  if (at >= bytes.size()) return std::nullopt;
  broken = std::string_view("+-:$*").find(bytes[at]) == std::string_view::npos || depth > kDeepest;
  const std::size_t end = bytes.find("\r\n", at);
  if (broken || end == std::string_view::npos) return std::nullopt;
  RedisReply reply{bytes[at], std::string(bytes.substr(at + 1, end - at - 1))};
  at = end + 2;
  if (reply.kind == '$' || reply.kind == '*') {
    const long size = base::read_number<long>(reply.text).value_or(-2);
    broken = size < -1 || size > (reply.kind == '$' ? kLongest : kMostItems);
    if (broken) return std::nullopt;
    if (reply.kind == '*') {
      for (long i = 0; i < size; ++i) {
        auto item = read_reply(bytes, at, depth + 1, broken);
        if (!item) return std::nullopt;
        reply.items.push_back(std::move(*item));
      }
    } else if (size >= 0) {
      const auto length = static_cast<std::size_t>(size);
      if (bytes.size() < at + length + 2) return std::nullopt;
      reply.text = bytes.substr(at, length);
      at += length + 2;
    }
  }
  return reply;
}

}  // namespace

std::optional<RedisReply> take_redis_reply(std::string& bytes, bool& broken) {
  std::size_t used = 0;
  auto reply = read_reply(bytes, used, 0, broken);
  if (reply) bytes.erase(0, used);
  return reply;
}

std::string redis_command(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

std::string_view redis_field(std::string_view info, std::string_view key) {
  for (std::size_t at = 0; at < info.size();) {
    const std::size_t end = std::min(info.find("\r\n", at), info.size());
    const std::string_view line = info.substr(at, end - at);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ':')
      return line.substr(key.size() + 1);
    at = end + 2;
  }
  return "";
}

}  // namespace encoding
