// What a source of targets is. A type is one file in types/ and one line in types.def: its settings struct, its Schema,
// its Source class, and `const Type NAME_source`. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "config/target_template.h"
#include "discover/target_list.h"
#include "http/http_client.h"
#include "net/resolver.h"
#include "os/folder_watch.h"

namespace loop {
class Scheduler;
}  // namespace loop

namespace discover {

// What sources may use. References live as long as the agent; a source holds nothing else of it.
struct Context {
  loop::Scheduler& scheduler;
  os::FolderWatcher& folders;
  http::HttpClient& http;
  net::Resolver& resolver;
};

// Keeps the lists of one entry up to date, by watches, timers and questions that are Handles of its own: destroying it
// ends them. A source that cannot be asked keeps what it said when it last could.
class Source {
 public:
  virtual ~Source() = default;
  // In the order in which their targets become probes; until the next turn. What has not answered yet has no targets
  // and no `refreshed`.
  virtual std::vector<const TargetList*> lists() const = 0;
  // At a reload, which lets a source that it does not change go on: asks anew. What can be had without waiting is there
  // when it returns; of the rest `changed` tells.
  virtual void refresh() = 0;
};

// An entry of the configuration, parsed and checked.
class Settings {
 public:
  virtual ~Settings() = default;
  // `changed` when targets or errors are others, never from inside make() or refresh(). What can be had without waiting
  // is there when it returns. The Source outlives its Settings.
  virtual std::unique_ptr<Source> make(const Context& context, std::function<void()> changed) const = 0;
};

// What a type may want to know when an entry is parsed.
struct Owner {
  std::string service;
  std::string folder;  // of the configuration file
};

struct Type {
  std::string_view key;      // of a service: file_sd_configs
  std::string_view summary;  // one line for the reference
  std::string_view example;  // the key with an entry, as YAML; a test parses it
  // The type's own keys of an entry. The template's (config/target_template.h) stand in the same mapping and are known
  // to its schema. Mistakes go to `errors`.
  std::unique_ptr<const Settings> (*parse)(const config::Node& entry, const std::string& path, const Owner& owner,
                                           config::Errors& errors);
  const std::vector<config::KeyReference>& (*reference)();
};

// An entry with what tells it from others: a reload compares that.
struct Entry {
  std::unique_ptr<const Settings> settings;
  std::string identity;  // its service, type and the type's own keys in one canonical form
};

}  // namespace discover
