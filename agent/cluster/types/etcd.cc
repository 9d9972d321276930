// etcd through its v3 JSON gateway: every member has it on its client port, and it speaks plain HTTP/1.1. Leases are
// etcd's; an entry's fence is the create_revision of its key. A user's name and password give a token, fetched when it
// is asked for and again when it is refused; client certificates are for the connection only. etcd lets anybody renew
// and grant leases without a token, so its client port must be closed to those who are not of the fleet.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/credential.h"
#include "base/text.h"
#include "cluster/json_answer.h"
#include "cluster/registry.h"
#include "config/redact.h"
#include "config/request.h"
#include "config/schema.h"
#include "http/configured_client.h"
#include "http/http_client.h"
#include "loop/scheduler.h"

namespace cluster {
namespace {

constexpr std::string_view kRoot = "/fettle/fleet/";
// Thousands of members; a watch that has more to say than one read is over long before.
constexpr std::size_t kBodyLimit = std::size_t{8} * 1024 * 1024;

struct Keys {
  std::vector<std::string> endpoints;
  http::HttpConfig http;
};

const config::Schema<Keys>& schema() {
  static const auto s = [] {
    auto all =
        config::Schema<Keys>("etcd")
            .required("endpoints", &Keys::endpoints,
                      "URLs of the members' client ports: [https://10.0.0.1:2379, ...]. One that does not answer is "
                      "followed by the next.")
            .inlined(&Keys::http, http::http_config_schema())
            .check([](const Keys& k, const config::Complain& complain) {
              if (k.endpoints.empty()) complain("endpoints", "must name at least one member");
              for (const std::string& url : k.endpoints)
                if (const std::string why = config::url_complaint(url, "http://127.0.0.1:2379"); !why.empty())
                  complain("endpoints", fmt::format("'{}' {}", url, why));
              if (k.http.authorization || k.http.oauth2)
                complain("basic_auth", "is how etcd is told who asks: it knows users and passwords only");
            });
    all.shows({"endpoints"});
    return all;
  }();
  return s;
}

std::string text64(std::string_view bytes) { return base::base64_encode(bytes); }
std::string key64(const std::string& key) { return text64(std::string(kRoot) + key); }
// The first key behind all that begin so.
std::string behind64(const std::string& prefix) {
  std::string end = std::string(kRoot) + prefix;
  ++end.back();
  return text64(end);
}

json get(const std::string& key) { return {{"request_range", {{"key", key64(key)}}}}; }

struct Reply {
  Answered kind = Answered::unknown;
  json body;
  std::string text;
};

class Etcd final : public Store {
 public:
  Etcd(Context context, std::vector<std::string> endpoints, http::ConfiguredClient client,
       std::optional<http::BasicAuth> login, base::KnownSecrets secrets, base::Millis limit)
      : context_(std::move(context)),
        endpoints_(std::move(endpoints)),
        client_(std::move(client)),
        login_(std::move(login)),
        secrets_(std::move(secrets)),
        limit_(limit) {
    for (std::string& url : endpoints_)
      while (url.ends_with('/')) url.pop_back();
  }

  std::string name() const override { return "etcd at " + base::without_secrets(endpoints_[endpoint_]); }

  loop::Handle grant(base::Millis ttl, std::function<void(Answer<std::string>)> done) override {
    const auto whole = std::chrono::ceil<std::chrono::seconds>(ttl).count();
    return ask("/v3/lease/grant", {{"TTL", whole}}, [done = std::move(done)](Reply r) {
      const std::string id = text_of(member(r.body, "ID"));
      if (r.kind == Answered::yes && id.empty()) return done({Answered::unknown, {}, "it granted a lease without ID"});
      done({r.kind, id, r.text});
    });
  }

  loop::Handle renew(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    return ask("/v3/lease/keepalive", {{"ID", lease}}, [lease, done = std::move(done)](Reply r) {
      const json& result = member(r.body, "result");
      if (r.kind != Answered::yes) return done({r.kind, {}, r.text});
      if (text_of(member(result, "ID")) != lease) return done({Answered::unknown, {}, "its answer is of no lease"});
      // One that has ended is answered with 200, and no time.
      if (number_of(member(result, "TTL")).value_or(0) == 0) return done({Answered::no, {}, "the lease has ended"});
      done({Answered::yes});
    });
  }

  loop::Handle revoke(const std::string& lease, std::function<void(Answer<Nothing>)> done) override {
    return ask("/v3/lease/revoke", {{"ID", lease}}, plain(std::move(done)));
  }

