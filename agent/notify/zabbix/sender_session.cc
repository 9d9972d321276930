#include "notify/zabbix/sender_session.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "loop/scheduler.h"
#include "net/stream.h"
#include "net/tls/tls.h"
#include "notify/zabbix/sender_protocol.h"

namespace notify {
namespace {

class SenderSession final : public loop::Registration {
 public:
  SenderSession(const Context& context, const ZabbixServer& server, const std::string& request, base::Instant deadline,
                std::function<void(Sent)> done)
      : context_(context),
        server_(server),
        packet_(zabbix_packet(request)),
        deadline_(deadline),
        done_(std::move(done)) {
    connect();
  }

 private:
  void connect() {
    const ZabbixNode& node = server_.nodes[node_];
    net::Dial dial;
    dial.host = node.host;
    dial.port = node.port;
    dial.tls = server_.tls;
    const base::Instant now = context_.scheduler.now();
    dial.deadline = now + (deadline_ - now) / static_cast<std::int64_t>(server_.nodes.size() - node_);
    connecting_ = context_.dialer.connect(std::move(dial), [this](net::Connected made) { connected(std::move(made)); });
  }

  void connected(net::Connected made) {
    connecting_.reset();
    if (made.stream == nullptr) return failed(made.failure);
    stream_ = std::move(made.stream);
    stream_->write(packet_, nullptr);
    perhaps_ = true;
    stream_->read([this](std::string_view bytes, const net::StreamFailure* failure) { received(bytes, failure); });
  }

  void received(std::string_view bytes, const net::StreamFailure* failure) {
    if (failure != nullptr) return failed(*failure);
    if (bytes.empty())
      return failed({model::Reason::closed_early, stream_->peer() + " closed the connection without an answer"});
    unread_ += bytes;
    const auto answer = read_zabbix_packet(unread_);
    if (!answer) return failed({model::Reason::protocol_error, stream_->peer() + " " + answer.error().text});
    if (!*answer) return;
    Sent sent = judge_zabbix_answer(**answer);
    sent.text = stream_->peer() + " " + sent.text;
    finish(std::move(sent));
  }

  void failed(const net::StreamFailure& failure) {
    text_ += fmt::format("{}{}: {}", text_.empty() ? "" : "; ", to_string(failure.reason),
                         base::foreign_text(failure.text, 1024));
    stream_.reset();
    unread_.clear();
    if (++node_ < server_.nodes.size()) return connect();
    Sent sent;
    sent.fate = perhaps_ ? Fate::unknown : Fate::unreached;
    sent.text = std::move(text_);
    finish(std::move(sent));
  }

  // May destroy this object.
  void finish(Sent sent) {
    stream_.reset();
    const auto done = std::move(done_);
    done(std::move(sent));
  }

  Context context_;
  ZabbixServer server_;
  std::string packet_;
  base::Instant deadline_;
  std::function<void(Sent)> done_;
  std::size_t node_ = 0;
  bool perhaps_ = false;  // whether a node may have the value
  loop::Handle connecting_;
  std::unique_ptr<net::Stream> stream_;
  std::string unread_, text_;
};

}  // namespace

loop::Handle send_to_zabbix(const Context& context, const ZabbixServer& server, const std::string& request,
                            base::Instant deadline, std::function<void(Sent)> done) {
  return loop::Handle(std::make_unique<SenderSession>(context, server, request, deadline, std::move(done)));
}

}  // namespace notify
