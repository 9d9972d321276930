// What HAProxy's socket answers.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation haproxy("haproxy", "/run/haproxy/admin.sock", {"backends=[shop]", "min_servers=2"});
  haproxy.hear(bytes);
}
