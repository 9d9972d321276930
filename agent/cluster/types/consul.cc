// Consul through the agent of the node: a session belongs to the agent that made it. Leases are sessions, entries are
// keys that a session has acquired. An entry's fence is its ModifyIndex as it was read right after it was acquired:
// LockIndex begins anew when the key does. Consul ends a session when it takes its node for dead, long before its TTL;
// so entries stay closed for others for a whole ttl more (LockDelay).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "cluster/json_answer.h"
#include "cluster/registry.h"
#include "config/redact.h"
#include "http/configured_client.h"
#include "http/consul_server.h"
#include "http/http_client.h"
#include "loop/scheduler.h"

namespace cluster {
namespace {

constexpr std::string_view kRoot = "fettle/fleet/";
constexpr std::size_t kBodyLimit = std::size_t{8} * 1024 * 1024;

struct Reply {
  Answered kind = Answered::unknown;
  int status = 0;
  http::Headers headers;
  std::string body;
  std::string text;
};

class Consul final : public Store {
 public:
  Consul(Context context, std::string url, http::ConfiguredClient client, base::KnownSecrets secrets,
         base::Millis limit)
      : context_(std::move(context)),
        url_(std::move(url)),
        client_(std::move(client)),
        secrets_(std::move(secrets)),
        limit_(limit) {}

  std::string name() const override { return "Consul at " + url_; }

  loop::Handle grant(base::Millis ttl, std::function<void(Answer<std::string>)> done) override {
    const std::string time = fmt::format("{}s", std::chrono::ceil<std::chrono::seconds>(ttl).count());
    const json body{{"Name", "fettle " + context_.node}, {"TTL", time}, {"LockDelay", time}, {"Behavior", "delete"}};
    return put("/v1/session/create", body.dump(), [done = std::move(done)](const Reply& r) {
      std::string id = text_of(member(read_json(r.body), "ID"));
      // It becomes a part of paths.
      if (!std::all_of(id.begin(), id.end(), [](char c) { return base::is_alphanumeric(c) || c == '-'; })) id.clear();
      if (r.kind == Answered::yes && id.empty()) return done({Answered::unknown, {}, "it made a session without ID"});
      done({r.kind, id, r.text});
    });
  }

  loop::Handle renew(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    return put("/v1/session/renew/" + lease, "", [done = std::move(done)](Reply r) {
      if (r.kind == Answered::no) r.text = "the session has ended";
      done({r.kind, {}, std::move(r.text)});
    });
  }

  loop::Handle revoke(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    return put("/v1/session/destroy/" + lease, "", [done = std::move(done)](Reply r) {
      done({r.kind, {}, std::move(r.text)});
    });
  }

  // Nothing there is 404, with an index.
  loop::Handle read(const std::string& prefix, std::function<void(Answer<Reading>)> done) override {
    return get(path_of(prefix) + "?recurse&consistent", limit_, [done = std::move(done)](const Reply& r) {
      const auto index = index_of(r);
      if (r.kind == Answered::unknown || !index)
        return done({Answered::unknown, {}, r.text.empty() ? "its answer has no X-Consul-Index" : r.text});
      Answer<Reading> out{Answered::yes, {{}, *index}, {}};
      for (const json& item : read_json(r.body)) {
        Entry entry = entry_of(item);
        if (!entry.lease.empty()) out.value.entries.push_back(std::move(entry));
        else if (!entry.key.empty()) out.value.records.push_back({entry.key, entry.value, entry.fence});
      }
      done(std::move(out));
    });
  }

  // The fence is only in a second answer.
  loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                    std::function<void(Answer<std::uint64_t>)> done) override {
    struct Taking final : loop::Registration {
      loop::Handle pending;
    };
    auto taking = std::make_unique<Taking>();
    Taking& at = *taking;
    at.pending = put(path_of(key) + "?acquire=" + lease, value, [this, &at, key, lease, done](const Reply& r) {
      // A session that has ended is answered with 500; its next renewal finds it out, too.
      if (r.kind == Answered::unknown && r.body.find("invalid session") != std::string::npos)
        return done({Answered::no, 0, "the session has ended"});
      if (r.kind != Answered::yes) return done({r.kind, 0, r.text});
      if (r.body.starts_with("false")) return done({Answered::no, 0, "another one has it, or had it just now"});
      if (!r.body.starts_with("true")) return done({Answered::unknown, 0, "it answered neither true nor false"});
      at.pending = get(path_of(key) + "?consistent", limit_, [lease, done](const Reply& read) {
        Entry entry;
        for (const json& item : read_json(read.body)) entry = entry_of(item);
        if (read.kind == Answered::unknown) return done({Answered::unknown, 0, read.text});
        if (entry.lease != lease || entry.fence == 0) return done({Answered::no, 0, "it was lost again"});
        done({Answered::yes, entry.fence, {}});
      });
    });
    return loop::Handle(std::move(taking));
  }

  loop::Handle drop(const std::string& key, const std::string& lease,
                    std::function<void(Answer<Nothing>)> done) override {
    const std::string whole = std::string(kRoot) + key;
    const json check{{"KV", {{"Verb", "check-session"}, {"Key", whole}, {"Session", lease}}}};
    const json erase{{"KV", {{"Verb", "delete"}, {"Key", whole}}}};
    return put("/v1/txn", json::array({check, erase}).dump(), [done = std::move(done)](Reply r) {
      if (r.status == 409) r = {Answered::no, r.status, {}, {}, "it is not ours"};
      done({r.kind, {}, std::move(r.text)});
    });
  }

