// What memcached answers.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation memcached("memcached", "cache:11211", {});
  memcached.hear(bytes);
}
