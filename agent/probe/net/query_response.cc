#include "probe/net/query_response.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/text.h"
#include "net/tls/tls.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

constexpr std::size_t kReceivedLimit = 64 * 1024;

bool is_label_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 && !name.starts_with("__") &&
         std::all_of(name.begin(), name.end(), fits);
}

const config::Schema<ExpectLabel>& label_schema() {
  static const auto schema =
      config::Schema<ExpectLabel>("labels")
          .required("name", &ExpectLabel::name, "Name of the label.")
          .required("value", &ExpectLabel::value, "Its value; $1, ${1} and ${name} are groups of `expect`.")
          .shows({"value"})
          .check([](const ExpectLabel& label, const config::Complain& complain) {
            if (!is_label_name(label.name)) complain("name", "must be a label's name: letters, digits and _");
          });
  return schema;
}

}  // namespace

const config::Schema<SendExpect>& send_expect_schema() {
  static const auto schema =
      config::Schema<SendExpect>("query_response")
          .optional("expect", &SendExpect::expect,
                    "Regular expression (RE2) to find in a line from the peer; lines before it are passed over.")
          .optional("expect_bytes", &SendExpect::expect_bytes,
                    "Bytes to find in what the peer sends, line or no line; after the line of `expect`, if both are "
                    "there.")
          .optional("send", &SendExpect::send,
                    "Line to send, a newline is added. $1, ${1} and ${name} are groups of `expect`, $$ is a dollar; in "
                    "a turn without `expect`, ${1} and ${name} are groups of the last one and all else is verbatim.")
          .optional("starttls", &SendExpect::starttls, "Go on in TLS on this connection.")
          .list("labels", &SendExpect::labels, label_schema(),
                "Labels of the gauge probe_expect_info, which is 1 once `expect` has matched.")
          .check([](const SendExpect& turn, const config::Complain& complain) {
            if (!turn.labels.empty() && !turn.expect.regex) complain("labels", "needs expect, whose groups they show");
            if (!turn.expect.regex && turn.expect_bytes.empty() && turn.send.empty() && !turn.starttls)
              complain("", "a turn needs expect, expect_bytes, send or starttls");
          });
  return schema;
}

void prepare(std::vector<SendExpect>& turns) {
  for (SendExpect& turn : turns) {
    const bool templates = turn.send.find('$') != std::string::npos || !turn.labels.empty();
    if (!turn.expect.regex || (turn.expect.regex->group_count() == 0 && !templates)) continue;
    auto whole = base::Regex::compile("(?s:.*?)(?:" + turn.expect.regex->pattern() + ")(?s:.*)");
    if (whole) turn.captures = std::move(*whole);
  }
}

// Without an expectation of its own only ${…} is taken for a group: a dollar in a password or a price is what it is.
std::string line_to_send(const SendExpect& turn, const base::Regex* captures, const std::string& matched) {
  if (captures == nullptr) return turn.send;
  if (turn.expect.regex) return captures->replace_all(matched, turn.send);
  std::string out;
  for (std::size_t at = 0; at < turn.send.size();) {
    const std::size_t open = turn.send.find("${", at);
    const std::size_t close = open == std::string::npos ? open : turn.send.find('}', open);
    out += turn.send.substr(at, close == std::string::npos ? close : open - at);
    if (close == std::string::npos) break;
    out += captures->replace_all(matched, turn.send.substr(open, close + 1 - open));
    at = close + 1;
  }
  return out;
}

QueryResponse::QueryResponse(const std::vector<SendExpect>& turns, std::unique_ptr<net::Stream> stream,
                             std::shared_ptr<net::TlsContext> starttls, std::string server_name,
                             std::function<void(model::Outcome)> done)
    : turns_(turns),
      stream_(std::move(stream)),
      starttls_(std::move(starttls)),
      server_name_(std::move(server_name)),
      done_(std::move(done)) {}

void QueryResponse::start() {
  if (!turns_.empty())
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) { on_bytes(bytes, failure); });
  go_on();
}

