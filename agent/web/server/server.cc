#include "web/server/server.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "web/api/answer.h"
#include "web/routes.h"
#include "web/server/basic_auth.h"
#include "web/server/concurrency_limit.h"
#include "web/server/connection.h"
#include "web/server/event_stream.h"
#include "web/server/exchange.h"
#include "web/server/front.h"
#include "web/server/listen.h"
#include "web/server/server_certificate.h"
#include "web/server/web_config.h"
#include "web/server/workers.h"

namespace web {
namespace {

constexpr std::size_t kMostConnections = 4096;
// Of the file descriptors of this process: most are for what it looks after.
constexpr std::size_t kShareOfDescriptors = 4;
// Only the front talks to workers, so that this is about an answer which it does not take because the client does not.
constexpr const char* kWorkerTimeoutMs = "60000";
constexpr std::chrono::milliseconds kStopPatience{500};
constexpr std::size_t kMostPath = 300;  // in the log

// Pages are told at most this often; a person does not see more, and each time costs a rendering.
constexpr std::chrono::milliseconds kStreamPause{250};

// Probes run on time, whatever clients ask for: where the cores are few, the loop goes before its workers. The kernel's
// nice values are those of threads (setpriority(2), "C library/kernel differences").
constexpr int kWorkerThread = 1;  // as CivetWeb numbers its kinds of threads
constexpr int kWorkerNice = 5;
void go_behind_the_loop() {
  const auto thread = static_cast<id_t>(::gettid());
  errno = 0;
  const int nice = ::getpriority(PRIO_PROCESS, thread);
  if (errno == 0) ::setpriority(PRIO_PROCESS, thread, nice + kWorkerNice);
}

base::WallTime wall_now() { return std::chrono::floor<base::Millis>(std::chrono::system_clock::now()); }

std::size_t most_connections() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kMostConnections;
  return std::clamp<std::size_t>(limit.rlim_cur / kShareOfDescriptors, 1, kMostConnections);
}

}  // namespace

struct Server::Rep {
  Rep(ServerOptions o, SnapshotSlot& s, Backend& b, WebConfig c, const Workers& w)
      : options(std::move(o)), lanes(w), web_config(std::move(c)), auth(web_config.users), slot(s), backend(b) {}

  const ServerOptions options;
  const Workers lanes;
  const WebConfig web_config;                     // as it was at the start
  std::string web_config_text = web_config.text;  // as it was read last, for better or worse; the loop's
  BasicAuth auth;
  std::atomic<bool> stopping{false};
  EventStreams streams{static_cast<std::size_t>(lanes.streams)};
  ConcurrencyLimit api_calls{lanes.api_calls};
  QueryGate gate{lanes.queries};
  AnswerMemory memory{options.answer_memory};
  SnapshotSlot& slot;
  Backend& backend;
  const std::shared_ptr<Refusals> refusals = std::make_shared<Refusals>();
  Context context{slot,      backend,
                  options,   wall_now,
                  &stopping, [this] { return streams.open(); },
                  gate,      memory,
                  refusals,  [this] { return front->connections(); }};
  std::optional<ServerCertificate> certificate;  // the loop's
  Exchanges exchanges;
  std::optional<PrivateSocket> workers_socket;
  mg_context* workers = nullptr;
  std::unique_ptr<Front> front;
  std::shared_ptr<Front::Inbox> inbox;
  int port = 0;
  std::string admin_path;  // of the socket file, while it is ours

  // What CivetWeb said while it started.
  std::mutex mutex;
  bool started = false;
  std::string trouble;
  void said(const char* message) {
    const std::lock_guard lock(mutex);
    if (started) base::log::debug("web server", {{"message", message}});
    else if (trouble.empty()) trouble = message;  // the first one is the cause
  }

  int handle(mg_connection* connection);
  Response answer(const Request& request);
  void stream(mg_connection* connection, const Request& request, Exchange& exchange);
  base::Result<> start_workers();
  base::Result<> start_front();
  void look_at_web_config();
};

