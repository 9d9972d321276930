// What RabbitMQ says, in frames of AMQP.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation rabbitmq("rabbitmq", "mq:5672",
                                     {"username=probe", "password=secret", "queues=[orders, bills]", "max_messages=5"});
  rabbitmq.hear(bytes);
}
