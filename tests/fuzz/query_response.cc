// Lines and bytes of a service that a `tcp` probe talks with.
#include "fuzz/conversation.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  static const Conversation talk("tcp", "order:7000",
                                 {"query_response=[{expect: '^220 (\\S+)', send: 'HELO ${1}', labels: [{name: host, "
                                  "value: '${1}'}]}, {expect_bytes: ok}, {expect: '^250 '}]"});
  talk.hear(bytes);
}
