// The keys of `global`.
#include "config/global.h"

#include <fmt/format.h>

#include "config/alertmanager_global.h"
#include "config/global_schema.h"

namespace config {
namespace {

const Schema<NodeRecovery>& node_recovery_schema() {
  static const auto s =
      Schema<NodeRecovery>("recovery")
          .optional("plans_at_once", &NodeRecovery::plans_at_once,
                    "Plans that may act at the same time on this node; others wait and are probed again. With 1, a "
                    "service that is stuck in its start holds up all others.")
          .optional("actions_per_hour", &NodeRecovery::actions_per_hour,
                    "Actions that may heal (restarts, commands; not drain, not alert) over all services of this node, "
                    "kept over restarts of the agent. What a person starts counts, and is never refused for it.")
          .optional("pause_file", &NodeRecovery::pause_file,
                    "While this file exists no recovery of this node starts; empty: none.")
          .check([](const NodeRecovery& r, const Complain& complain) {
            if (r.plans_at_once < 1) complain("plans_at_once", "must be at least 1");
            if (r.actions_per_hour < 1) complain("actions_per_hour", "must be at least 1; mode dry_run never acts");
          });
  return s;
}

const Schema<ProbesAtOnce>& probes_at_once_schema() {
  static const auto s =
      Schema<ProbesAtOnce>("probes_at_once")
          .optional(
              "all", &ProbesAtOnce::all,
              "Over all types; 0: half of the descriptors that the agent may have open (LimitNOFILE of its unit).")
          .optional("by_type", &ProbesAtOnce::by_type,
                    "Of one type: {http: 200}. Without it exec has a limit of 4, the others have none.");
  return s;
}

}  // namespace

const Schema<Global>& global_schema() {
  static const auto s = [] {
    Schema<Global> all("global");
    all.optional("interval", &Global::interval, "How often a probe runs that does not say so itself.")
        .optional("timeout", &Global::timeout, "How long one run may take; at most `interval`.")
        .optional("evaluation_interval", &Global::evaluation_interval,
                  "How often rule groups without an interval are evaluated; 0s means as often as `interval`.")
        .optional(
            "external_labels", &Global::external_labels,
            "Labels added to alerts and notifications, as in prometheus.yml; $NAME and ${NAME} are filled in from "
            "the agent's environment, $$ is a dollar.")
        .optional("node", &Global::node, "Name of this node; empty means the host's name.")
        .optional("job", &Global::job, "Value of the label `job` on stored samples, as a scrape would add it.")
        .optional("instance", &Global::instance,
                  "Value of the label `instance` on stored samples, which must be that of the scrape target in "
                  "Prometheus, or "
                  "alerts of both are two; empty means <node>:<port of --web.listen-address>.")
        .optional("probes_at_once", &Global::probes_at_once, probes_at_once_schema(),
                  "Runs of probes that may go on at the same time; the others wait for their turn, which "
                  "fettle_probes_waiting shows.")
        .optional("recovery", &Global::recovery, node_recovery_schema(), "Limits over the recoveries of all services.")
        .check([](const Global& g, const Complain& complain) {
          if (g.interval <= base::Millis{0}) complain("interval", "must be longer than 0s");
          if (g.timeout <= base::Millis{0}) complain("timeout", "must be longer than 0s");
          if (g.timeout > g.interval)
            complain("timeout", fmt::format("must not be longer than the interval: {} is more than {}",
                                            base::format_duration(g.timeout), base::format_duration(g.interval)));
        });
    add_alertmanager_keys(all);
    return all;
  }();
  return s;
}

}  // namespace config
