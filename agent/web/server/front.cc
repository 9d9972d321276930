#include "web/server/front.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "loop/blocking_pool.h"
#include "loop/deferred_delete.h"
#include "loop/event_loop.h"
#include "web/routes.h"
#include "web/server/client_connection.h"
#include "web/server/connection.h"
#include "web/server/password_checks.h"
#include "web/server/room.h"
#include "web/server/worker_call.h"

namespace web {
namespace {

constexpr std::size_t kMostAdmin = 128;
// Who has kept us waiting for longer makes room for who comes.
constexpr base::Millis kMakesRoom{250};
constexpr std::chrono::seconds kWorkerPatience{10};
constexpr std::chrono::seconds kGuessPause{1};
// Answers that their clients have not taken yet. Below, a worker may leave as much of its answer as the first; above,
// as the second.
constexpr std::size_t kBuffers = 32 * 1024 * 1024;
constexpr std::size_t kBuffer = 4 * 1024 * 1024;
constexpr std::size_t kShortBuffer = 64 * 1024;

}  // namespace

class Front::Mail final : public Front::Inbox {
 public:
  explicit Mail(std::function<void(std::uint64_t, std::string)> deliver) : deliver_(std::move(deliver)) {}
  void answer(std::uint64_t exchange, std::string bytes) override {
    const std::lock_guard lock(mutex_);
    if (deliver_) deliver_(exchange, std::move(bytes));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    deliver_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void(std::uint64_t, std::string)> deliver_;
};

class Front::Rep {
 public:
  Rep(FrontOptions options, Exchanges& exchanges, BasicAuth& auth, Refusals& refusals, std::function<void()> on_left,
      std::atomic<std::size_t>& connections);
  ~Rep();

  base::Result<> begin();
  void stop(std::chrono::milliseconds patience);
  void use(std::shared_ptr<const net::ServerTls> tls);
  void answer(std::uint64_t exchange, std::string bytes);

 private:
  struct Client;
  using Clients = std::list<std::unique_ptr<Client>>;
  // A door with its own room: who fills one does not close the other.
  struct Entrance {
    Entrance(net::Acceptor a, std::size_t most, bool is_admin) : acceptor(std::move(a)), room(most), admin(is_admin) {}
    net::Acceptor acceptor;
    Room room;
    const bool admin;
    std::list<Client*> waiting;  // for their clients, the longest first
  };

  void open(Entrance& entrance);
  bool make_room(Entrance& entrance, const std::string* owner);
  void take(Entrance& entrance, net::Accepted accepted);
  void ask(Client& client);
  void queue(Client& client);
  void call(Client& client);
  void worker_free(Lane lane);
  void refuse(Client& client, Refusals::Reason reason, Response response);
  void closed(Client& client);
  void look_whether_done();
  Admin admin_of(const std::optional<net::Peer>& peer) const {
    return peer ? Admin{admin_right(*peer, admin_groups_), peer->user, peer->process} : Admin{};
  }

  loop::EventLoop loop_{loop::EpollChanges::at_once};  // the workers' threads close descriptors, too
  loop::ThreadedBlockingPool blocking_pool_{loop_};
  const std::string workers_socket_;
  const std::array<int, kLanes> workers_;
  const AdminGroups admin_groups_;
  Exchanges& exchanges_;
  BasicAuth& auth_;
  Refusals& refusals_;
  const std::function<void()> on_left_;
  std::atomic<std::size_t>& connections_;
  std::shared_ptr<const net::ServerTls> tls_;
  PasswordChecks checks_{blocking_pool_, auth_};
  std::list<Entrance> entrances_;
  Clients clients_;
  std::map<std::uint64_t, Client*> under_way_;  // by the number of their exchange
  std::array<std::deque<Client*>, kLanes> queues_;
  std::array<int, kLanes> busy_{};
  std::list<std::unique_ptr<WorkerCall>> calls_;
  std::size_t unsent_ = 0;  // of all clients
  loop::DeferredDelete deferred_{loop_};
  bool stopping_ = false;
  bool done_ = false;
  loop::Handle patience_;
  std::thread thread_;  // last: it uses all of the above
};

struct Front::Rep::Client final : ClientConnection::Owner {
  Client(Rep& r, Entrance& e, net::Accepted accepted)
      : rep(r),
        entrance(e),
        owner(Room::owner_of(accepted.address)),
        admin(e.admin ? std::optional(r.admin_of(accepted.peer)) : std::nullopt),
        connection(r.loop_, std::move(accepted), e.admin ? nullptr : r.tls_, r.refusals_, *this) {}

