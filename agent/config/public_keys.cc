// The keys with text that everybody may see. A key that is not here (and has no number, time or choice) is withheld
// from pages until somebody has thought about it: whether a password, a token, or a line with one may stand there.
#include <algorithm>
#include <string_view>

#include "config/schema.h"

namespace config {
namespace {

constexpr std::string_view kPublic[] = {
    // where something is
    "address", "base_url", "database", "directory", "file", "files", "host", "listen", "no_proxy", "path", "pid_file",
    "pidfile", "port", "proc", "proxy_url", "server", "server_name", "socket", "source_ip_address", "target", "targets",
    "token_url", "track_file", "unix_socket", "upstream", "url", "urls", "vhost",
    // what something is called
    "alert", "allow_labels", "backend", "backends", "container", "depends_on", "drop_labels", "from", "instance", "job",
    "lists", "match", "metrics", "name", "node", "pass_environment", "pass_labels", "peers", "prefix", "process_name",
    "program", "query_name", "queues", "self", "service", "streams", "topics", "type", "unit", "user", "username",
    // what is wanted
    "compression", "equals", "expect", "fail_if_all_match_regexp", "fail_if_body_json_matches_cel",
    "fail_if_body_json_not_matches_cel", "fail_if_body_matches_regexp", "fail_if_body_not_matches_regexp",
    "fail_if_matches_regexp", "fail_if_none_matches_regexp", "fail_if_not_matches_regexp", "fatal_reasons", "header",
    "healthy_when", "helo", "ip_protocol", "matches", "max_version", "method", "min_version", "not_body", "not_equals",
    "not_matches", "ok_codes", "preset", "promql_compat", "query_class", "query_type", "recipient", "regexp", "role",
    "sender", "starttls", "states", "status", "transport_protocol", "up_states", "valid_http_versions", "valid_rcodes",
    "valid_status_codes", "values",
    // how it is done
    "argv", "clean_stop", "command", "cpu", "dependencies", "down", "drained", "fault", "file_bytes", "leaves", "live",
    "max_size", "min_uptime", "out", "present", "processes", "mode", "on_failure", "reload", "scopes", "test",
    "time_zone", "verb", "when", "windows",
    // the keys that every probe has
    "down_interval", "failure_threshold", "failure_window", "fast_interval", "interval", "jitter", "labels",
    "startup_grace", "success_threshold", "timeout", "max_duration", "fail_if_ssl", "fail_if_not_ssl"};

}  // namespace

bool is_public_key(std::string_view key) {
  return key.ends_with("_file") || key.ends_with("_files") ||
         std::find(std::begin(kPublic), std::end(kPublic), key) != std::end(kPublic);
}

void expose_as(const Node& value, const KeyReference& key) {
  if (key.inner.empty()) {
    if (key.exposure != Exposure::unknown) value.expose(key.exposure);
    return;
  }
  if (value.is_mapping()) expose_as(value, key.inner);
  for (const Node& item : value.items()) expose_as(item, key.inner);
}

void expose_as(const Node& mapping, const std::vector<KeyReference>& keys) {
  for (const auto& [name, value] : mapping.entries())
    for (const KeyReference& key : keys)
      if (key.key == name.scalar()) expose_as(value, key);
}

}  // namespace config