  loop::Handle read(const std::string& prefix, std::function<void(Answer<Reading>)> done) override {
    return ask("/v3/kv/range", {{"key", key64(prefix)}, {"range_end", behind64(prefix)}},
               [done = std::move(done)](const Reply& r) {
                 Answer<Reading> out{r.kind, {}, r.text};
                 const auto revision = number_of(member(member(r.body, "header"), "revision"));
                 if (r.kind == Answered::yes && !revision) out = {Answered::unknown, {}, "its answer has no revision"};
                 out.value.index = revision.value_or(0);
                 for (const json& kv : member(r.body, "kvs")) {
                   Entry entry = entry_of(kv);
                   const auto modified = number_of(member(kv, "mod_revision")).value_or(0);
                   if (!entry.lease.empty()) out.value.entries.push_back(std::move(entry));
                   else if (!entry.key.empty()) out.value.records.push_back({entry.key, entry.value, modified});
                 }
                 done(std::move(out));
               });
  }

  // Ours already: its value is written. Free: it is made. Both give the entry as it is then.
  loop::Handle take(const std::string& key, const std::string& value, const std::string& lease,
                    std::function<void(Answer<std::uint64_t>)> done) override {
    const json put{{"request_put", {{"key", key64(key)}, {"value", text64(value)}, {"lease", lease}}}};
    const json create{{"compare", json::array({is_free(key)})},
                      {"success", json::array({put, get(key)})},
                      {"failure", json::array({get(key)})}};
    const json nested{{"request_txn", create}};
    const json body{{"compare", json::array({is_of(key, lease)})},
                    {"success", json::array({put, get(key)})},
                    {"failure", json::array({nested})}};
    return ask("/v3/kv/txn", body, [lease, done = std::move(done)](const Reply& r) {
      if (r.kind != Answered::yes) return done({r.kind, 0, r.text});
      const Entry entry = entry_in(r.body);
      if (entry.fence == 0) return done({Answered::unknown, 0, "its answer does not say who has the entry"});
      if (entry.lease != lease) return done({Answered::no, 0, "another one has it"});
      done({Answered::yes, entry.fence, {}});
    });
  }

  loop::Handle drop(const std::string& key, const std::string& lease,
                    std::function<void(Answer<Nothing>)> done) override {
    const json erase{{"request_delete_range", {{"key", key64(key)}}}};
    const json body{{"compare", json::array({is_of(key, lease)})}, {"success", json::array({erase})}};
    return ask("/v3/kv/txn", body, [done = std::move(done)](const Reply& r) {
      if (r.kind == Answered::yes && !member(r.body, "succeeded").is_boolean())
        return done({Answered::no, {}, "it is not ours"});  // false is left out
      done({r.kind, {}, r.text});
    });
  }

  loop::Handle write(const std::string& key, const std::string& value, std::uint64_t revision,
                     std::function<void(Answer<Nothing>)> done) override {
    const json put{{"request_put", {{"key", key64(key)}, {"value", text64(value)}}}};
    const json body{{"compare", json::array({is_at(key, revision)})}, {"success", json::array({put})}};
    return ask("/v3/kv/txn", body, [done = std::move(done)](const Reply& r) {
      if (r.kind == Answered::yes && !member(r.body, "succeeded").is_boolean())
        return done({Answered::no, {}, "another agent has written it"});  // false is left out
      done({r.kind, {}, r.text});
    });
  }

  // Without the header a member that lost its leader keeps the stream open and silent for ever.
  loop::Handle watch(const std::string& prefix, std::uint64_t index,
                     std::function<void(Answer<Nothing>)> done) override {
    const json body{
        {"create_request",
         {{"key", key64(prefix)}, {"range_end", behind64(prefix)}, {"start_revision", fmt::to_string(index + 1)}}}};
    http::HttpRequest request = request_to("/v3/watch", body, kWatch);
    request.headers.emplace_back("Grpc-Metadata-hasleader", "true");
    // The first line says that the watch is there. A cancelled one leaves the stream open.
    request.enough = [](std::string_view seen) {
      return std::count(seen.begin(), seen.end(), '\n') > 1 || seen.find("\"canceled\"") != std::string_view::npos ||
             seen.find("\"error\"") != std::string_view::npos;
    };
    return loop::Handle(std::make_unique<Call>(*this, std::move(request), [done = std::move(done)](Reply r) {
      done({r.kind, {}, std::move(r.text)});
    }));
  }

