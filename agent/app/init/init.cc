#include "app/init/init.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "app/init/draft.h"
#include "app/init/first_services.h"
#include "app/loaded_config.h"
#include "app/node/found_services.h"
#include "app/node/node_view.h"
#include "app/node/probe_choice.h"
#include "base/file.h"
#include "base/log.h"
#include "base/terminal.h"
#include "encoding/json.h"

namespace app {
namespace {

namespace fs = std::filesystem;

int complain(const std::string& text) {
  base::print(stderr, "fettle init: {}\n", text);
  return 1;
}

// The probes of its ports.
void choose_probes(std::vector<DraftService>& services, bool ask) {
  std::vector<PortOfProgram> ports;
  for (const DraftService& service : services)
    for (const FoundPort& port : service.found.ports) ports.push_back({service.found.program, port});
  std::vector<ChosenProbe> probes;
  if (ask) probes = choose_by_asking(ports);
  else
    for (const PortOfProgram& each : ports) probes.push_back(guess(each.program, each.port));
  auto next = probes.begin();
  for (DraftService& service : services) {
    const auto count = static_cast<std::ptrdiff_t>(service.found.ports.size());
    service.probes.assign(next, next + count);
    next += count;
  }
}

// The old file stays beside it.
base::Result<> write(const InitOptions& options, const std::string& text) {
  std::error_code code;
  if (fs::exists(options.file, code)) {
    fs::copy_file(options.file, options.file + ".old", fs::copy_options::overwrite_existing, code);
    if (code)
      return base::fail(base::Kind::unavailable,
                        fmt::format("cannot keep the old file as {}.old: {}", options.file, code.message()));
  }
  return base::write_file_atomically(options.file, text);
}

}  // namespace

namespace {

int print_json(const InitOptions& options, const Draft& draft, const std::string& text) {
  encoding::Json json;
  json.object([&] {
    json.key("file").string(options.file);
    json.key("services").array([&] {
      for (const auto& service : draft.services) json.string(service.found.name);
    });
    json.key("notes").array([&] {
      for (const std::string& note : draft.notes) json.string(note);
    });
    if (options.file == "-") json.key("text").string(text);
  });
  base::print(stdout, "{}\n", json.text());
  return 0;
}

}  // namespace

int init(const InitOptions& options) {
  base::log::configure(base::log::Level::error, base::log::Format::logfmt);  // no word about each probe
  const bool to_file = options.file != "-";
  std::error_code code;
  if (to_file && !options.force && fs::exists(options.file, code))
    return complain(fmt::format("{} is there already: --force replaces it and keeps it as {}.old; fettle init - prints",
                                options.file, options.file));
  const NodeView node = look_at_node();
  FirstServices first = first_services(find_services(node));
  choose_probes(first.services, options.ask);
  Draft draft{node.host_name.empty() ? "this node" : node.host_name, to_file ? options.file : model::kConfigFile,
              std::move(first.services), std::move(first.left_out)};
  draft.notes.insert(draft.notes.end(), node.unseen.begin(), node.unseen.end());
  const std::string text = draft_text(draft);
  const bool as_json = options.form == base::OutputForm::json;
  if (!to_file) {
    if (as_json) return print_json(options, draft, text);
    base::print(stdout, "{}", text);
    return 0;
  }
  if (const auto written = write(options, text); !written) return complain(written.error().text);
  if (!as_json)
    for (const std::string& note : draft.notes) base::print(stderr, "fettle init: {}\n", note);
  config::Errors errors;
  (void)load(options.file, errors);
  if (!errors.empty()) return complain("what was written has mistakes:\n" + errors.text());
  if (as_json) return print_json(options, draft, text);
  base::print(stdout,
              "{}: {} {} and fettle itself, all plans in dry_run; next: look through it, then\n"
              "  fettle check config {} && systemctl reload fettle\n",
              options.file, draft.services.size(), draft.services.size() == 1 ? "service" : "services", options.file);
  return 0;
}

}  // namespace app
