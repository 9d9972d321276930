#include "probe/types/dialogue.h"

#include <charconv>
#include <utility>

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

constexpr std::size_t kReceivedLimit = 64 * 1024;

}  // namespace

const config::Schema<Turn>& turn_schema() {
  static const auto schema =
      config::Schema<Turn>("query_response")
          .optional("expect", &Turn::expect,
                    "Regular expression (RE2) to find in a line from the peer; lines before it are passed over.")
          .optional("expect_bytes", &Turn::expect_bytes, "Bytes to find in what the peer sends, line or no line.")
          .optional("send", &Turn::send, "Line to send, a newline is added; ${1} is the first group of `expect`.")
          .optional("starttls", &Turn::starttls, "Go on in TLS on this connection.")
          .check([](const Turn& turn, const config::Complain& complain) {
            if (turn.expect.regex && !turn.expect_bytes.empty())
              complain("expect_bytes", "cannot stand beside `expect` in one turn; make two turns of it");
            if (!turn.expect.regex && turn.expect_bytes.empty() && turn.send.empty() && !turn.starttls)
              complain("", "a turn needs expect, expect_bytes, send or starttls");
          });
  return schema;
}

Dialogue::Dialogue(const std::vector<Turn>& turns, std::unique_ptr<loop::Stream> stream,
                   std::shared_ptr<loop::TlsContext> starttls, std::string server_name,
                   std::function<void(model::Outcome)> done)
    : turns_(turns),
      stream_(std::move(stream)),
      starttls_(std::move(starttls)),
      server_name_(std::move(server_name)),
      done_(std::move(done)) {}

void Dialogue::start() {
  if (!turns_.empty())
    stream_->read([this](std::string_view bytes, const loop::StreamFailure* failure) { on_bytes(bytes, failure); });
  go_on();
}

void Dialogue::on_bytes(std::string_view bytes, const loop::StreamFailure* failure) {
  if (!done_) return;
  if (failure) {
    if (failure->reason == Reason::read_timeout && heard_) return on_end();
    return fail(failure->reason, failure->text);
  }
  if (bytes.empty()) {
    ended_ = true;
    return go_on();
  }
  heard_ = true;
  received_ += bytes;
  if (received_.size() > kReceivedLimit)
    return fail(Reason::too_large, "sent more than " + std::to_string(kReceivedLimit) + " bytes without a match");
  go_on();
}

bool Dialogue::expectation_met(const Turn& turn) {
  groups_.clear();
  if (!turn.expect_bytes.empty()) {
    const std::size_t at = received_.find(turn.expect_bytes);
    if (at == std::string::npos) return false;
    received_.erase(0, at + turn.expect_bytes.size());
    return true;
  }
  if (!turn.expect.regex) return true;
  while (!received_.empty()) {
    const std::size_t newline = received_.find('\n');
    if (newline == std::string::npos && !ended_) return false;
    std::string line = received_.substr(0, newline);
    received_.erase(0, newline == std::string::npos ? received_.size() : newline + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!turn.expect.regex->found_in(line)) {
      last_line_ = std::move(line);
      continue;
    }
    if (turn.captures)
      for (const std::string_view group : turn.captures->groups_of_full_match(line)) groups_.emplace_back(group);
    return true;
  }
  return false;
}

void Dialogue::go_on() {
  while (done_ && step_ != Step::wait) {
    if (turn_ == turns_.size()) return std::exchange(done_, nullptr)(Outcome::success(""));
    const Turn& turn = turns_[turn_];
    switch (step_) {
      case Step::expect:
        if (!expectation_met(turn)) return ended_ ? on_end() : void();
        step_ = Step::send;
        break;
      case Step::send:
        if (turn.send.empty()) {
          step_ = Step::starttls;
          break;
        }
        step_ = Step::wait;
        stream_->write(expanded(turn.send) + "\n", [this](const loop::StreamFailure* failure) {
          if (failure) return fail(failure->reason, failure->text);
          step_ = Step::starttls;
          go_on();
        });
        break;
      case Step::starttls:
        if (turn.starttls) {
          step_ = Step::wait;
          stream_->start_tls(starttls_, server_name_, [this](const loop::StreamFailure* failure) {
            if (failure) return fail(failure->reason, failure->text);
            ++turn_;
            heard_ = false;
            step_ = Step::expect;
            go_on();
          });
          break;
        }
        ++turn_;
        heard_ = !received_.empty();
        step_ = Step::expect;
        break;
      case Step::wait: break;
    }
  }
}

// Nothing more will come, and the expectation is not met.
void Dialogue::on_end() {
  if (turn_ == turns_.size()) return;
  if (!heard_) return fail(Reason::closed_early, "closed the connection without a word");
  const Turn& turn = turns_[turn_];
  if (turn.expect.regex)
    return fail(Reason::body_mismatch, "no line matched " + shown(turn.expect.regex->pattern()) + "; the last was " +
                                           shown(received_.empty() ? last_line_ : received_));
  fail(Reason::body_mismatch, "never sent " + shown(turn.expect_bytes) + "; ended with " + shown(received_));
}

void Dialogue::fail(Reason reason, const std::string& text) {
  if (!done_) return;
  Outcome outcome = Outcome::failure(reason, "turn " + std::to_string(turn_ + 1) + ": " + text);
  std::exchange(done_, nullptr)(std::move(outcome));
}

std::string Dialogue::expanded(const std::string& text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text.find('}', at);
    std::size_t number = 0;
    if (text.compare(at, 2, "${") == 0 && close != std::string::npos) {
      const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + close, number);
      if (error == std::errc() && end == text.data() + close) {
        if (number < groups_.size()) out += groups_[number];
        at = close + 1;
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

}  // namespace probe
