#include "fuzz/conversation.h"

#include <memory>
#include <numeric>
#include <utility>

#include "fakes/fake_stream.h"
#include "fakes/probe_world.h"
#include "fuzz/fuzz.h"
#include "probe/run_once.h"

namespace fuzz {

Conversation::Conversation(const std::string& type, const std::string& target, const std::vector<std::string>& settings,
                           Opening opening)
    : opening_(std::move(opening)) {
  auto spec = probe::spec_from_arguments(type, target, settings);
  require(spec.has_value(), spec ? "" : spec.error().text);
  spec_ = std::move(*spec);
  spec_.timeout = std::chrono::seconds{1};
}

model::Outcome Conversation::run(const Pieces& pieces) const {
  fakes::ProbeWorld world;
  fakes::Peer peer{world.loop};
  int answers = 0;
  model::Outcome found;
  const auto attempt = probe::run_once(world.context, spec_, [&](model::Outcome outcome) {
    ++answers;
    found = std::move(outcome);
  });
  net::Connected connected;
  connected.stream = std::make_unique<fakes::FakeStream>(peer);
  connected.address = "10.0.0.1";
  world.dialer.desk.answer(std::move(connected));
  if (opening_) peer.say(opening_(std::accumulate(peer.written.begin(), peer.written.end(), std::string())));
  for (const std::string& piece : pieces) peer.say(piece);
  peer.close();
  world.loop.advance(std::chrono::seconds{2});
  require(answers == 1, "a run ends once");
  for (const model::Measurement& measurement : found.measurements)
    require(spec_.type->can_measure(measurement.name), "a measurement stands in the type's lists");
  return found;
}

void Conversation::hear(std::string_view bytes) const {
  const model::Outcome at_once = run({std::string(bytes)});
  Pieces pieces;
  in_pieces(bytes, [&](std::string_view piece) { pieces.emplace_back(piece); });
  const model::Outcome bit_by_bit = run(pieces);
  if (at_once.up == bit_by_bit.up && at_once.reason == bit_by_bit.reason) return;
  require(false,
          "the outcome depends on how the bytes were cut: \"" + at_once.text + "\" and \"" + bit_by_bit.text + "\"");
}

}  // namespace fuzz
