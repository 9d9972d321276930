#include "notify/sending.h"

namespace notify {
namespace {

config::Schema<SendingKeys> make_schema(const char* send_resolved) {
  config::Schema<SendingKeys> schema("receiver");
  schema.optional("send_resolved", &SendingKeys::send_resolved, "Whether the end of alerts is told, too.")
      .fallback(send_resolved)
      .optional("timeout", &SendingKeys::timeout, "Of one attempt to send.")
      .check([](const SendingKeys& keys, const config::Complain& complain) {
        if (keys.timeout <= base::Millis{0}) complain("timeout", "must be longer than 0s");
      });
  return schema;
}

}  // namespace

const config::Schema<SendingKeys>& sending_schema(EndTold end) {
  static const auto by_default = make_schema("true"), when_asked = make_schema("false");
  return end == EndTold::by_default ? by_default : when_asked;
}

}  // namespace notify
