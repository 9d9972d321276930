// A connection whose peer is the test: it sees what was written and says what it likes, in turns of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_loop.h"
#include "loop/stream.h"

namespace fakes {

struct Peer {
  explicit Peer(FakeLoop& l) : loop(l) {}
  void say(const std::string& bytes) { tell(bytes, nullptr); }
  void close() { tell("", nullptr); }
  void fail(model::Reason reason, const std::string& text) {
    const loop::StreamFailure failure{reason, text};
    tell("", &failure);
  }
  FakeLoop& loop;
  std::vector<std::string> written;
  std::function<void(std::string_view, const loop::StreamFailure*)> on_bytes;
  bool tls = false;
  bool open = true;

 private:
  void tell(const std::string& bytes, const loop::StreamFailure* failure) {
    loop.run_due();
    if (on_bytes) on_bytes(bytes, failure);
    loop.run_due();
  }
};

class FakeStream final : public loop::Stream {
 public:
  explicit FakeStream(Peer& peer) : peer_(peer) {}
  ~FakeStream() override {
    peer_.on_bytes = nullptr;
    peer_.open = false;
  }
  void write(std::string bytes, std::function<void(const loop::StreamFailure*)> done) override {
    peer_.written.push_back(std::move(bytes));
    if (done) turns_.push_back(peer_.loop.after({}, [done = std::move(done)] { done(nullptr); }));
  }
  void read(std::function<void(std::string_view, const loop::StreamFailure*)> on_bytes) override {
    peer_.on_bytes = std::move(on_bytes);
  }
  void start_tls(std::shared_ptr<loop::TlsContext>, std::string,
                 std::function<void(const loop::StreamFailure*)> done) override {
    peer_.tls = true;
    turns_.push_back(peer_.loop.after({}, [done = std::move(done)] { done(nullptr); }));
  }
  const loop::PeerChain* peer_chain() const override { return nullptr; }
  std::string peer() const override { return "the test"; }

 private:
  Peer& peer_;
  std::vector<loop::Handle> turns_;
};

}  // namespace fakes
