#include "config/target_template.h"

namespace config {

const Schema<TargetTemplate>& target_template_schema() {
  static const auto s =
      Schema<TargetTemplate>("targets")
          .optional(
              "probe", &TargetTemplate::probe,
              "A probe as under probes, without what the target says: {type: tcp}. ${target} and ${LABEL} stand "
              "for the target and its labels, as a part of a value that changes nothing around it. Labels of a target "
              "change it: __scrape_interval__ (1s to 1h), __scrape_timeout__, __scheme__, __metrics_path__, "
              "__param_module (a module of the blackbox file, of the template's type if that names one), "
              "__param_hostname, __probe_name, __probe_interval, __probe_timeout, __probe_valid_status_codes, and "
              "what allow_labels names. The others are stamped on its metrics, with target.")
          .optional(
              "allow_labels", &TargetTemplate::allow_labels,
              "Further keys of the probe that a target's label __probe_KEY may set: for lists whose writers may "
              "decide that. Programs, files, sockets, proxies, TLS and credentials are never set by a label; `module` "
              "lets __param_module name a module that has some of these.")
          .place(&TargetTemplate::place);
  return s;
}

}  // namespace config
