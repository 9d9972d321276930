// Datagrams of services that say that they live.
#include "fakes/fake_loop.h"
#include "fuzz/fuzz.h"
#include "probe/heartbeats.h"

void fuzz::one_input(std::string_view bytes) {
  fakes::FakeLoop loop;
  probe::Heartbeats heartbeats(loop);
  std::size_t heard = 0;
  const auto watch = heartbeats.watch("order", [&](const probe::Beat&) { ++heard; });
  const auto received = heartbeats.receive(bytes, {});
  loop.run_due();
  require(heard == (received == probe::Heartbeats::Received::beat && heartbeats.last("order") ? 1u : 0u),
          "a beat is told once");
}