  void on_request(WholeRequest whole) override {
    request = std::move(whole);
    rep.ask(*this);
  }
  void on_left() override {
    left = true;
    if (!exchange) return;
    exchange->left = true;
    rep.on_left_();
  }
  void on_taken() override {
    count_unsent();
    if (call) call->hold(connection.unsent() >= rep_buffer());
  }
  void on_waiting(bool waits) override {
    if (in_waiting) entrance.waiting.erase(*std::exchange(in_waiting, std::nullopt));
    if (!waits) return;
    since = rep.loop_.now();
    in_waiting = entrance.waiting.insert(entrance.waiting.end(), this);
  }
  void on_closed() override { rep.closed(*this); }

  // Its place goes to the next one; whatever goes on for it ends without it.
  void cut() {
    if (call) std::exchange(call, nullptr)->forget();
    if (exchange) {
      exchange->left = true;
      exchange->gone = true;
      rep.under_way_.erase(number);
      rep.on_left_();
    }
    if (queued) std::erase(rep.queues_.at(static_cast<std::size_t>(lane)), this);
    patience.reset();
    alive.reset();
    rep.unsent_ -= std::exchange(counted, 0);
    entrance.room.leave(owner);
    --rep.connections_;
  }

  std::size_t rep_buffer() const { return rep.unsent_ < kBuffers ? kBuffer : kShortBuffer; }
  void count_unsent() {
    rep.unsent_ += connection.unsent() - counted;
    counted = connection.unsent();
  }
  void send(std::string_view bytes) {
    connection.send(bytes);
    count_unsent();
  }

