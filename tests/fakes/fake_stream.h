// A connection whose peer is the test: it sees what was written and says what it likes, in turns of its own. An upgrade
// to TLS keeps the rules of the real stream: what was written before it leaves in the clear, what is written while
// hands are shaken leaves behind that, and clear text that was not taken ends it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_loop.h"
#include "net/stream.h"
#include "net/tls/tls.h"

namespace fakes {

struct Peer {
  explicit Peer(FakeLoop& l) : loop(l) {}
  void say(const std::string& bytes) { tell(bytes, nullptr); }
  void close() { tell("", nullptr); }
  // What was written before TLS began, and so could be read by anybody.
  std::vector<std::string> in_the_clear() const {
    return {written.begin(), written.begin() + static_cast<std::ptrdiff_t>(tls ? clear : written.size())};
  }
  void fail(model::Reason reason, const std::string& text) {
    const net::StreamFailure failure{reason, text};
    tell("", &failure);
  }
  FakeLoop& loop;
  std::vector<std::string> written;
  std::function<void(std::string_view, const net::StreamFailure*)> on_bytes;
  bool tls = false;
  bool open = true;
  std::size_t clear = 0;  // of `written`, once `tls` is set

 private:
  void tell(const std::string& bytes, const net::StreamFailure* failure) {
    loop.run_due();
    if (const auto tell_it = on_bytes) tell_it(bytes, failure);  // which may drop the stream, and on_bytes with it
    loop.run_due();
  }
};

class FakeStream final : public net::Stream {
 public:
  explicit FakeStream(Peer& peer) : peer_(peer) {}
  ~FakeStream() override {
    peer_.on_bytes = nullptr;
    peer_.open = false;
  }
  void write(std::string bytes, std::function<void(const net::StreamFailure*)> done) override {
    if (shaking_) held_.push_back(std::move(bytes));
    else peer_.written.push_back(std::move(bytes));
    if (done) turns_.push_back(peer_.loop.after({}, [done = std::move(done)] { done(nullptr); }));
  }
  void read(std::function<void(std::string_view, const net::StreamFailure*)> on_bytes) override {
    peer_.on_bytes = std::move(on_bytes);
  }
  void start_tls(std::shared_ptr<net::TlsContext>, std::string, std::string_view unread,
                 std::function<void(const net::StreamFailure*)> done) override {
    peer_.clear = peer_.written.size();
    if (!unread.empty()) {
      turns_.push_back(peer_.loop.after({}, [done = std::move(done), size = unread.size()] {
        const net::StreamFailure injected{model::Reason::protocol_error,
                                          "the test sent " + std::to_string(size) + " bytes more in the clear"};
        done(&injected);
      }));
      return;
    }
    peer_.tls = shaking_ = true;
    turns_.push_back(peer_.loop.after({}, [this, done = std::move(done)] {
      shaking_ = false;
      peer_.written.insert(peer_.written.end(), held_.begin(), held_.end());
      held_.clear();
      done(nullptr);
    }));
  }
  const net::PeerChain* peer_chain() const override { return nullptr; }
  std::string peer() const override { return "the test"; }

 private:
  Peer& peer_;
  bool shaking_ = false;
  std::vector<std::string> held_;
  std::vector<loop::Handle> turns_;
};

}  // namespace fakes
