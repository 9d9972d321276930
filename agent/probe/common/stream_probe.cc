#include "probe/common/stream_probe.h"

#include <utility>

#include "base/text.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "net/tls/peer_chain.h"
#include "net/tls/tls.h"
#include "probe/common/values.h"

namespace probe {

using model::Outcome;
using model::Reason;

namespace {

constexpr std::size_t kUnreadLimit = 64 * 1024;

}  // namespace

std::string label_text(std::string_view bytes) {
  constexpr std::size_t kLongest = 80;
  return base::foreign_text(bytes, kLongest);
}

void StreamProbe::start(base::Instant deadline, Done done) {
  done_ = std::move(done);
  deadline_ = deadline;
  connect();
}

void StreamProbe::connect() {
  net::Dial dial = *dial_;
  dial.deadline = deadline_;
  connecting_ = context_.dialer.connect(std::move(dial), [this](net::Connected c) { on_connection(std::move(c)); });
}

void StreamProbe::on_connection(net::Connected connection) {
  connection_ = std::move(connection);
  if (!connection_.stream)
    return finish(Outcome::failure(connection_.failure.reason, std::move(connection_.failure.text)));
  connected_at_ = context_.scheduler.now();
  connection_.stream->read(
      [this](std::string_view bytes, const net::StreamFailure* failure) { on_bytes(bytes, failure); });
  connected();
}

void StreamProbe::on_bytes(std::string_view bytes, const net::StreamFailure* failure) {
  if (finished()) return;
  if (failure) return finish(Outcome::failure(failure->reason, failure->text));
  if (bytes.empty() && closed_by_peer()) return;
  if (bytes.empty())
    return finish(Outcome::failure(Reason::closed_early, peer() + " closed the connection before it had answered"));
  unread_ += bytes;
  received(unread_);
  if (finished() || unread_.size() <= kUnreadLimit) return;
  finish(Outcome::failure(Reason::too_large,
                          peer() + " sent more than " + std::to_string(kUnreadLimit) + " bytes in one answer"));
}

void StreamProbe::say(std::string bytes) {
  connection_.stream->write(std::move(bytes), [this](const net::StreamFailure* failure) {
    if (failure && !finished()) finish(Outcome::failure(failure->reason, failure->text));
  });
}

void StreamProbe::say_last(std::string bytes, Outcome outcome) {
  leaving_ = true;
  connection_.stream->write(std::move(bytes),
                            [this, outcome = std::move(outcome)](const net::StreamFailure*) { finish(outcome); });
}

void StreamProbe::go_on_in_tls(std::shared_ptr<net::TlsContext> tls) {
  upgrading_ = true;
  connection_.stream->start_tls(std::move(tls), dial_->host, unread_, [this](const net::StreamFailure* failure) {
    if (finished()) return;
    if (failure) return finish(Outcome::failure(failure->reason, failure->text));
    upgrading_ = false;
    connected();
  });
}

void StreamProbe::go_on_over(const net::Dial& dial, double share) {
  const base::Instant now = context_.scheduler.now();
  dial_ = &dial;
  deadline_ = now + std::chrono::duration_cast<base::Duration>((deadline_ - now) * share);
  unread_.clear();
  connection_ = {};
  connect();
}

void StreamProbe::finish(Outcome outcome) {
  outcome.phases = std::move(connection_.phases);
  if (connection_.stream) outcome.phases.push_back({"processing", context_.scheduler.now() - connected_at_});
  measure(outcome);
  if (dial_->unix_path.empty()) measure_address(connection_.address, outcome.phases, outcome.measurements);
  const net::PeerChain* chain = connection_.stream ? connection_.stream->peer_chain() : nullptr;
  if (!chain && connection_.tls_seen) chain = &connection_.chain;
  if (chain) {
    measure_chain(*chain, outcome.measurements);
    judge_chain(*chain, outcome);
  }
  std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace probe