int Server::Rep::handle(mg_connection* connection) {
  const mg_request_info* info = mg_get_request_info(connection);
  // The front writes it before all others, and lets no client's through.
  const std::string_view number = info->num_headers > 0 ? info->http_headers[0].value : "";
  const auto at = base::leading_number<std::uint64_t>(number).value_or(0);
  const std::shared_ptr<Exchange> exchange = exchanges.take(at);
  if (!exchange || exchange->gone) return 499;
  base::Result<Request> read = read_request(connection, RequestReader::kMostBody);
  if (!read) {
    send_response(connection, {}, text_response(408, read.error().text), nullptr);
    return 408;
  }
  Request request = *std::move(read);
  request.headers.erase(request.headers.begin());
  if (exchange->admin && exchange->admin->right == AdminRight::none) {
    const std::string user = user_name(exchange->admin->user);
    const Response refused = text_response(
        403, fmt::format("The admin socket is for root and the agent's user, for the group fettle, which may read, and "
                         "for {0}, which may change things. To let {1} in: usermod -aG {0} {1}, and log in again.",
                         kChangersGroup, user));
    send_response(connection, request, refused, exchange.get());
    return refused.status;
  }
  request.admin = exchange->admin && exchange->admin->right == AdminRight::change;
  if (request.admin) request.by = fmt::format("{} (uid {})", user_name(exchange->admin->user), exchange->admin->user);
  request.reads_only = exchange->admin && !request.admin;
  request.abandoned = [exchange] { return exchange->left.load(); };
  // The front asks for name and password. It sees the path as it was sent; which one it is, is known here.
  if (!request.admin && !exchange->known && !has_own_token(request.path) && auth.required()) {
    send_response(connection, request, unauthorized(), exchange.get());
    return 401;
  }
  const Response response = answer(request);
  if (response.stream && request.method == "GET") {
    stream(connection, request, *exchange);
    return 200;
  }
  if (response.later) {
    exchange->held = true;
    response.later([exchange, at, inbox = inbox, method = request.method](const Response& late) {
      inbox->answer(at, response_bytes(method, late, exchange->connection_header));
    });
    return 200;
  }
  if (request.admin && request.method != "GET" && request.method != "HEAD")
    base::log::info("asked over the admin socket",
                    {{"request", request.method + " " + base::foreign_text(request.path, kMostPath)},
                     {"status", fmt::to_string(response.status)},
                     {"user", user_name(exchange->admin->user)},
                     {"uid", fmt::to_string(exchange->admin->user)},
                     {"pid", fmt::to_string(exchange->admin->process)}});
  send_response(connection, request, response, exchange.get());
  return response.status;
}

Response Server::Rep::answer(const Request& request) {
  if (request.admin || lane_of(request.path) != Lane::api) return route(request, context);
  const ConcurrencyLimit::Permit permit = api_calls.take();
  if (!permit)
    return api_error(ErrorType::unavailable,
                     fmt::format("{} API calls are being answered already; try again", lanes.api_calls));
  return route(request, context);
}

void Server::Rep::stream(mg_connection* connection, const Request& request, Exchange& exchange) {
  if (!streams.enter()) {
    // 204 tells EventSource not to come back; the page then asks now and then.
    Response full;
    full.status = 204;
    return send_response(connection, request, full, &exchange);
  }
  EventWriter writer(view_of(request));
  std::uint64_t seen = 0;
  bool connected = send_bytes(connection,
                              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                              "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" +
                                  EventWriter::greeting() + writer.news(*context.slot.load(), base::Clock::now()));
  while (connected && !exchange.left) {
    if (streams.wait(seen, EventWriter::kHeartbeat) == EventStreams::Woken::stopping) break;
    if (exchange.left) break;
    const std::string news = writer.news(*context.slot.load(), base::Clock::now());
    if (!news.empty()) connected = send_bytes(connection, news);
    if (!streams.pause(kStreamPause)) break;
  }
  streams.leave();
}

base::Result<> Server::Rep::start_workers() {
  TRY(workers_socket, PrivateSocket::prepare(options.admin_socket));
  mg_callbacks callbacks{};
  callbacks.begin_request = [](mg_connection* connection) {
    return static_cast<Rep*>(mg_get_request_info(connection)->user_data)->handle(connection);
  };
  // What CivetWeb itself refuses (a broken request, a time-out) is answered in our form.
  callbacks.http_error = [](mg_connection* connection, int status, const char* message) {
    send_response(connection, {}, text_response(status, message ? message : ""), nullptr);
    return 0;
  };
  callbacks.init_thread = [](const mg_context*, int type) -> void* {
    if (type == kWorkerThread) go_behind_the_loop();
    return nullptr;
  };
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto* rep = static_cast<Rep*>(mg_get_user_data(mg_get_context(connection)));
    if (rep) rep->said(message);
    return 1;
  };
  const std::string threads = std::to_string(lanes.all());
  const std::string address = "x" + workers_socket->name_to_listen_on();
  const std::vector<const char*> list{"listening_ports", address.c_str(), "num_threads", threads.c_str(),
                                      "request_timeout_ms", kWorkerTimeoutMs, "enable_keep_alive", "no", "decode_url",
                                      "no",
                                      // More than the front's limit, by what it adds.
                                      "max_request_size", "40960", "connection_queue", "128",
                                      // Else the name in the Host header is compared with a made-up domain.
                                      "enable_auth_domain_check", "no", nullptr};
  mg_init_data init{};
  init.callbacks = &callbacks;
  init.user_data = this;
  auto settings = list;
  init.configuration_options = settings.data();
  std::string text(256, '\0');
  mg_error_data error{};
  error.text = text.data();
  error.text_buffer_size = text.size();
  workers = mg_start2(&init, &error);
  const std::lock_guard lock(mutex);
  started = true;
  // Something else took the room that there was. It may have no thread that takes connections, and then mg_stop() would
  // wait for that forever: what it has goes with the process.
  if (trouble.starts_with("Cannot start worker thread")) workers = nullptr;
  if (!workers)
    return base::fail(base::Kind::io,
                      fmt::format("the web server's workers: {}", trouble.empty() ? text.c_str() : trouble));
  return workers_socket->hide();
}