  Rep& rep;
  Entrance& entrance;
  const std::string owner;
  const std::optional<Admin> admin;
  ClientConnection connection;
  Clients::iterator here{};
  std::optional<std::list<Client*>::iterator> in_waiting;
  base::Instant since{};
  std::size_t counted = 0;
  WholeRequest request;
  bool known = false;  // name and password were right, or are not asked for
  std::shared_ptr<Exchange> exchange;
  std::uint64_t number = 0;
  WorkerCall* call = nullptr;
  Lane lane = Lane::other;
  bool queued = false;
  bool left = false;
  loop::Handle patience;  // for a worker, or with a guess
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

Front::Rep::Rep(FrontOptions options, Exchanges& exchanges, BasicAuth& auth, Refusals& refusals,
                std::function<void()> on_left, std::atomic<std::size_t>& connections)
    : workers_socket_(std::move(options.workers_socket)),
      workers_(options.workers),
      admin_groups_(options.admin_groups),
      exchanges_(exchanges),
      auth_(auth),
      refusals_(refusals),
      on_left_(std::move(on_left)),
      connections_(connections),
      tls_(std::move(options.tls)) {
  entrances_.emplace_back(std::move(options.tcp), options.most_connections, false);
  if (options.admin) entrances_.emplace_back(*std::move(options.admin), kMostAdmin, true);
  loop_.post([this] {
    for (Entrance& entrance : entrances_) open(entrance);
  });
}

base::Result<> Front::Rep::begin() {
  TRY(thread_, base::start_thread("to take connections", [this] {
        loop_.run();
        calls_.clear();
        clients_.clear();
        entrances_.clear();
      }));
  return {};
}

Front::Rep::~Rep() { stop({}); }

void Front::Rep::open(Entrance& entrance) {
  entrance.acceptor.start(
      loop_, [this, &entrance] { return make_room(entrance, nullptr); },
      [this, &entrance](net::Accepted accepted) { take(entrance, std::move(accepted)); });
}

// Whether there is room, for anybody or for one more of `owner`: who has let us wait for the longest goes.
bool Front::Rep::make_room(Entrance& entrance, const std::string* owner) {
  const bool full = owner ? entrance.room.full_for(*owner) : entrance.room.full();
  if (!full) return true;
  for (Client* client : entrance.waiting) {
    if (loop_.now() - client->since < kMakesRoom) return false;
    if (owner && client->owner != *owner) continue;
    refusals_.count(owner ? Refusals::Reason::address_limit : Refusals::Reason::limit, client->connection.address());
    client->connection.close();
    return true;
  }
  return false;
}

void Front::Rep::take(Entrance& entrance, net::Accepted accepted) {
  const std::string owner = Room::owner_of(accepted.address);
  if (!make_room(entrance, &owner)) return refusals_.count(Refusals::Reason::address_limit, accepted.address);
  entrance.room.enter(owner);
  ++connections_;
  const auto here = clients_.insert(clients_.end(), std::make_unique<Client>(*this, entrance, std::move(accepted)));
  Client& client = **here;
  client.here = here;
  client.connection.begin();
}

void Front::Rep::ask(Client& client) {
  client.known = client.entrance.admin;
  // Heartbeats have a token of their own in the same header. Which path it really is the workers know; see server.cc.
  if (client.known || has_own_token(client.request.path())) return queue(client);
  BasicAuth::Known known = auth_.look(client.request.header("Authorization"));
  const auto go_on = [this, &client](std::optional<bool> right) {
    if (!right)
      return refuse(client, Refusals::Reason::password_limit, text_response(503, "No password can be checked now."));
    client.known = *right;
    if (*right) return queue(client);
    if (!client.request.header("Authorization").empty())
      refusals_.count(Refusals::Reason::unauthorized, client.connection.address());
    client.connection.answer(client.request, unauthorized());
  };
  if (known.may) return go_on(known.may);
  const bool waits = checks_.check(std::move(known.question), client.owner,
                                   [go_on, alive = std::weak_ptr<bool>(client.alive)](std::optional<bool> right) {
                                     if (!alive.expired()) go_on(right);
                                   });
  if (waits) return;
  // Told late, so that who guesses does not do it faster than passwords are checked.
  client.patience = loop_.after(kGuessPause, [this, &client] {
    Response busy = text_response(429, "Too many passwords wait for their check; try again.");
    busy.headers.emplace_back("Retry-After", "1");
    refuse(client, Refusals::Reason::password_limit, std::move(busy));
  });
}

void Front::Rep::queue(Client& client) {
  client.lane = client.entrance.admin ? Lane::admin : lane_of(client.request.path());
  const auto lane = static_cast<std::size_t>(client.lane);
  if (busy_.at(lane) < workers_.at(lane)) return call(client);
  client.queued = true;
  queues_.at(lane).push_back(&client);
  client.patience = loop_.after(kWorkerPatience, [this, &client, lane] {
    std::erase(queues_.at(lane), &client);
    client.queued = false;
    refuse(client, Refusals::Reason::limit, text_response(503, "All workers are busy; try again."));
  });
}

void Front::Rep::call(Client& client) {
  auto fd = net::Wire::connect_unix(workers_socket_);
  if (!fd)
    return refuse(client, Refusals::Reason::limit,
                  text_response(503, fmt::format("No worker can be reached: {}", fd.error().text)));
  const bool stays = client.request.keep_alive && client.lane != Lane::stream && !stopping_;
  const auto exchange =
      std::make_shared<Exchange>(client.admin, client.known, connection_header(client.request, stays));
  const std::uint64_t number = exchanges_.add(exchange);
  exchange->left = client.left;
  client.exchange = exchange;
  client.number = number;
  under_way_.emplace(number, &client);
  const Lane lane = client.lane;
  ++busy_.at(static_cast<std::size_t>(lane));
  // The client may be gone, or have its next request under way, when a worker ends.
  const auto caller = [this, number]() -> Client* {
    const auto at = under_way_.find(number);
    return at == under_way_.end() ? nullptr : at->second;
  };
  const auto here = calls_.insert(calls_.end(), nullptr);
  *here = std::make_unique<WorkerCall>(
      loop_, *std::move(fd), client.request.bytes(fmt::format("Fettle-Exchange: {}", number)),
      [caller](std::string_view bytes) {
        Client* to = caller();
        if (!to) return;
        to->send(bytes);
        if (to->call) to->call->hold(to->connection.unsent() >= to->rep_buffer());
      },
      [this, caller, here, exchange, number, lane, stays] {
        const auto ended = std::move(*here);
        calls_.erase(here);
        exchanges_.take(number);  // if no worker has
        Client* to = caller();
        if (to) {
          to->call = nullptr;
          if (!exchange->held) {
            under_way_.erase(number);
            to->exchange = nullptr;
            to->connection.answered(stays && exchange->answered ? ClientConnection::Next::request
                                                                : ClientConnection::Next::close);
          }
        }
        worker_free(lane);
      });
  client.call = here->get();
  client.request.body.clear();
  (*here)->begin();
}

void Front::Rep::worker_free(Lane lane) {
  const auto at = static_cast<std::size_t>(lane);
  --busy_.at(at);
  if (!queues_.at(at).empty()) {
    Client& next = *queues_.at(at).front();
    queues_.at(at).pop_front();
    next.queued = false;
    next.patience.reset();
    call(next);
  }
  look_whether_done();
}

// The answer of an exchange whose worker has left, or is about to leave.
void Front::Rep::answer(std::uint64_t exchange, std::string bytes) {
  loop_.post([this, exchange, bytes = std::move(bytes)] {
    const auto at = under_way_.find(exchange);
    if (at == under_way_.end()) return;
    Client& client = *at->second;
    under_way_.erase(at);
    if (client.call) std::exchange(client.call, nullptr)->forget();
    const bool stays = client.exchange->connection_header != connection_header(client.request, false);
    client.exchange = nullptr;
    client.send(bytes);
    client.connection.answered(stays ? ClientConnection::Next::request : ClientConnection::Next::close);
    look_whether_done();
  });
}

void Front::Rep::refuse(Client& client, Refusals::Reason reason, Response response) {
  refusals_.count(reason, client.connection.address());
  client.connection.answer(client.request, response);
}

// Called from within the connection, which must live until it has returned.
void Front::Rep::closed(Client& client) {
  std::unique_ptr<Client> own = std::move(*client.here);
  clients_.erase(client.here);
  deferred_.add(std::move(own));
  look_whether_done();
}

void Front::Rep::use(std::shared_ptr<const net::ServerTls> tls) {
  loop_.post([this, tls = std::move(tls)] { tls_ = tls; });
}

void Front::Rep::stop(std::chrono::milliseconds patience) {
  loop_.post([this, patience] {
    if (stopping_) return;
    stopping_ = true;
    for (Entrance& entrance : entrances_) entrance.acceptor.stop();
    for (auto at = clients_.begin(); at != clients_.end();) {
      Client& client = **at++;
      client.connection.let_go();
      if (client.connection.idle()) client.connection.close();
    }
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      Client& client = *(at++)->second;
      if (!client.exchange->held) continue;
      under_way_.erase(client.number);
      client.exchange = nullptr;
      client.connection.answer(client.request, text_response(503, "the agent is stopping; try again when it is back"));
    }
    patience_ = loop_.after(patience, [this] {
      done_ = true;
      loop_.stop();
    });
    look_whether_done();
  });
  if (thread_.joinable()) thread_.join();
}

void Front::Rep::look_whether_done() {
  if (!stopping_ || done_ || !clients_.empty() || !calls_.empty()) return;
  done_ = true;
  loop_.stop();
}

Front::Front(FrontOptions options, Exchanges& exchanges, BasicAuth& auth, Refusals& refusals,
             std::function<void()> on_left)
    : rep_(std::make_unique<Rep>(std::move(options), exchanges, auth, refusals, std::move(on_left), connections_)) {
  mail_ = std::make_shared<Mail>(
      [rep = rep_.get()](std::uint64_t exchange, std::string bytes) { rep->answer(exchange, std::move(bytes)); });
}

Front::~Front() { mail_->close(); }

base::Result<> Front::begin() { return rep_->begin(); }
void Front::stop(std::chrono::milliseconds patience) { rep_->stop(patience); }
void Front::use(std::shared_ptr<const net::ServerTls> tls) { rep_->use(std::move(tls)); }
std::shared_ptr<Front::Inbox> Front::inbox() const { return mail_; }

}  // namespace web
