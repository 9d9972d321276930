#include "probe/net/connect_probe.h"

#include <algorithm>
#include <utility>

#include "net/tls/peer_chain.h"

namespace probe {

using model::Outcome;
using model::Reason;

void ConnectProbe::start(base::Instant deadline, Done done) {
  done_ = std::move(done);
  net::Dial dial = settings_.dial;
  dial.deadline = deadline;
  connecting_ = context_.dialer.connect(std::move(dial), [this](net::Connected c) { on_connected(std::move(c)); });
}

void ConnectProbe::on_connected(net::Connected connected) {
  connected_ = std::move(connected);
  if (!connected_.stream)
    return finish(Outcome::failure(connected_.failure.reason, std::move(connected_.failure.text)));
  if (settings_.turns.empty()) return finish(Outcome::success(""));
  query_response_ =
      std::make_unique<QueryResponse>(settings_.turns, std::move(connected_.stream), settings_.starttls,
                                      settings_.starttls && !settings_.starttls->settings().server_name.empty()
                                          ? settings_.starttls->settings().server_name
                                          : settings_.dial.host,
                                      [this](Outcome outcome) { finish(std::move(outcome)); });
  query_response_->start();
}

void ConnectProbe::finish(Outcome outcome) {
  const net::Stream* stream = query_response_ ? &query_response_->stream() : connected_.stream.get();
  if (outcome.up) outcome.text = (settings_.turns.empty() ? "connected to " : "talked to ") + settings_.target;
  const bool mismatch = outcome.reason == Reason::body_mismatch;
  const bool bytes = mismatch && query_response_ && query_response_->bytes_missing();
  outcome.measurements.push_back({"probe_failed_due_to_regex", mismatch && !bytes ? 1.0 : 0.0, {}});
  const bool bytes_expected = std::any_of(settings_.turns.begin(), settings_.turns.end(),
                                          [](const SendExpect& turn) { return !turn.expect_bytes.empty(); });
  if (bytes_expected) outcome.measurements.push_back({"probe_failed_due_to_bytes", bytes ? 1.0 : 0.0, {}});
  if (query_response_)
    for (auto& measurement : query_response_->take_learnt()) outcome.measurements.push_back(std::move(measurement));
  measure_address(connected_.address, connected_.phases, outcome.measurements);
  const net::PeerChain* chain = stream ? stream->peer_chain() : nullptr;
  if (!chain && connected_.tls_seen) chain = &connected_.chain;
  if (chain) {
    measure_chain(*chain, outcome.measurements);
    judge_chain(*chain, outcome);
  }
  outcome.phases = std::move(connected_.phases);
  std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace probe
