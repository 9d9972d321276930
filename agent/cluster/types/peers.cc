// No store: the agents of the other nodes are asked what they do. Each agent shows its own entries
// (GET /api/v1/fleet/entries) and asks all others for theirs. It is a brake and no lock: what must never happen twice
// needs a store.
//
// A slot is announced on the own API first. After kAnnounce and a random time all others are asked again; of two that
// have announced the one whose node's name comes first goes on, and one that acts goes before both. An answer is
// used within kAnswer from when it was asked for, which is less than kAnnounce: an agent that was not seen to have
// announced asks so late itself that it finds the other one acting.
//
// Without the answers of a majority nothing is decided. One that does not answer may act until its own lease has ended,
// so for a ttl from the first question that it left open nothing is decided either; then it counts as gone. Two agents
// that cannot reach each other, but both reach a majority, are not seen through.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "cluster/group.h"
#include "cluster/json_answer.h"
#include "cluster/peer_answer.h"
#include "cluster/registry.h"
#include "config/redact.h"
#include "config/request.h"
#include "config/schema.h"
#include "http/configured_client.h"
#include "http/http_client.h"
#include "loop/scheduler.h"

namespace cluster {
namespace {

using namespace std::chrono_literals;

// The same for all agents, whatever their ttl: they rely on those of the others. The slack is for a loop that is late.
constexpr base::Millis kAnswer{2'000}, kSlack{250}, kAnnounce{2'500};
constexpr std::uint64_t kSpreadMs = 1'000;
constexpr base::Millis kLongestTtl{60'000};
constexpr std::size_t kBodyLimit = std::size_t{1} * 1024 * 1024;
// Fences among peers say only who goes first: those who act, then those who have announced, by node.
constexpr std::uint64_t kActs = 1, kAnnounced = 2;

struct Keys {
  std::vector<std::string> urls;
  http::HttpConfig http;
};

const config::Schema<Keys>& schema() {
  static const auto s = [] {
    auto all =
        config::Schema<Keys>("peers")
            .required(
                "urls", &Keys::urls,
                "URLs of the agents of all nodes: [http://node1:10911, ...]. This agent may be among them, so that "
                "all nodes have the same list. Three agents or more: with two, neither acts without the other.")
            .inlined(&Keys::http, http::http_config_schema())
            .check([](const Keys& k, const config::Complain& complain) {
              if (k.urls.size() < 2) complain("urls", "must name the agents of at least two nodes");
              for (const std::string& url : k.urls)
                if (const std::string why = config::url_complaint(url, "http://127.0.0.1:10911"); !why.empty())
                  complain("urls", fmt::format("'{}' {}", url, why));
              if (std::set<std::string>(k.urls.begin(), k.urls.end()).size() < k.urls.size())
                complain("urls", "names an agent twice, which would count as two");
            });
    all.shows({"urls"});
    return all;
  }();
  return s;
}

struct Peer {
  std::string url;
  std::string node{}, instance{};  // as it last said; "": it has said nothing yet
  base::Millis ttl{kLongestTtl};   // the same
  std::vector<PeerEntry> entries{};
  bool answers = false;   // the last question
  base::Instant asked{};  // the question that was answered last
  bool is_self = false;
  std::optional<base::Instant> silent_since{};  // when the first question was asked that it left open
  std::string trouble{};

  bool is_gone(base::Instant now) const { return silent_since && now - *silent_since >= ttl; }
};

class Peers final : public Store {
 public:
  Peers(Context context, const std::vector<std::string>& urls, http::ConfiguredClient client,
        base::KnownSecrets secrets)
      : context_(std::move(context)),
        client_(std::move(client)),
        secrets_(std::move(secrets)),
        random_(context_.seed ^ base::fnv1a(context_.node)),
        instance_(random_.identifier()) {
    for (std::string url : urls) {
      while (url.ends_with('/')) url.pop_back();
      peers_.push_back({std::move(url)});
    }
  }

  std::string name() const override { return fmt::format("the majority of {} agents", others() + 1); }
  bool locks() const override { return false; }
  std::string shared() const override {
    PeerAnswer answer{context_.node, instance_, ttl_};
    for (const auto& [key, own] : own_) answer.entries.push_back({key, own.value, own.acts});
    return write_peer_answer(answer);
  }

  loop::Handle grant(base::Millis ttl, std::function<void(Answer<std::string>)> done) override {
    ttl_ = ttl;
    return ask([this, done = std::move(done)](const std::optional<std::string>& trouble) {
      if (trouble) return done({Answered::unknown, {}, *trouble});
      lease_ = random_.identifier();
      if (!std::exchange(own_, {}).empty()) changed();
      done({Answered::yes, lease_, {}});
    });
  }
  loop::Handle renew(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    if (lease != lease_) return later({Answered::no, {}, "this agent has started again"}, std::move(done));
    return ask([done = std::move(done)](const std::optional<std::string>& trouble) {
      done({trouble ? Answered::unknown : Answered::yes, {}, trouble.value_or("")});
    });
  }
  loop::Handle revoke(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    if (lease != lease_) return later({Answered::no, {}, "the lease has ended"}, std::move(done));
    lease_.clear();
    own_.clear();
    changed();
    return later({Answered::yes, {}, {}}, std::move(done));
  }

  loop::Handle read(const std::string& prefix, std::function<void(Answer<Reading>)> done) override {
    return ask([this, prefix, done = std::move(done)](std::optional<std::string> trouble) {
      if (!trouble) trouble = uncertainty();
      if (trouble) return done({Answered::unknown, {}, *trouble});
      done({Answered::yes, reading(prefix), {}});
    });
  }
  loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                    std::function<void(Answer<std::uint64_t>)> done) override {
    if (lease.empty() || lease != lease_)
      return later(Answer<std::uint64_t>{Answered::no, 0, "the lease has ended"}, std::move(done));
    Own& own = own_[key];
    if (std::exchange(own.value, value) != value) changed();
    const bool waits = is_slot_key(key) && !own.acts;
    const base::Millis pause = waits ? kAnnounce + base::Millis(random_.below(kSpreadMs)) : base::Millis{0};
    return context_.scheduler.after(pause, [this, key, lease, done = std::move(done)] {
      const bool there = lease == lease_ && own_.contains(key);
      done({there ? Answered::yes : Answered::no, there ? kAnnounced : 0, there ? "" : "it was given back"});
    });
  }
  loop::Handle drop(const std::string& key, const std::string& lease,
                    std::function<void(Answer<Nothing>)> done) override {
    const bool ours = lease == lease_ && own_.erase(key) > 0;
    if (ours) changed();
    return later({ours ? Answered::yes : Answered::no, {}, ours ? "" : "it is not ours"}, std::move(done));
  }
  // What lies nowhere but with its author would go with it.
  loop::Handle write(const std::string&, const std::string&, std::uint64_t,
                     std::function<void(Answer<Nothing>)> done) override {
    return later({Answered::no, {}, "peers have no store that would keep it"}, std::move(done));
  }
  void acts(const std::string& key) override {
    const auto found = own_.find(key);
    if (found != own_.end() && !std::exchange(found->second.acts, true)) changed();
  }

  // Questions find out what has changed, whichever agent asks them; the renewal of the lease is one.
  loop::Handle watch(const std::string&, std::uint64_t index, std::function<void(Answer<Nothing>)> done) override {
    struct Watching final : loop::Registration {
      ~Watching() override { peers->watchers_.erase(id); }
      Peers* peers = nullptr;
      std::uint64_t id = 0;
      loop::Handle limit;
    };
    auto watching = std::make_unique<Watching>();
    watching->peers = this;
    watching->id = ++last_watcher_;
    watching->limit = context_.scheduler.after(kWatch, [done] { done({Answered::yes, {}, {}}); });
    watchers_[watching->id] = {index, std::move(done)};
    if (index_ > index) tell_soon();
    return loop::Handle(std::move(watching));
  }

 private:
  struct Own {
    std::string value;
    bool acts = false;
  };
  struct Watcher {
    std::uint64_t index = 0;
    std::function<void(Answer<Nothing>)> done;
  };
  // Why nothing can be decided, or nothing.
  using Asked = std::function<void(std::optional<std::string>)>;

  // One question to all others at once.
  class Question final : public loop::Registration {
   public:
    Question(Peers& peers, Asked done)
        : peers_(peers),
          done_(std::move(done)),
          sent_(peers.context_.scheduler.now()),
          calls_(peers.peers_.size()),
          waits_(calls_.size()) {
      end_ = peers_.context_.scheduler.after(kAnswer, [this] { end(); });
      for (std::size_t i = 0; i < calls_.size(); ++i) {
        if (peers_.peers_[i].is_self) continue;
        ++open_;
        waits_[i] = true;
        calls_[i] = peers_.call(i, [this, i](const base::Result<http::HttpResponse>& response) {
          peers_.on_answer(i, response, sent_);
          waits_[i] = false;
          if (--open_ == 0) end();
        });
      }
      if (open_ == 0) end_ = peers_.context_.scheduler.after(0s, [this] { end(); });
    }

   private:
    // May destroy this object.
    void end() {
      for (std::size_t i = 0; i < calls_.size(); ++i)
        if (waits_[i]) {
          calls_[i].reset();
          peers_.silent(i, fmt::format("no answer within {}", base::format_duration(kAnswer)), sent_);
        }
      end_.reset();
      const bool late = peers_.context_.scheduler.now() - sent_ > kAnswer + kSlack;
      const auto done = std::move(done_);
      done(late ? "this agent stood still while it asked the others" : peers_.lack_of_answers());
    }

    Peers& peers_;
    Asked done_;
    base::Instant sent_;
    std::vector<loop::Handle> calls_;
    std::vector<bool> waits_;  // for an answer, by peer
    std::size_t open_ = 0;
    loop::Handle end_;
  };

  loop::Handle ask(Asked done) { return loop::Handle(std::make_unique<Question>(*this, std::move(done))); }

  loop::Handle call(std::size_t peer, std::function<void(base::Result<http::HttpResponse>)> done) {
    http::HttpRequest request;
    request.url = peers_[peer].url + "/api/v1/fleet/entries";
    request.deadline = context_.scheduler.now() + kAnswer;
    request.body_limit = kBodyLimit;
    request.max_redirects = 0;
    return client_.request(context_.http, context_.scheduler, std::move(request), std::move(done));
  }

  template <typename T>
  loop::Handle later(Answer<T> answer, std::function<void(Answer<T>)> done) {
    return context_.scheduler.after(0s, [answer = std::move(answer), done = std::move(done)] { done(answer); });
  }

  // ---- what the others say

  void on_answer(std::size_t i, const base::Result<http::HttpResponse>& response, base::Instant sent) {
    if (!response) return silent(i, response.error().text, sent);
    if (response->reason != model::Reason::none) return silent(i, response->text, sent);
    if (response->status != 200)
      return silent(i, fmt::format("it answered {}: {}", response->status, base::first_line(response->body, 200)),
                    sent);
    auto answer = read_peer_answer(response->body);
    if (!answer) return silent(i, "its answer is none of an agent in a fleet of peers", sent);
    Peer& peer = peers_[i];
    if (sent < peer.asked) return;  // a later question has been answered
    peer.asked = sent;
    peer.is_self = answer->instance == instance_;
    const bool same = peer.node == answer->node && peer.instance == answer->instance && peer.entries == answer->entries;
    if (!same && !peer.is_self) changed();
    peer.node = std::move(answer->node);
    peer.instance = std::move(answer->instance);
    peer.ttl = answer->ttl;
    peer.entries = std::move(answer->entries);
    peer.answers = true;
    peer.silent_since.reset();
    peer.trouble.clear();
  }

  void silent(std::size_t i, std::string why, base::Instant sent) {
    Peer& peer = peers_[i];
    if (sent < peer.asked) return;
    peer.answers = false;
    if (!peer.silent_since) peer.silent_since = sent;
    base::KnownSecrets secrets = client_.learned();
    secrets.add(secrets_);
    peer.trouble = fit_to_show(std::move(why), secrets);
    if (peer.is_gone(context_.scheduler.now()) && !std::exchange(peer.entries, {}).empty()) changed();
  }

  std::size_t others() const {
    return static_cast<std::size_t>(
        std::count_if(peers_.begin(), peers_.end(), [](const Peer& peer) { return !peer.is_self; }));
  }
  static std::string called(const Peer& peer) {
    const std::string url = base::without_secrets(peer.url);
    return peer.node.empty() ? url : fmt::format("{} ({})", base::foreign_text(peer.node, 128), url);
  }

  std::optional<std::string> lack_of_answers() const {
    std::size_t answered = 1;
    std::string silent;
    for (const Peer& peer : peers_) {
      if (peer.is_self) continue;
      if (peer.answers) ++answered;
      else silent += fmt::format("{}{}: {}", silent.empty() ? "" : "; ", called(peer), peer.trouble);
    }
    const std::size_t all = others() + 1;
    if (answered * 2 > all) return std::nullopt;
    return fmt::format("{} of {} agents answer, and more than half must; {}", answered, all, silent);
  }

  // What some of them do is not known.
  std::optional<std::string> uncertainty() const {
    std::map<std::string, const Peer*> nodes;
    const base::Instant now = context_.scheduler.now();
    for (const Peer& peer : peers_) {
      if (peer.is_self) continue;
      if (!peer.answers && !peer.is_gone(now))
        return fmt::format("what {} does is not known until it has been silent for {}: {}", called(peer),
                           base::format_duration(peer.ttl), peer.trouble);
      if (!peer.answers) continue;
      const auto [other, first] = nodes.emplace(peer.node, &peer);
      if (peer.node == context_.node || !first)
        return fmt::format("{} has the name of another node; set global.node on one of them", called(peer));
    }
    return std::nullopt;
  }

  Reading reading(const std::string& prefix) const {
    std::map<std::string, std::uint64_t> ranks{{context_.node, 0}};
    for (const Peer& peer : peers_)
      if (peer.answers && !peer.is_self) ranks[peer.node] = 0;
    std::uint64_t rank = kAnnounced;
    for (auto& [node, place] : ranks) place = rank++;
    Reading out{{}, index_};
    const auto add = [&](const std::string& node, const std::string& lease, const std::string& key,
                         const std::string& value, bool acts) {
      if (key.starts_with(prefix))
        out.entries.push_back({key, value, lease, acts ? kActs : ranks.at(node), is_slot_key(key) && !acts});
    };
    for (const auto& [key, own] : own_) add(context_.node, lease_, key, own.value, own.acts);
    for (const Peer& peer : peers_)
      if (peer.answers && !peer.is_self)
        for (const PeerEntry& each : peer.entries) add(peer.node, peer.instance, each.key, each.value, each.acts);
    std::stable_sort(out.entries.begin(), out.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.key < b.key; });
    return out;
  }

