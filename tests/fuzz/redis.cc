// What Redis answers.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation redis(
      "redis", "redis:6379",
      {"password=secret", "role=replica", "max_last_io=10s", "lists=[orders]", "streams=[log]", "max_length=10"});
  redis.hear(bytes);
}
