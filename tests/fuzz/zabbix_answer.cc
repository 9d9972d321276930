// What a Zabbix server answers to a value.
#include "fuzz/fuzz.h"
#include "notify/zabbix/sender_protocol.h"

void fuzz::one_input(std::string_view bytes) {
  const auto packet = notify::read_zabbix_packet(bytes);
  if (packet && *packet) notify::judge_zabbix_answer(**packet);
}
