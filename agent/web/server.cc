#include "web/server.h"

#include <civetweb.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "web/api_answer.h"
#include "web/basic_auth.h"
#include "web/client_watch.h"
#include "web/connection.h"
#include "web/event_stream.h"
#include "web/places.h"
#include "web/routes.h"
#include "web/tls_bundle.h"
#include "web/web_config.h"

namespace web {
namespace {

// CivetWeb holds one thread for each open connection. Connections are closed after each answer, streams and API calls
// have a bounded number of places, so at least the rest always answers scrapes, health checks and pages.
constexpr int kOtherThreads = 28;  // at most app::ProbeEndpoint::kMostRuns of them for /probe
constexpr int kStreams = 8;
constexpr int kWaitingCalls = 12;  // API calls beside the queries that run
constexpr int kAdminThreads = 4;
constexpr std::size_t kMostBody = 1024 * 1024;
// A client that has not sent its request, or not taken its answer, in this time is gone.
constexpr const char* kRequestTimeoutMs = "10000";

// Pages are told at most this often; a person does not see more, and each time costs a rendering.
constexpr std::chrono::milliseconds kStreamPause{250};

base::WallTime wall_now() { return std::chrono::floor<base::Millis>(std::chrono::system_clock::now()); }

// "[host]:port" as Go's net.Listen has it, to CivetWeb's list. Without a host both families are listened on.
base::Result<std::vector<std::string>> listening_ports(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto refuse = [&] {
    return base::fail(base::Kind::invalid,
                      fmt::format("--web.listen-address={}: expected [HOST]:PORT, such as :10911, 127.0.0.1:0 or "
                                  "[::1]:10911",
                                  address));
  };
  if (colon == std::string::npos) return refuse();
  const std::string host = address.substr(0, colon), port = address.substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size() || number > 65535) return refuse();
  if (host.find(',') != std::string::npos || (host.find(':') != std::string::npos && host.front() != '['))
    return refuse();
  // Where the kernel has no IPv6, IPv4 alone.
  if (host.empty()) return std::vector<std::string>{"+" + port, "0.0.0.0:" + port};
  return std::vector<std::string>{address};
}

// A socket file that nobody listens on is left from a crash; one that answers belongs to a running agent.
base::Result<> clear_socket(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path || path.find(',') != std::string::npos || path.find(':') != std::string::npos)
    return base::fail(
        base::Kind::invalid,
        fmt::format("--admin.socket={}: a path of at most {} bytes without , and :", path, sizeof name.sun_path - 1));
  path.copy(name.sun_path, path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return base::fail(base::Kind::invalid,
                      fmt::format("--admin.socket={}: there is something that is no socket", path));
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0)
    return base::fail(base::Kind::unavailable, fmt::format("--admin.socket={}: another agent listens there", path));
  ::unlink(path.c_str());
  return {};
}

}  // namespace

// What CivetWeb hands back to its callbacks.
struct Server::Listener {
  Rep* server = nullptr;
  bool admin = false;
  mg_context* context = nullptr;

  std::mutex mutex;
  bool started = false;
  std::string trouble;  // what CivetWeb said while it started
  void said(const char* message) {
    const std::lock_guard lock(mutex);
    if (started) base::log::debug("web server", {{"message", message}});
    else if (trouble.empty()) trouble = message;  // the first one is the cause
  }
};

struct Server::Rep {
  Rep(ServerOptions o, SnapshotSlot& s, Backend& b, WebConfig c)
      : options(std::move(o)), web_config(std::move(c)), auth(web_config.users), slot(s), backend(b) {}

  const ServerOptions options;
  const WebConfig web_config;                     // as it was at the start
  std::string web_config_text = web_config.text;  // as it was read last, for better or worse; the loop's
  BasicAuth auth;
  std::atomic<bool> stopping{false};
  EventStreams streams{kStreams};
  const int most_api_calls = options.max_queries + kWaitingCalls;
  Places api_calls{most_api_calls};
  QueryGate gate{options.max_queries};
  AnswerMemory memory{options.answer_memory};
  SnapshotSlot& slot;
  Backend& backend;
  Context context{slot, backend, options, wall_now, &stopping, [this] { return streams.open(); }, gate, memory};
  std::optional<TlsBundle> certificate;  // CivetWeb reads its path again
  Listener tcp, admin;
  int port = 0;
  std::string admin_path;  // of the socket file, while it is ours

