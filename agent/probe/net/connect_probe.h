// What tcp, unix and tls have in common: connect, perhaps talk, judge.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/tls/tls.h"
#include "probe/net/query_response.h"
#include "probe/probe.h"

namespace probe {

struct ConnectSettings {
  net::Dial dial;  // deadline is filled in by each run
  std::vector<SendExpect> turns;
  std::shared_ptr<net::TlsContext> starttls;
  std::string target;
};

class ConnectProbe : public Probe {
 public:
  ConnectProbe(const Context& context, const ConnectSettings& settings) : context_(context), settings_(settings) {}
  void start(base::Instant deadline, Done done) override;

 protected:
  // For a type that looks closer at what the peer showed, also when its chain was refused. Only after TLS.
  virtual void judge_chain(const net::PeerChain&, model::Outcome&) const {}

 private:
  void on_connected(net::Connected connected);
  void finish(model::Outcome outcome);

  const Context& context_;
  const ConnectSettings& settings_;
  Done done_;
  net::Connected connected_;
  loop::Handle connecting_;
  std::unique_ptr<QueryResponse> query_response_;
};

}  // namespace probe
