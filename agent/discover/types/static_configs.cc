// Targets that the configuration itself names, as in prometheus.yml.
#include <utility>

#include "config/agent_config.h"
#include "discover/registry.h"
#include "loop/scheduler.h"

namespace discover {
namespace {

std::vector<Target> targets_of(const TargetGroup& group) {
  std::vector<Target> all;
  for (const std::string& target : group.targets) all.push_back({target, group.labels});
  return all;
}

const config::Schema<TargetGroup>& schema() {
  static const auto schema = target_group_schema("static_configs").beside(config::target_template_schema());
  return schema;
}

class StaticTargets final : public Source {
 public:
  explicit StaticTargets(TargetList list) : list_(std::move(list)) {}
  std::vector<const TargetList*> lists() const override { return {&list_}; }
  void refresh() override {}

 private:
  TargetList list_;
};

class StaticSettings final : public Settings {
 public:
  StaticSettings(TargetGroup group, std::string name) : group_(std::move(group)), name_(std::move(name)) {}
  std::unique_ptr<Source> make(const Context& context, std::function<void()>) const override {
    TargetList list{name_};
    list.take(targets_of(group_), context.scheduler.wall_now());
    return std::make_unique<StaticTargets>(std::move(list));
  }

 private:
  TargetGroup group_;
  std::string name_;
};

// The name has no place in the list: another entry in front of this one does not make it another source.
std::unique_ptr<const Settings> parse(const config::Node& entry, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return std::make_unique<StaticSettings>(schema().parse(entry, path, errors),
                                          config::service_path(owner.service) + ".static_configs");
}

}  // namespace

const Type static_configs_source{
    .key = "static_configs",
    .summary = "More probes, one for each target that stands here, as in Prometheus.",
    .example = R"(static_configs:
  - targets: [10.0.0.7:8081, 10.0.0.8:8081]
    labels: {zone: eu}
    probe: {type: tcp}
)",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
};

}  // namespace discover
