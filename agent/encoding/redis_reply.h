// Redis' protocol (RESP2), as Valkey and KeyDB speak it, too: what is sent and what comes back. Pure; from every
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace encoding {

// One answer: +text, -error, :integer, $bulk or *array.
struct RedisReply {
  char kind = 0;
  std::string text{};               // of an array: how many items it has
  std::vector<RedisReply> items{};  // of an array
};

// Takes the first answer off `bytes`; none: it is not complete. `broken`: this is not Redis' protocol, or it is longer
// or deeper than an answer that is asked for here.
std::optional<RedisReply> take_redis_reply(std::string& bytes, bool& broken);

// As it is sent.
std::string redis_command(const std::vector<std::string>& words);

// The value of `key` in what INFO answered; "" if it is not there.
std::string_view redis_field(std::string_view info, std::string_view key);

}  // namespace encoding