void QueryResponse::on_bytes(std::string_view bytes, const net::StreamFailure* failure) {
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

bool QueryResponse::line_came(const SendExpect& turn) {
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
    matched_ = std::move(line);
    captures_ = turn.captures ? &*turn.captures : nullptr;
    learn(turn);
    return true;
  }
  return false;
}

bool QueryResponse::bytes_came(const SendExpect& turn) {
  if (turn.answer != nullptr) {
    const auto size = turn.answer(received_);
    if (!size)
      fail(Reason::tls_handshake, stream_->peer() + " does not offer TLS; it answered " + base::shown(received_));
    if (!size || *size == 0) return false;
    received_.erase(0, *size);
    return true;
  }
  const std::size_t at = received_.find(turn.expect_bytes);
  if (at == std::string::npos) return false;
  received_.erase(0, at + turn.expect_bytes.size());
  return true;
}

// `captures` matches the line as a whole: to replace the match is to expand the template.
void QueryResponse::learn(const SendExpect& turn) {
  if (turn.labels.empty()) return;
  std::vector<model::Label> labels;
  std::vector<std::string> values;
  values.reserve(turn.labels.size());  // the labels look into it
  for (const ExpectLabel& label : turn.labels) {
    values.push_back(captures_ ? captures_->replace_all(matched_, label.value) : label.value);
    labels.push_back({label.name, values.back()});
  }
  learnt_.push_back({"probe_expect_info", 1, model::Labels(labels)});
}

void QueryResponse::go_on() {
  while (done_ && step_ != Step::wait) {
    if (turn_ == turns_.size()) return std::exchange(done_, nullptr)(Outcome::success(""));
    const SendExpect& turn = turns_[turn_];
    switch (step_) {
      case Step::expect:
        if (!line_came(turn)) return ended_ ? on_end() : void();
        step_ = Step::bytes;
        break;
      case Step::bytes:
        if (!bytes_came(turn)) return ended_ && done_ ? on_end() : void();
        step_ = Step::send;
        break;
      case Step::send:
        if (turn.send.empty() && turn.send_bytes.empty()) {
          step_ = Step::starttls;
          break;
        }
        step_ = Step::wait;
        stream_->write(turn.send_bytes.empty() ? line_to_send(turn, captures_, matched_) + "\n" : turn.send_bytes,
                       [this](const net::StreamFailure* failure) {
                         if (failure) return fail(failure->reason, failure->text);
                         step_ = Step::starttls;
                         go_on();
                       });
        break;
      case Step::starttls:
        if (turn.starttls) {
          step_ = Step::wait;
          // The line in which expect_bytes was found is the answer as a whole.
          if (const std::size_t end = received_.find('\n'); !turn.expect_bytes.empty() && end != std::string::npos)
            received_.erase(0, end + 1);
          stream_->start_tls(starttls_, server_name_, received_, [this](const net::StreamFailure* failure) {
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
void QueryResponse::on_end() {
  if (turn_ == turns_.size()) return;
  if (!heard_) return fail(Reason::closed_early, "closed the connection without a word");
  const SendExpect& turn = turns_[turn_];
  if (step_ == Step::expect && !received_.empty())
    return fail(Reason::body_mismatch, "no line matched " + base::shown(turn.expect.regex->pattern()) + "; the last, " +
                                           base::shown(received_) + ", has no line end");
  if (step_ == Step::expect)
    return fail(Reason::body_mismatch, "no line matched " + base::shown(turn.expect.regex->pattern()) +
                                           "; the last was " + base::shown(last_line_));
  if (turn.answer != nullptr)
    return fail(Reason::protocol_error, "sent no whole answer, but " + base::shown(received_));
  fail(Reason::body_mismatch,
       "never sent " + base::shown(turn.expect_bytes) + "; ended with " + base::shown(received_));
}

void QueryResponse::fail(Reason reason, const std::string& text) {
  if (!done_) return;
  Outcome outcome = Outcome::failure(reason, "turn " + std::to_string(turn_ + 1) + ": " + text);
  std::exchange(done_, nullptr)(std::move(outcome));
}

}  // namespace probe