  // ---- watching

  void changed() {
    ++index_;
    tell_soon();
  }
  void tell_soon() {
    telling_ = context_.scheduler.after(0s, [this] { tell(); });
  }
  void tell() {
    std::vector<std::uint64_t> due;
    for (const auto& [id, watcher] : watchers_)
      if (watcher.done && watcher.index < index_) due.push_back(id);
    for (const std::uint64_t id : due)
      if (const auto found = watchers_.find(id); found != watchers_.end())
        std::exchange(found->second.done, nullptr)({Answered::yes, {}, {}});
  }

  Context context_;
  http::ConfiguredClient client_;
  base::KnownSecrets secrets_;
  base::Random random_;
  std::string instance_, lease_;
  base::Millis ttl_{kLongestTtl};
  std::vector<Peer> peers_;
  std::map<std::string, Own> own_;  // by key
  std::map<std::uint64_t, Watcher> watchers_;
  std::uint64_t index_ = 1, last_watcher_ = 0;
  loop::Handle telling_;
};

class PeersSettings final : public Settings {
 public:
  PeersSettings(Keys keys, const config::Node& node, const std::string& path, config::Errors& errors)
      : urls_(std::move(keys.urls)),
        client_(std::move(keys.http), node, path, errors),
        secrets_(config::secrets_of(node)) {}
  std::unique_ptr<Store> make(const Context& context, base::Millis) const override {
    return std::make_unique<Peers>(context, urls_, client_, secrets_);
  }

 private:
  std::vector<std::string> urls_;
  http::ConfiguredClient client_;
  base::KnownSecrets secrets_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  Keys keys = schema().parse(node, path, errors);
  auto settings = std::make_unique<PeersSettings>(std::move(keys), node, path, errors);
  if (errors.size() > before) return nullptr;
  return settings;
}

}  // namespace

const StoreType peers_store{"peers", "No store: the agents of the other nodes are asked. A brake, and no lock.",
                            "{urls: [\"https://node1:10911\", \"https://node2:10911\", \"https://node3:10911\"], "
                            "basic_auth: {username: fettle, "
                            "password_file: /etc/fettle/peers.password}}",
                            parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace cluster
