// The blackbox exporter's `modules:` file, read unchanged: what /probe?module=&target= runs. A module becomes a probe
// of our own types; keys that have no counterpart here make the module unusable, and it says so when it is asked for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "config/node.h"
#include "probe/spec.h"

namespace probe {

class BlackboxModules {
 public:
  // Of the modules that the exporter's own example file has those that need no settings: http_2xx, tcp_connect …
  BlackboxModules();

  // In place of those. Mistakes of the file go to `errors`, and a module that has some cannot be asked; relative paths
  // in it are looked up beside the file.
  static BlackboxModules load(const std::string& file, config::Errors& errors);

  // A probe of `target` as the module says; `hostname` is the name to ask for where the target is an address ("": the
  // target's). Its timeout is the module's, at most `limit`. Errors: not_found (no such module), invalid (the target or
  // the module cannot be used).
  base::Result<Spec> spec(const std::string& module, const std::string& target, const std::string& hostname,
                          base::Millis limit) const;
  // Whether it has a Host header of its own that names another host: the exporter refuses to choose between the two.
  bool names_another_host(const std::string& module, const std::string& hostname) const;
  // Whether it can be used with any target at all.
  bool usable(const std::string& module) const;
  const Type* type(const std::string& module) const;  // null if there is no such module
  // The key by which it sends a secret, shows a certificate, reads a file or goes over a proxy: then only the
  // configuration says whom it is sent to, no label of a target. "" if it has none, or if there is no such module.
  std::string own_power(const std::string& module) const;
  // A probe of it holds what a file said when it was made: good for one run.
  bool reads_files(const std::string& module) const;
  // As the file has it but for its secrets, for /probe?debug=true; "" if there is no such module.
  std::string text(const std::string& module) const;
  std::vector<std::string> names() const;

 private:
  struct Module {
    std::string prober;
    base::Millis timeout{0};  // 0: none of its own
    config::Node settings;    // of its prober; null if there are none
    std::string text;
    std::string own_power;
    bool has_mistakes = false;
  };
  // spec(), and the mapping that it was made of.
  base::Result<Spec> spec_of(const Module& module, const std::string& name, const std::string& target,
                             const std::string& hostname, base::Millis limit, config::Node& written) const;
  std::map<std::string, Module> modules_;
  std::string folder_;
};

}  // namespace probe
