#include "app/discovered_now.h"

#include <utility>

#include "base/log.h"
#include "http/http_client.h"
#include "loop/event_loop.h"
#include "net/resolver.h"
#include "os/folder_watch.h"

namespace app {

std::string add_discovered(LoadedConfig& loaded) {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);  // what is wrong is returned
  loop::EventLoop loop;
  os::FolderWatch folders(loop);
  net::AresResolver resolver(loop);
  http::CurlHttpClient http(loop, resolver);
  Discoveries discoveries({loop, folders, http, resolver}, [] {});
  discoveries.replace(std::move(loaded.discoveries), loaded.probes);
  std::string errors;
  const auto add = [&](const std::string& text) { errors += text + (text.ends_with('\n') ? "" : "\n"); };
  for (probe::Spec& spec : discoveries.specs(loaded.modules, add)) loaded.probes.push_back(std::move(spec));
  for (const SourceStatus& each : discoveries.statuses())
    if (!each.of_target && !each.error.empty()) add(each.error);
  return errors;
}

}  // namespace app