  loop::Handle write(const std::string& key, const std::string& value, std::uint64_t revision,
                     std::function<void(Answer<Nothing>)> done) override {
    return put(fmt::format("{}?cas={}", path_of(key), revision), value, [done = std::move(done)](const Reply& r) {
      if (r.kind != Answered::yes) return done({r.kind, {}, r.text});
      if (r.body.starts_with("false")) return done({Answered::no, {}, "another agent has written it"});
      if (!r.body.starts_with("true")) return done({Answered::unknown, {}, "it answered neither true nor false"});
      done({Answered::yes});
    });
  }

  // The server adds up to a sixteenth to the time that it waits. An index of 0 would not wait.
  loop::Handle watch(const std::string& prefix, std::uint64_t index,
                     std::function<void(Answer<Nothing>)> done) override {
    const base::Duration wait = kWatch;
    const base::Duration limit = wait + wait / 16 + std::chrono::seconds{5};
    return get(
        fmt::format("{}?keys&index={}&wait={}m", path_of(prefix), std::max<std::uint64_t>(index, 1), kWatch.count()),
        limit, [done = std::move(done)](Reply r) {
          const bool told = r.kind != Answered::unknown;
          done({told ? Answered::yes : Answered::unknown, {}, std::move(r.text)});
        });
  }

 private:
  static std::string path_of(const std::string& key) { return "/v1/kv/" + std::string(kRoot) + key; }

  static Entry entry_of(const json& item) {
    const std::string key = text_of(member(item, "Key"));
    if (!key.starts_with(kRoot)) return {};
    return {key.substr(kRoot.size()), bytes_of(member(item, "Value")), text_of(member(item, "Session")),
            number_of(member(item, "ModifyIndex")).value_or(0)};
  }
  static std::optional<std::uint64_t> index_of(const Reply& reply) {
    const std::string* value = http::find_header(reply.headers, "X-Consul-Index");
    return value == nullptr ? std::nullopt : number_of(json(*value));
  }

  loop::Handle put(const std::string& path, std::string body, std::function<void(Reply)> done) {
    return ask("PUT", path, std::move(body), limit_, std::move(done));
  }
  loop::Handle get(const std::string& path, base::Duration limit, std::function<void(Reply)> done) {
    return ask("GET", path, "", limit, std::move(done));
  }
  loop::Handle ask(const char* method, const std::string& path, std::string body, base::Duration limit,
                   std::function<void(Reply)> done) {
    http::HttpRequest request;
    request.method = method;
    request.url = url_ + path;
    request.body = std::move(body);
    request.deadline = context_.scheduler.now() + limit;
    request.body_limit = kBodyLimit;
    request.max_redirects = 0;
    return client_.request(context_.http, context_.scheduler, std::move(request),
                           [this, done = std::move(done)](base::Result<http::HttpResponse> response) {
                             Reply reply = judge(std::move(response));
                             base::KnownSecrets secrets = client_.learned();
                             secrets.add(secrets_);
                             reply.text = fit_to_show(std::move(reply.text), secrets);
                             if (reply.kind == Answered::unknown) reply.text = url_ + ": " + reply.text;
                             done(std::move(reply));
                           });
  }

  static Reply judge(base::Result<http::HttpResponse> response) {
    if (!response) return {Answered::unknown, 0, {}, {}, response.error().text};
    if (response->reason != model::Reason::none) return {Answered::unknown, 0, {}, {}, response->text};
    Reply reply{Answered::yes, response->status, std::move(response->headers), std::move(response->body), {}};
    const std::string said = base::first_line(reply.body, 200);
    if (reply.status == 404) reply.kind = Answered::no, reply.text = said.empty() ? "not found" : said;
    else if (reply.status != 200) {
      reply.kind = Answered::unknown;
      reply.text = fmt::format("it answered {}{}{}", reply.status, said.empty() ? "" : ": ", said);
    }
    return reply;
  }

  Context context_;
  std::string url_;
  http::ConfiguredClient client_;
  base::KnownSecrets secrets_;
  base::Millis limit_;
};

class ConsulSettings final : public Settings {
 public:
  ConsulSettings(http::ConsulServer keys, const config::Node& node, const std::string& path, config::Errors& errors)
      : url_(keys.scheme + "://" + keys.server),
        client_(std::move(keys.http), node, path, errors),
        secrets_(config::secrets_of(node)) {}
  std::unique_ptr<Store> make(const Context& context, base::Millis limit) const override {
    return std::make_unique<Consul>(context, url_, client_, secrets_, limit);
  }

 private:
  std::string url_;
  http::ConfiguredClient client_;
  base::KnownSecrets secrets_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  http::ConsulServer keys = http::consul_server_schema().parse(node, path, errors);
  auto settings = std::make_unique<ConsulSettings>(std::move(keys), node, path, errors);
  if (errors.size() > before) return nullptr;
  return settings;
}

}  // namespace

const StoreType consul_store{
    "consul", "Consul, through the agent of the node.",
    "{server: \"localhost:8500\", authorization: {credentials_file: /etc/fettle/consul.token}}", parse,
    []() -> const std::vector<config::KeyReference>& { return http::consul_server_schema().reference(); }};

}  // namespace cluster
