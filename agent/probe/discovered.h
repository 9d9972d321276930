// A probe for each target that a list of others names: one template, and what the target's own labels change of it. The
// labels are Prometheus' words: __scheme__, __metrics_path__, __scrape_interval__, __scrape_timeout__, __param_module
// (a module of the blackbox file) and __param_hostname; besides, __probe_KEY sets KEY of the template.
//
// A list is data: others write it, often from what services say of themselves. It names what is probed and says a few
// harmless things (Reach::label of a type's schema), more where the template's allow_labels says so (Reach::listed),
// and never the type, nor what runs, which file is read, or where else anything is sent (config/foreign.h).
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "config/global.h"
#include "config/node.h"
#include "config/target_template.h"
#include "model/labels.h"
#include "probe/blackbox/blackbox.h"
#include "probe/spec.h"

namespace config {
struct Service;
}  // namespace config

namespace probe {

class ProbeTemplate {
 public:
  // Mistakes that no target could mend go to `errors`. `own.probe` is a mapping as under `probes`, without what the
  // target says; `path` is that of `own`.
  ProbeTemplate(std::string service, const config::Service& settings, const config::Global& global,
                const config::TargetTemplate& own, const std::string& path, config::Errors& errors);

  // The probe of one target. Its name is NAME@ADDRESS, where NAME is the template's name or type, unless __probe_name
  // says another; its labels are the template's, the target's without those that begin with __, and target="ADDRESS".
  // `declared` is the probe that the source knows for it, where the template has no type.
  // Errors: the target or its labels do not fit, with `source` (the file, the address of a catalogue), the target, the
  // label and what to do.
  base::Result<Spec> spec(const std::string& source, const std::string& address, const model::Labels& labels,
                          const BlackboxModules& modules, const config::DeclaredProbe& declared = {}) const;
  const std::string& service() const { return service_; }
  // As ordinary probes have it; null if a module must be named, or the source knows it.
  const Type* type() const;

 private:
  base::Result<Spec> made_of(const std::string& source, const std::string& address, const model::Labels& labels,
                             const BlackboxModules& modules, const config::DeclaredProbe& declared) const;
  base::Result<> check_module(const std::string& module, const BlackboxModules& modules) const;
  const config::KeyReference* find_allowed(std::string_view key) const;
  base::Result<> write_labels(const model::Labels& labels, const Type* type,
                              const std::function<void(std::string_view, std::string)>& set) const;

  std::string service_;
  std::string unit_;
  std::size_t healthy_probes_ = 0;
  config::Global global_;
  config::Node probe_;
  std::set<std::string, std::less<>> allowed_;    // keys
  std::set<std::string, std::less<>> variables_;  // of the template's own, which labels leave alone
  base::Millis interval_{0};                      // the template's own
};

}  // namespace probe