 private:
  static json is_free(const std::string& key) {
    return {{"key", key64(key)}, {"target", "CREATE"}, {"result", "EQUAL"}, {"create_revision", "0"}};
  }
  static json is_of(const std::string& key, const std::string& lease) {
    return {{"key", key64(key)}, {"target", "LEASE"}, {"result", "EQUAL"}, {"lease", lease}};
  }

  static json is_at(const std::string& key, std::uint64_t revision) {
    return {{"key", key64(key)}, {"target", "MOD"}, {"result", "EQUAL"}, {"mod_revision", fmt::to_string(revision)}};
  }

  static Entry entry_of(const json& kv) {
    std::string key = bytes_of(member(kv, "key"));
    if (!key.starts_with(kRoot)) return {};
    std::string lease = text_of(member(kv, "lease"));
    if (lease == "0") lease.clear();
    return {key.substr(kRoot.size()), bytes_of(member(kv, "value")), std::move(lease),
            number_of(member(kv, "create_revision")).value_or(0)};
  }
  // The entry that a transaction read, wherever in it.
  static Entry entry_in(const json& transaction) {
    for (const json& response : member(transaction, "responses")) {
      for (const json& kv : member(member(response, "response_range"), "kvs")) return entry_of(kv);
      if (const json& inner = member(response, "response_txn"); inner.is_object()) return entry_in(inner);
    }
    return {};
  }

  static std::function<void(Reply)> plain(std::function<void(Answer<Nothing>)> done) {
    return [done = std::move(done)](Reply r) { done({r.kind, {}, std::move(r.text)}); };
  }

  http::HttpRequest request_to(const char* path, const json& body, base::Duration limit) const {
    http::HttpRequest request;
    request.method = "POST";
    request.url = endpoints_[endpoint_] + path;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body.dump();
    request.deadline = context_.scheduler.now() + limit;
    request.body_limit = kBodyLimit;
    request.max_redirects = 0;
    return request;
  }

  loop::Handle ask(const char* path, const json& body, std::function<void(Reply)> done) {
    return loop::Handle(std::make_unique<Call>(*this, request_to(path, body, limit_), std::move(done)));
  }

  // One request, with the login that it may need before it: at most one login.
  class Call final : public loop::Registration {
   public:
    Call(Etcd& etcd, http::HttpRequest request, std::function<void(Reply)> done)
        : etcd_(etcd), request_(std::move(request)), done_(std::move(done)), endpoint_(etcd.endpoint_) {
      if (etcd_.login_ && etcd_.token_.empty()) log_in();
      else send();
    }

   private:
    void send() {
      http::HttpRequest request = request_;
      // The bare token: with the word Bearer 3.4 refuses it.
      sent_ = etcd_.token_;
      if (!sent_.empty()) request.headers.emplace_back("Authorization", sent_);
      pending_ = etcd_.client_.request(etcd_.context_.http, etcd_.context_.scheduler, std::move(request),
                                       [this](base::Result<http::HttpResponse> response) { on_answer(response); });
    }

    void log_in() {
      logged_in_ = true;
      const auto name = base::credential(base::Secret(etcd_.login_->username), etcd_.login_->username_file);
      const auto password = base::credential(etcd_.login_->password, etcd_.login_->password_file);
      if (!name || !password) {
        const std::string why = "no login to send: " + (name ? password.error().text : name.error().text);
        pending_ = etcd_.context_.scheduler.after({}, [this, why] { end({Answered::unknown, {}, why}); });
        return;
      }
      http::HttpRequest login =
          etcd_.request_to("/v3/auth/authenticate", {{"name", *name}, {"password", *password}}, etcd_.limit_);
      pending_ = etcd_.client_.request(etcd_.context_.http, etcd_.context_.scheduler, std::move(login),
                                       [this](base::Result<http::HttpResponse> response) { on_login(response); });
    }

    void on_login(const base::Result<http::HttpResponse>& response) {
      Reply reply = judge(response);
      std::string token = text_of(member(reply.body, "token"));
      if (reply.kind != Answered::yes || token.empty())
        return end({Answered::unknown, {}, "no login: " + (reply.text.empty() ? "no token came" : reply.text)});
      etcd_.token_ = std::move(token);
      send();
    }

    void on_answer(const base::Result<http::HttpResponse>& response) {
      if (response && etcd_.login_ && !logged_in_ && wants_login(*response)) {
        etcd_.token_.clear();
        return log_in();
      }
      end(request_.enough ? judge_watch(response) : judge(response));
    }