base::Result<> Server::Rep::start_front() {
  const AdminGroups groups = admin_groups();
  TRY(net::Acceptor tcp, listen_on_address(options.listen_address));
  port = tcp.port();
  std::optional<net::Acceptor> admin;
  if (!options.admin_socket.empty()) {
    auto opened = listen_on_admin_socket(options.admin_socket, groups);
    using base::Kind;
    // What the node lacks (the folder, room, rights) costs the changes that people make, and not the probes.
    const bool lacks = !opened && opened.error().kind != Kind::invalid && opened.error().kind != Kind::unavailable;
    if (!opened && !lacks) return tl::unexpected<base::Error>(opened.error());
    if (lacks)
      base::log::error("there is no admin socket, so that nothing can be changed: mend it and restart the agent",
                       {{"error", opened.error().text}});
    else {
      admin = *std::move(opened);
      admin_path = options.admin_socket;
    }
  }
  TRY_VOID(start_workers());
  front = std::make_unique<Front>(
      FrontOptions{std::move(tcp), std::move(admin), groups, certificate ? certificate->tls() : nullptr,
                   workers_socket->name_to_connect_to(), lanes.of_lane, most_connections()},
      exchanges, auth, *refusals, [this] { streams.snapshot_changed(); });
  TRY_VOID(front->begin());
  inbox = front->inbox();
  return {};
}

// Names and passwords hold from the next request on, as with Prometheus and its exporters.
void Server::Rep::look_at_web_config() {
  const std::string& path = options.web_config_file;
  const base::Result<std::string> text = base::read_file(path);
  std::string now = text ? *text : text.error().text;
  if (now == web_config_text) return;
  web_config_text = std::move(now);
  const base::Result<WebConfig> next =
      text ? parse_web_config(*text, path) : base::Result<WebConfig>(tl::unexpected<base::Error>(text.error()));
  if (!next)
    return base::log::error("the changed web configuration cannot be used; what it said before holds",
                            {{"mistakes", next.error().text}});
  auth.replace(next->users);
  base::log::info("the changed web configuration was read; its users hold from now on",
                  {{"file", path}, {"users", fmt::to_string(next->users.size())}});
  if (next->tls != web_config.tls || next->files != web_config.files)
    base::log::warn("tls_server_config of the web configuration holds from the next restart on", {{"file", path}});
}

PortAccess port_access(const std::string& web_config_file) {
  if (web_config_file.empty()) return {};
  const base::Result<WebConfig> found = load_web_config(web_config_file);
  if (!found) return {};
  return {found->tls, !found->users.empty() || found->files.client == ClientCertificate::required};
}

Server::Server() = default;

base::Result<std::unique_ptr<Server>> Server::start(ServerOptions options, SnapshotSlot& slot, Backend& backend) {
  static std::once_flag once;
  std::call_once(once, [] { mg_init_library(MG_FEATURES_DEFAULT); });

  WebConfig web_config;
  if (!options.web_config_file.empty()) {
    TRY(web_config, load_web_config(options.web_config_file));
  }
  const base::ThreadRoom room = base::room_for_threads(
      static_cast<std::size_t>(wanted_workers(options.max_queries) + kBesideWorkers + kSpareThreads));
  TRY(const Workers workers, workers_for(room, options.max_queries));
  std::unique_ptr<Server> server(new Server);
  server->rep_ = std::make_unique<Rep>(std::move(options), slot, backend, std::move(web_config), workers);
  Rep& rep = *server->rep_;
  if (rep.web_config.tls) {
    TRY(rep.certificate, ServerCertificate::read(rep.web_config.files));
  }
  TRY_VOID(rep.start_front());
  return server;
}

Server::~Server() {
  if (!rep_) return;
  rep_->stopping = true;
  rep_->streams.stop();
  // Queries see `stopping`, streams were woken, who is slow has kStopPatience.
  if (!rep_->admin_path.empty()) ::unlink(rep_->admin_path.c_str());
  if (rep_->front) rep_->front->stop(kStopPatience);
  if (rep_->workers) mg_stop(rep_->workers);
}

int Server::port() const { return rep_->port; }

void Server::look_at_files() {
  if (!rep_->options.web_config_file.empty()) rep_->look_at_web_config();
  if (rep_->certificate && rep_->certificate->read_what_changed()) rep_->front->use(rep_->certificate->tls());
}

void Server::snapshot_changed() { rep_->streams.snapshot_changed(); }

}  // namespace web
