#include "web/server/client_connection.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "web/server/connection.h"

namespace web {
namespace {

constexpr std::size_t kPart = 16 * 1024;
constexpr std::size_t kPartsPerTurn = 16;      // then the others
constexpr std::size_t kMostAhead = 64 * 1024;  // of further requests, read while one is answered

}  // namespace

ClientConnection::ClientConnection(loop::EventLoop& loop, net::Accepted accepted,
                                   std::shared_ptr<const net::ServerTls> tls, Refusals& refusals, Owner& owner)
    : loop_(loop), refusals_(refusals), owner_(owner), address_(std::move(accepted.address)) {
  wire_ = std::make_unique<net::Wire>(loop, std::move(accepted.fd), std::move(tls), [this] { go_on(); });
}

void ClientConnection::begin() {
  wait(At::reading, kRequestTime);
  go_on();
}

// Everything that may be possible now. Whatever it calls may call it again, which then only asks for another round.
void ClientConnection::go_on() {
  again_ = true;
  if (std::exchange(busy_, true)) return;
  while (std::exchange(again_, false) && at_ != At::closed) {
    write_some();
    if (at_ == At::sending && unsent() == 0) {
      if (next_ == Next::close) {
        linger();
      } else {
        wait(At::idle, kIdleTime);
        look();  // it may be here already
      }
    }
    if (at_ != At::closed) read_some();
  }
  busy_ = false;
  if (at_ != At::closed) update();
}

void ClientConnection::read_some() {
  std::array<char, kPart> part;
  for (std::size_t parts = 0; !heard_all_; ++parts) {
    const bool reads = idle();
    if (at_ == At::closed || (!reads && reader_.unread() >= kMostAhead)) return;
    if (parts == kPartsPerTurn) {
      soon_ = loop_.at(loop_.now(), [this] { go_on(); });
      return;
    }
    const net::Wire::Moved moved = wire_->read(part.data(), part.size());
    if (moved.step == net::Wire::Step::again) return;
    if (moved.step == net::Wire::Step::failed) {
      if (!wire_->secured()) refusals_.count(Refusals::Reason::handshake, address_);
      return close();
    }
    if (moved.step == net::Wire::Step::closed) {
      heard_all_ = true;
      if (reads) return close();
      return owner_.on_left();
    }
    if (at_ == At::lingering) continue;
    reader_.add({part.data(), moved.size});
    if (reads) look();
  }
}

void ClientConnection::look() {
  const RequestReader::State state = reader_.look();
  if (state == RequestReader::State::nothing) {
    if (heard_all_) close();
    return;
  }
  if (at_ == At::idle) wait(At::reading, kRequestTime);
  if (state == RequestReader::State::refused) {
    const bool large = reader_.status() == 413 || reader_.status() == 431;
    return refuse(large ? Refusals::Reason::too_large : Refusals::Reason::bad_request,
                  text_response(reader_.status(), reader_.why()));
  }
  if (reader_.wants_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
  if (state == RequestReader::State::partly) {
    if (heard_all_) close();
    return;
  }
  at_ = At::answering;
  deadline_.reset();
  tell_waiting(unsent() > 0);
  owner_.on_request(reader_.take());
}

void ClientConnection::send(std::string_view bytes) {
  if (at_ == At::closed) return;
  out_ += bytes;
  go_on();
}

void ClientConnection::answered(Next next) {
  if (at_ != At::answering) return;
  at_ = At::sending;
  next_ = last_ ? Next::close : next;
  go_on();
}

void ClientConnection::answer(const WholeRequest& request, const Response& response) {
  const bool stays = request.keep_alive && !last_;
  send(response_bytes(request.method, response, connection_header(request, stays)));
  answered(stays ? Next::request : Next::close);
}

void ClientConnection::refuse(Refusals::Reason reason, const Response& response) {
  refusals_.count(reason, address_);
  at_ = At::answering;
  deadline_.reset();
  answer({}, response);
}

void ClientConnection::write_some() {
  bool some = false;
  while (unsent() > 0) {
    const net::Wire::Moved moved = wire_->write(std::string_view(out_).substr(sent_));
    if (moved.step == net::Wire::Step::again) break;
    if (moved.step != net::Wire::Step::done) return close();
    sent_ += moved.size;
    taken_ += moved.size;
    some = true;
  }
  if (!some) return;
  if (unsent() == 0) {
    out_.clear();
    if (out_.capacity() > kMostAhead) out_.shrink_to_fit();
    sent_ = 0;
    taking_.reset();
  } else if (sent_ > kMostAhead && sent_ > out_.size() / 2) {
    out_.erase(0, std::exchange(sent_, 0));
  }
  owner_.on_taken();
}

// What to wait for, and how long.
void ClientConnection::update() {
  wire_->watch({.read = !heard_all_ && (idle() || reader_.unread() < kMostAhead), .write = unsent() > 0});
  if (unsent() > 0 && !taking_) {
    taken_ = 0;
    taking_ = loop_.after(kTakeTime, [this] {
      taking_.reset();
      if (taken_ < kTakes) {
        refusals_.count(Refusals::Reason::slow_reader, address_);
        return close();
      }
      waits_ = false;  // it lives: as if it had begun to wait now
      update();
    });
  }
  tell_waiting(idle() || unsent() > 0);
}

void ClientConnection::tell_waiting(bool waits) {
  if (waits == waits_) return;
  waits_ = waits;
  owner_.on_waiting(waits);
}

void ClientConnection::wait(At at, base::Millis time) {
  at_ = at;
  deadline_ = loop_.after(time, [this] { late(); });
}

void ClientConnection::late() {
  if (at_ != At::reading) return close();
  if (!wire_->secured() || reader_.look() == RequestReader::State::nothing) {
    refusals_.count(Refusals::Reason::deadline, address_);
    wire_->reset_on_close();
    return close();
  }
  refuse(Refusals::Reason::deadline,
         text_response(408, fmt::format("The request did not come within {} seconds.", kRequestTime.count() / 1000)));
}

// What the client still sends must be read: else its kernel throws away the answer together with the connection.
void ClientConnection::linger() {
  if (heard_all_) return close();
  wire_->end_writing();
  wait(At::lingering, kLingerTime);
}

void ClientConnection::close() {
  if (at_ == At::closed) return;
  at_ = At::closed;
  deadline_.reset();
  taking_.reset();
  soon_.reset();
  out_.clear();
  sent_ = 0;
  wire_->watch({});
  tell_waiting(false);
  owner_.on_closed();
}

}  // namespace web