    // 16: the token is not good (any more); 3, "user name is empty": none came.
    static bool wants_login(const http::HttpResponse& response) {
      return response.status == 401 ||
             (response.status == 400 && response.body.find("user name is empty") != std::string::npos);
    }

    // What failed without any answer of the server.
    static std::optional<std::string> trouble_of(const base::Result<http::HttpResponse>& response) {
      if (!response) return response.error().text;
      if (response->reason != model::Reason::none) return response->text;
      return std::nullopt;
    }

    static Reply judge(const base::Result<http::HttpResponse>& response) {
      if (auto why = trouble_of(response)) return {Answered::unknown, {}, *std::move(why)};
      json body = read_json(response->body);
      // A stream puts its error into the answer, with a shape of its own.
      const json& error = member(body, "error");
      std::string said = text_of(member(error.is_object() ? error : body, "message"));
      if (said.empty()) said = text_of(error);
      constexpr std::uint64_t kNotFound = 5;  // the code of gRPC: etcd itself says so, and nobody on the way
      if (response->status == 404 && number_of(member(body, "code")) == kNotFound) return {Answered::no, {}, said};
      if (response->status != 200 || !body.is_object() || error.is_object())
        return {Answered::unknown,
                {},
                fmt::format("it answered {}{}{}", response->status, said.empty() ? "" : ": ",
                            said.empty() && response->status == 200 ? ", but no JSON" : said)};
      return {Answered::yes, std::move(body), {}};
    }

    // Its time was over, or something came: both are good once it was there.
    static Reply judge_watch(const base::Result<http::HttpResponse>& response) {
      const bool there = response && response->body.find("\"created\":true") != std::string::npos;
      if (!there) return {Answered::unknown, {}, "no watch: " + judge(response).text};
      const bool broken = response->body.find("\"error\"") != std::string::npos;
      const bool ended = response->reason == model::Reason::none || response->reason == model::Reason::read_timeout;
      if (broken || !ended) return {Answered::unknown, {}, "the watch ended: " + response->text};
      return {Answered::yes, {}, {}};
    }

    // May destroy this object.
    void end(Reply reply) {
      base::KnownSecrets secrets = etcd_.client_.learned();
      secrets.add(etcd_.secrets_);
      secrets.add(sent_);
      reply.text = fit_to_show(std::move(reply.text), secrets);
      if (reply.kind == Answered::unknown) {
        reply.text = fmt::format("{}: {}", base::without_secrets(etcd_.endpoints_[endpoint_]), reply.text);
        if (etcd_.endpoint_ == endpoint_) etcd_.endpoint_ = (endpoint_ + 1) % etcd_.endpoints_.size();
      }
      const auto done = std::move(done_);
      done(std::move(reply));
    }

    Etcd& etcd_;
    http::HttpRequest request_;
    std::function<void(Reply)> done_;
    std::size_t endpoint_;
    std::string sent_;  // the token
    bool logged_in_ = false;
    loop::Handle pending_;
  };

  Context context_;
  std::vector<std::string> endpoints_;
  http::ConfiguredClient client_;
  std::optional<http::BasicAuth> login_;
  base::KnownSecrets secrets_;
  base::Millis limit_;
  std::size_t endpoint_ = 0;
  std::string token_;
};

class EtcdSettings final : public Settings {
 public:
  EtcdSettings(Keys keys, const config::Node& node, const std::string& path, config::Errors& errors)
      : endpoints_(std::move(keys.endpoints)),
        login_(std::exchange(keys.http.basic_auth, std::nullopt)),  // no header has it
        client_(std::move(keys.http), node, path, errors),
        secrets_(config::secrets_of(node)) {}
  std::unique_ptr<Store> make(const Context& context, base::Millis limit) const override {
    return std::make_unique<Etcd>(context, endpoints_, client_, login_, secrets_, limit);
  }

 private:
  std::vector<std::string> endpoints_;
  std::optional<http::BasicAuth> login_;
  http::ConfiguredClient client_;
  base::KnownSecrets secrets_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  const std::size_t before = errors.size();
  Keys keys = schema().parse(node, path, errors);
  auto settings = std::make_unique<EtcdSettings>(std::move(keys), node, path, errors);
  if (errors.size() > before) return nullptr;
  return settings;
}

}  // namespace

const StoreType etcd_store{"etcd", "etcd, through the v3 JSON gateway of its client port.",
                           "{endpoints: [\"https://10.0.0.1:2379\"], basic_auth: {username: fettle, password_file: "
                           "/etc/fettle/etcd.password}}",
                           parse, []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace cluster
