// What a Kafka broker says.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation kafka("kafka", "broker:9092", {"topics=[orders]"});
  kafka.hear(bytes);
}