  int handle(mg_connection* connection, const Listener& listener);
  Response answer(const Request& request);
  void stream(mg_connection* connection, const Request& request);
  base::Result<> listen(Listener& listener, const std::string& ports, const TlsBundle* tls);
  base::Result<> listen_on_admin_socket();
  void look_at_web_config();
};

int Server::Rep::handle(mg_connection* connection, const Listener& listener) {
  base::Result<Request> read = read_request(connection, kMostBody);
  if (!read) {
    const Response response = text_response(read.error().kind == base::Kind::limit ? 413 : 408, read.error().text);
    send_response(connection, {}, response);
    return response.status;
  }
  Request request = *std::move(read);
  request.admin = listener.admin;
  const mg_request_info* info = mg_get_request_info(connection);
  request.abandoned = [watch = ClientWatch(info->remote_port, info->server_port)]() mutable { return watch.left(); };
  // Heartbeats have a token of their own in the same header.
  const bool asked = !request.admin && !request.path.starts_with("/heartbeat/");
  if (asked && !auth.allows(request.header("Authorization"))) {
    Response response = text_response(401, "Name and password, please.");
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"fettle\"");
    send_response(connection, request, response);
    return 401;
  }
  if (request.path == "/api/v1/events" && request.method == "GET") {
    stream(connection, request);
    return 200;
  }
  const Response response = answer(request);
  send_response(connection, request, response);
  return response.status;
}

Response Server::Rep::answer(const Request& request) {
  if (!request.path.starts_with("/api/v1/") || request.admin) return route(request, context);
  const Places::Place place = api_calls.take();
  if (!place)
    return api_error("unavailable", fmt::format("{} API calls are being answered already; try again", most_api_calls));
  return route(request, context);
}

void Server::Rep::stream(mg_connection* connection, const Request& request) {
  if (!streams.enter()) {
    // 204 tells EventSource not to come back; the page then asks now and then.
    Response full;
    full.status = 204;
    send_response(connection, request, full);
    return;
  }
  EventWriter writer;
  std::uint64_t seen = 0;
  bool connected = send_bytes(connection,
                              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                              "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n" +
                                  EventWriter::greeting() + writer.news(*context.slot.load(), base::Clock::now()));
  while (connected) {
    if (streams.wait(seen, EventWriter::kHeartbeat) == EventStreams::Woken::stopping) break;
    const std::string news = writer.news(*context.slot.load(), base::Clock::now());
    if (!news.empty()) connected = send_bytes(connection, news);
    if (!streams.pause(kStreamPause)) break;
  }
  streams.leave();
}

base::Result<> Server::Rep::listen(Listener& listener, const std::string& ports, const TlsBundle* tls) {
  mg_callbacks callbacks{};
  callbacks.begin_request = [](mg_connection* connection) {
    const auto& at = *static_cast<const Listener*>(mg_get_request_info(connection)->user_data);
    return at.server->handle(connection, at);
  };
  // What CivetWeb itself refuses (a broken request, a time-out) is answered in our form.
  callbacks.http_error = [](mg_connection* connection, int status, const char* message) {
    send_response(connection, {}, text_response(status, message ? message : ""));
    return 0;
  };
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto* at = static_cast<Listener*>(mg_get_user_data(mg_get_context(connection)));
    if (at) at->said(message);
    return 1;
  };
  const std::string threads =
      std::to_string(listener.admin ? kAdminThreads : kOtherThreads + kStreams + most_api_calls);
  const std::string bundle = tls ? tls->path() : "";
  std::vector<const char*> list{"listening_ports", ports.c_str(), "num_threads", threads.c_str(), "request_timeout_ms",
                                kRequestTimeoutMs, "enable_keep_alive", "no", "decode_url", "no", "tcp_nodelay", "1",
                                "max_request_size", "32768", "connection_queue", "64",
                                // Else the name in the Host header is compared with a made-up domain.
                                "enable_auth_domain_check", "no"};
  if (tls) {
    const TlsFiles& files = web_config.files;
    list.insert(list.end(), {"ssl_certificate", bundle.c_str(), "ssl_certificate_chain", bundle.c_str(),
                             "ssl_short_trust", "yes", "ssl_protocol_version", files.require_tls13 ? "5" : "4"});
    if (files.client != ClientCertificate::not_asked)
      list.insert(list.end(), {"ssl_verify_peer", files.client == ClientCertificate::required ? "yes" : "optional",
                               "ssl_ca_file", files.client_ca_file.c_str(),
                               // Only whom this file names, not whom the system trusts.
                               "ssl_default_verify_paths", "no"});
  }
  list.push_back(nullptr);
  listener.server = this;
  listener.started = false;  // no thread of it runs yet
  listener.trouble.clear();
  mg_init_data init{};
  init.callbacks = &callbacks;
  init.user_data = &listener;
  init.configuration_options = list.data();
  std::string text(256, '\0');
  mg_error_data error{};
  error.text = text.data();
  error.text_buffer_size = text.size();
  listener.context = mg_start2(&init, &error);
  const std::lock_guard lock(listener.mutex);
  listener.started = true;
  if (!listener.context)
    return base::fail(base::Kind::io, listener.trouble.empty() ? std::string(text.c_str()) : listener.trouble);
  return {};
}

