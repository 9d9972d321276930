// query_response, as in the blackbox exporter's tcp prober: what to wait for and what to say, turn by turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/schema.h"
#include "loop/stream.h"
#include "model/outcome.h"
#include "probe/types/values.h"

namespace probe {

// In this order, each if it is given: wait for `expect` or `expect_bytes`, send, start TLS.
struct Turn {
  Pattern expect;            // a line that it is found in; lines before it are passed over
  std::string expect_bytes;  // these bytes, wherever they come
  std::string send;          // a line; ${1} is what the group of this turn's `expect` matched
  bool starttls = false;
  std::optional<base::Regex> captures;  // `expect` made to match whole lines, for the groups
};

const config::Schema<Turn>& turn_schema();

// One dialogue over a connected stream. `done` comes once, in a later turn unless there is nothing to say; the stream's
// own deadline ends it. Dropping it closes the stream.
class Dialogue {
 public:
  Dialogue(const std::vector<Turn>& turns, std::unique_ptr<loop::Stream> stream,
           std::shared_ptr<loop::TlsContext> starttls, std::string server_name,
           std::function<void(model::Outcome)> done);
  void start();
  const loop::Stream& stream() const { return *stream_; }

 private:
  enum class Step { expect, send, starttls, wait };

  void go_on();
  bool expectation_met(const Turn& turn);  // false: not yet, or failed
  void on_bytes(std::string_view bytes, const loop::StreamFailure* failure);
  void on_end();
  void fail(model::Reason reason, const std::string& text);
  std::string expanded(const std::string& text) const;

  const std::vector<Turn>& turns_;
  std::unique_ptr<loop::Stream> stream_;
  std::shared_ptr<loop::TlsContext> starttls_;
  std::string server_name_;
  std::function<void(model::Outcome)> done_;
  std::size_t turn_ = 0;
  Step step_ = Step::expect;
  std::string received_;             // not yet looked at
  std::string last_line_;            // that did not match
  std::vector<std::string> groups_;  // of the last expectation
  bool ended_ = false;               // the peer closed its side
  bool heard_ = false;               // anything at all in this turn
};

}  // namespace probe
