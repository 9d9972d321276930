// What another agent of a fleet of peers answers.
#include "cluster/peer_answer.h"
#include "fuzz/fuzz.h"

void fuzz::one_input(std::string_view bytes) {
  const auto answer = cluster::read_peer_answer(bytes);
  if (!answer) return;
  // It speaks for its own node only, and what was read can be written.
  require(!answer->node.empty() && answer->ttl.count() >= 0 && answer->ttl.count() <= 60'000,
          "node and ttl have their bounds");
  const auto again = cluster::read_peer_answer(R"({"data":)" + cluster::write_peer_answer(*answer) + "}");
  require(again && again->entries == answer->entries, "what was read is read again");
}
