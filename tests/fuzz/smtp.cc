// What a mail server says.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation smtp("smtp", "mail:25", {"recipient=a@shop.test"});
  smtp.hear(bytes);
}
