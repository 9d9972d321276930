#include "notify/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "notify/retry.h"

namespace notify {

using state::Change;
using state::Table;

Outbox::Outbox(std::string name, Context context, state::State& state, base::Random& random, OnResult on_result)
    : name_(std::move(name)), context_(context), state_(state), random_(random), on_result_(std::move(on_result)) {}

Outbox::~Outbox() = default;

std::string Outbox::key(std::uint64_t number) const { return fmt::format("{}{:016}", prefix(name_), number); }

void Outbox::use(const Notifier* notifier, base::Millis timeout) {
  sending_.reset();  // what was on its way with the old one is sent again with the same id
  retry_.reset();
  notifier_ = notifier;
  timeout_ = timeout;
  send_next();
}

void Outbox::restore(const std::string& record_key, const std::string& record) {
  Entry entry;
  const std::string number = record_key.substr(std::min(record_key.size(), prefix(name_).size()));
  std::from_chars(number.data(), number.data() + number.size(), entry.number);
  try {
    const auto in = nlohmann::json::parse(record);
    entry.message = {in.at("id"), in.at("body"), base::wall_from_ms(in.at("created_ms").get<std::int64_t>())};
    entry.group = in.at("group");
  } catch (const nlohmann::json::exception& e) {
    base::log::error("a notification is lost: its record is unreadable", {{"receiver", name_}, {"error", e.what()}});
    state_.commit({Change::remove(Table::notifications, record_key)}, [](base::Result<>) {});
    return;
  }
  entry.ready = true;
  next_number_ = std::max(next_number_, entry.number + 1);
  queue_.push_back(std::move(entry));
}

void Outbox::push(Message message, const std::string& group, Keep keep, std::vector<Change> with) {
  // The first one may be on its way; it keeps its place.
  for (std::size_t i = queue_.size(); i-- > (sending_ ? 1u : 0u);)
    if (queue_[i].group == group && queue_[i].keep == Keep::until_replaced) {
      if (i == 0) retry_.reset();
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  if (queue_.size() >= kLimit) drop_oldest(fmt::format("more than {} messages wait", kLimit));
  Entry entry;
  entry.number = next_number_++;
  entry.message = std::move(message);
  entry.group = group;
  entry.keep = keep;
  const std::uint64_t number = entry.number;
  if (keep == Keep::durable)
    with.push_back(Change::put(Table::notifications, key(number),
                               nlohmann::json{{"id", entry.message.id},
                                              {"body", entry.message.body},
                                              {"group", group},
                                              {"created_ms", base::to_ms(entry.message.created)}}
                                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  entry.ready = with.empty();
  queue_.push_back(std::move(entry));
  if (with.empty()) return send_next();
  state_.commit(std::move(with), [this, still = std::weak_ptr(alive_), number](base::Result<> result) {
    if (still.expired()) return;
    if (!result)  // better told and not kept than kept quiet
      base::log::error("a notification could not be written down; it is sent all the same, and lost if the agent ends",
                       {{"receiver", name_}, {"error", result.error().text}});
    for (Entry& e : queue_)
      if (e.number == number) e.ready = true;
    send_next();
  });
}

void Outbox::forget(const Entry& entry) {
  if (entry.keep == Keep::durable)
    state_.commit({Change::remove(Table::notifications, key(entry.number))}, [](base::Result<>) {});
}

void Outbox::drop_oldest(const std::string& why) {
  sending_.reset();
  retry_.reset();
  const Entry entry = std::move(queue_.front());
  queue_.pop_front();
  forget(entry);
  base::log::error("a notification was dropped",
                   {{"receiver", name_}, {"why", why}, {"id", entry.message.id}, {"last_error", last_error_}});
  on_result_("dropped", why);
}

void Outbox::discard(const std::string& why) {
  while (!queue_.empty()) drop_oldest(why);
}

void Outbox::send_next() {
  if (sending_ || retry_ || notifier_ == nullptr) return;
  while (!queue_.empty() && queue_.front().ready &&
         context_.scheduler.wall_now() - queue_.front().message.created > kOldest)
    drop_oldest("it could not be sent for 24h");
  if (queue_.empty() || !queue_.front().ready) return;
  sending_ = notifier_->send(context_, queue_.front().message, context_.scheduler.now() + timeout_,
                             [this](Sent sent) { answered(std::move(sent)); });
}

void Outbox::answered(Sent sent) {
  const loop::Handle ended = std::move(sending_);
  Entry& entry = queue_.front();
  if (!sent.ok && sent.retry) {
    // Said once per change, not once per attempt.
    if (last_error_ != sent.text)
      base::log::warn("a notification did not get through; trying again",
                      {{"receiver", name_}, {"error", sent.text}, {"id", entry.message.id}});
    last_error_ = sent.text;
    const base::Duration wait = retry_delay(entry.failures++, random_.unit(), sent.retry_after);
    retry_ = context_.scheduler.after(wait, [this] {
      const loop::Handle own = std::move(retry_);
      send_next();
    });
    on_result_("retried", sent.text);
    return;
  }
  const Entry done = std::move(entry);
  queue_.pop_front();
  forget(done);
  if (sent.ok) {
    last_error_.clear();
    last_sent_ = context_.scheduler.wall_now();
  } else {
    last_error_ = sent.text;
    base::log::error("a notification was refused for good; mend the receiver's configuration",
                     {{"receiver", name_}, {"error", sent.text}, {"id", done.message.id}});
  }
  on_result_(sent.ok ? "sent" : "parked", sent.text);
  send_next();
}

}  // namespace notify
