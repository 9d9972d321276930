// query_response, as in the blackbox exporter's tcp prober: what to wait for and what to say, turn by turn.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "model/outcome.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "probe/common/values.h"

namespace probe {

// A label of probe_expect_info; the value may name groups of the turn's `expect`.
struct ExpectLabel {
  std::string name;
  std::string value;
};

// How much of what came is the answer that a turn waits for: 0: not all of it yet; nothing: it is another answer, and
// the peer does not want to go on in TLS.
using AnswerSize = std::optional<std::size_t> (*)(std::string_view bytes);

// In this order, each if it is given: wait for `expect`, wait for `expect_bytes`, send, start TLS.
struct SendExpect {
  Pattern expect;            // a line that it is found in; lines before it are passed over
  std::string expect_bytes;  // these bytes, wherever they come
  std::string send;          // a line; may name groups of `expect`, or of the last turn's that had one
  bool starttls = false;
  // For protocols that have no lines, not to be configured: an answer in place of expect_bytes, and what is sent as it
  // is in place of `send`.
  AnswerSize answer = nullptr;
  std::string send_bytes;
  std::vector<ExpectLabel> labels;
  std::optional<base::Regex> captures;  // `expect` made to match whole lines, for the groups
};

const config::Schema<SendExpect>& send_expect_schema();

// Completes what the schema cannot: regular expressions for the groups of `expect`.
void prepare(std::vector<SendExpect>& turns);
// What a turn sends. `captures` and `matched` are those of the last expectation that was met; null: none had groups.
std::string line_to_send(const SendExpect& turn, const base::Regex* captures, const std::string& matched);

// One dialogue over a connected stream. `done` comes once, in a later turn unless there is nothing to say; the stream's
// own deadline ends it. Dropping it closes the stream.
class QueryResponse {
 public:
  QueryResponse(const std::vector<SendExpect>& turns, std::unique_ptr<net::Stream> stream,
                std::shared_ptr<net::TlsContext> starttls, std::string server_name,
                std::function<void(model::Outcome)> done);
  void start();
  const net::Stream& stream() const { return *stream_; }
  // What `labels` of the turns so far have learnt: one probe_expect_info per turn.
  Measurements take_learnt() { return std::move(learnt_); }
  // Once failed with body_mismatch: it was bytes that did not come, not a line.
  bool bytes_missing() const { return step_ == Step::bytes; }

 private:
  enum class Step { expect, bytes, send, starttls, wait };

  void go_on();
  bool line_came(const SendExpect& turn);  // false: not yet
  bool bytes_came(const SendExpect& turn);
  void learn(const SendExpect& turn);
  void on_bytes(std::string_view bytes, const net::StreamFailure* failure);
  void on_end();
  void fail(model::Reason reason, const std::string& text);

  const std::vector<SendExpect>& turns_;
  std::unique_ptr<net::Stream> stream_;
  std::shared_ptr<net::TlsContext> starttls_;
  std::string server_name_;
  std::function<void(model::Outcome)> done_;
  std::size_t turn_ = 0;
  Step step_ = Step::expect;
  std::string received_;                   // not yet looked at
  std::string last_line_;                  // that did not match
  const base::Regex* captures_ = nullptr;  // of the last expectation that was met
  std::string matched_;                    // the line that met it
  Measurements learnt_;
  bool ended_ = false;  // the peer closed its side
  bool heard_ = false;  // anything at all in this turn
};

}  // namespace probe