// CivetWeb takes a digit before an s anywhere in a listening address for a port with TLS, also in
// /tmp/run1s/admin.sock. So it listens under a name without, which is then exchanged for the one that was asked for.
base::Result<> Server::Rep::listen_on_admin_socket() {
  const std::filesystem::path path = std::filesystem::absolute(options.admin_socket);
  const base::UniqueFd folder(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return base::fail_errno(errno, fmt::format("--admin.socket={}", path.string()));
  const std::string harmless = fmt::format("/proc/self/fd/{}/.fettle-admin", folder.value());
  ::unlink(harmless.c_str());
  if (const auto done = listen(admin, "x" + harmless, nullptr); !done)
    return base::fail(done.error().kind, fmt::format("--admin.socket={}: {}", path.string(), done.error().text));
  // Until here only we could connect: the umask took the others' right to write.
  if (::chmod(harmless.c_str(), 0660) != 0 || ::rename(harmless.c_str(), path.c_str()) != 0)
    return base::fail_errno(errno, fmt::format("--admin.socket={}", path.string()));
  admin_path = path.string();
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

Server::Server() = default;

base::Result<std::unique_ptr<Server>> Server::start(ServerOptions options, SnapshotSlot& slot, Backend& backend) {
  static std::once_flag once;
  std::call_once(once, [] { mg_init_library(MG_FEATURES_TLS); });

  TRY(const auto ports, listening_ports(options.listen_address));
  WebConfig web_config;
  if (!options.web_config_file.empty()) {
    TRY(web_config, load_web_config(options.web_config_file));
  }
  std::optional<TlsBundle> tls;
  if (web_config.tls) {
    TRY(tls, TlsBundle::read(web_config.files));
  }
  std::unique_ptr<Server> server(new Server);
  server->rep_ = std::make_unique<Rep>(std::move(options), slot, backend, std::move(web_config));
  Rep& rep = *server->rep_;
  rep.certificate = std::move(tls);

  base::Result<> listening;
  for (const std::string& each : ports) {
    listening = rep.listen(rep.tcp, rep.certificate ? each + "s" : each, rep.certificate ? &*rep.certificate : nullptr);
    if (listening) break;
  }
  if (!listening)
    return base::fail(listening.error().kind, fmt::format("--web.listen-address={}: {}; is another program there?",
                                                          rep.options.listen_address, listening.error().text));
  mg_server_port opened{};
  if (mg_get_server_ports(rep.tcp.context, 1, &opened) > 0) rep.port = opened.port;

  if (const std::string& path = rep.options.admin_socket; !path.empty()) {
    TRY_VOID(clear_socket(path));
    rep.admin.admin = true;
    TRY_VOID(rep.listen_on_admin_socket());
  }
  return server;
}

Server::~Server() {
  if (!rep_) return;
  rep_->stopping = true;
  rep_->streams.stop();
  // Both wait for running requests: queries see `stopping`, streams were woken, the rest is bounded by its time-outs.
  if (rep_->admin.context) mg_stop(rep_->admin.context);
  if (!rep_->admin_path.empty()) ::unlink(rep_->admin_path.c_str());
  if (rep_->tcp.context) mg_stop(rep_->tcp.context);
}

int Server::port() const { return rep_->port; }

void Server::look_at_files() {
  if (!rep_->options.web_config_file.empty()) rep_->look_at_web_config();
  if (rep_->certificate) rep_->certificate->read_what_changed();
}

void Server::snapshot_changed() { rep_->streams.snapshot_changed(); }

}  // namespace web
