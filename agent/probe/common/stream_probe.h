// What the types that speak a protocol of their own have in common: connect, speak, listen, measure the connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/stream.h"
#include "net/tls/tls.h"
#include "probe/probe.h"

namespace probe {

// A run over one connection. A type says its part in connected() and received() and ends the run with finish();
// failures of the connection, a peer that closes early and one that never stops are answered here.
class StreamProbe : public Probe {
 public:
  // `dial` lives as long as the StreamProbe; its deadline is filled in by the run.
  StreamProbe(const Context& context, const net::Dial& dial) : context_(context), dial_(&dial) {}
  void start(base::Instant deadline, Done done) final;

 protected:
  virtual void connected() = 0;
  // More has come: `bytes` is everything that was not taken off its front yet (of datagrams: to be emptied each time).
  virtual void received(std::string& bytes) = 0;
  // The peer has closed its side: true if that ends its answer and the run was finished; else the run fails.
  virtual bool closed_by_peer() { return false; }
  // Last words of the type's own: measurements of what was learnt until then, with the phases. Once, by finish().
  virtual void measure(model::Outcome&) {}
  // For a type that looks closer at what the peer showed, also when its chain was refused. Only after TLS, and last.
  virtual void judge_chain(const net::PeerChain&, model::Outcome&) const {}

  void say(std::string bytes);
  // Takes leave: the run ends with `outcome` once the bytes are on their way. Nothing that comes until then is heard.
  void say_last(std::string bytes, model::Outcome outcome);
  // The connection goes on in TLS, once what was said is on its way; then connected() is called again, or the run
  // fails. Bytes that received() has not taken by now came unprotected and cannot be trusted: the run fails.
  void go_on_in_tls(std::shared_ptr<net::TlsContext> tls);
  // Goes on over a connection of its own, which lives as `dial` does: connected() is called again, or the run fails.
  // The first is closed. `share` of the time that is left is for it.
  void go_on_over(const net::Dial& dial, double share);
  // Ends the run. Nothing of the object may be touched after it.
  void finish(model::Outcome outcome);
  bool finished() const { return leaving_ || !done_; }
  // From go_on_in_tls() to connected(): what was received in the clear is no answer any more.
  bool upgrading() const { return upgrading_; }
  std::string peer() const { return connection_.stream ? connection_.stream->peer() : ""; }

 private:
  void connect();
  void on_connection(net::Connected connection);
  void on_bytes(std::string_view bytes, const net::StreamFailure* failure);

  const Context& context_;
  const net::Dial* dial_;
  base::Instant deadline_{};
  Done done_;
  bool upgrading_ = false;
  bool leaving_ = false;
  base::Instant connected_at_{};
  net::Connected connection_;
  loop::Handle connecting_;
  std::string unread_;
};

// A piece of what a peer said, fit for a label's value: printable ASCII, the rest as dots, at most 80 bytes.
std::string label_text(std::string_view bytes);

// The settings of a type whose probe needs only what was prepared when they were parsed; `Prepared` has a `target`.
template <typename ProbeOf, typename Prepared>
class PreparedSettings final : public Settings {
 public:
  explicit PreparedSettings(Prepared prepared) : prepared_(std::move(prepared)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<ProbeOf>(context, prepared_);
  }
  std::string target() const override { return prepared_.target; }

 private:
  Prepared prepared_;
};

}  // namespace probe
