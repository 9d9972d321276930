// What a service may suffer from without being at fault: memory that is left, and time that tasks wait for CPU, memory
// and disks (pressure stall information, https://docs.kernel.org/accounting/psi.html). node_exporter is the tool for
// everything else about a node.
#include <array>
#include <utility>

#include "base/file.h"
#include "base/number.h"
#include "loop/scheduler.h"
#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct NodeSettings {
  std::string proc = "/proc";
  double min_memory_percent = 5;
  double max_cpu_pressure = 0;
  double max_memory_pressure = 0;
  double max_io_pressure = 0;
};

const config::Schema<NodeSettings>& schema() {
  static const auto schema =
      probe_schema<NodeSettings>("node")
          .optional("proc", &NodeSettings::proc, "Where /proc of the node is; in a container perhaps /host/proc.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("min_memory_percent", &NodeSettings::min_memory_percent,
                    "Part of the memory that must be available (MemAvailable).")
          .optional("max_cpu_pressure", &NodeSettings::max_cpu_pressure,
                    "Percent of the last 10 seconds in which some task waited for a CPU; 0: not looked at.")
          .optional("max_memory_pressure", &NodeSettings::max_memory_pressure,
                    "Percent of the last 10 seconds in which some task waited for memory; 0: not looked at.")
          .optional("max_io_pressure", &NodeSettings::max_io_pressure,
                    "Percent of the last 10 seconds in which some task waited for a disk; 0: not looked at.")
          .check([](const NodeSettings& node, const config::Complain& complain) {
            if (node.proc.empty() || node.proc[0] != '/') complain("proc", "must be an absolute path");
            for (const auto& [key, value] : {std::pair{"min_memory_percent", node.min_memory_percent},
                                             {"max_cpu_pressure", node.max_cpu_pressure},
                                             {"max_memory_pressure", node.max_memory_pressure},
                                             {"max_io_pressure", node.max_io_pressure}})
              if (value < 0 || value > 100) complain(key, "must be between 0 and 100");
          });
  return schema;
}

// The number behind `key` (with its separator) in `text`.
std::optional<double> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return base::leading_number<double>(text);
}

std::string percent(double value) { return std::to_string(static_cast<int>(value)) + " %"; }

class NodeProbe final : public Probe {
 public:
  NodeProbe(const Context& context, const NodeSettings& settings) : context_(context), settings_(settings) {}
  void start(base::Instant, Done done) override {
    looking_ = context_.scheduler.after({}, [this, done = std::move(done)] { done(look()); });
  }

 private:
  Outcome look() const {
    const auto memory = base::read_file(settings_.proc + "/meminfo");
    if (!memory) return Outcome::failure(Reason::agent_overloaded, memory.error().text);
    const auto of = [&](const char* key) { return number_after(*memory, key).value_or(0) * 1024; };
    const double total = of("MemTotal:"), available = of("MemAvailable:");
    const double left = total > 0 ? 100 * available / total : 0;
    Measurements out;
    out.push_back({"probe_node_memory_size_bytes", total, {}});
    out.push_back({"probe_node_memory_available_bytes", available, {}});
    out.push_back({"probe_node_memory_available_percent", left, {}});
    out.push_back({"probe_node_swap_used_bytes", of("SwapTotal:") - of("SwapFree:"), {}});
    std::string wrong;
    if (left < settings_.min_memory_percent)
      wrong =
          percent(left) + " of the memory is available; min_memory_percent is " + percent(settings_.min_memory_percent);
    for (const auto& [resource, limit] : {std::pair{"cpu", settings_.max_cpu_pressure},
                                          {"memory", settings_.max_memory_pressure},
                                          {"io", settings_.max_io_pressure}}) {
      const std::string found = measure_pressure(resource, limit, out);
      if (wrong.empty()) wrong = found;
    }
    Outcome outcome = wrong.empty() ? Outcome::success(percent(left) + " of the memory is available")
                                    : Outcome::failure(Reason::queue_saturated, wrong);
    outcome.measurements = std::move(out);
    return outcome;
  }

  // "" or what is wrong. A kernel without PSI has no file, which matters only to those who set a limit.
  std::string measure_pressure(const std::string& resource, double limit, Measurements& out) const {
    const auto text = base::read_file(settings_.proc + "/pressure/" + resource);
    if (!text)
      return limit > 0 ? "the kernel tells no pressure (boot it with psi=1): " + text.error().text : std::string();
    double some = 0;
    for (const char* kind : {"some", "full"}) {
      const std::size_t at = text->find(kind);
      if (at == std::string::npos) continue;
      const std::string_view line = std::string_view(*text).substr(at, text->find('\n', at) - at);
      const double now = number_after(line, "avg10=").value_or(0);
      out.push_back({"probe_node_pressure_percent", now, {{"resource", resource}, {"kind", kind}}});
      out.push_back({"probe_node_pressure_waiting_seconds",
                     number_after(line, "total=").value_or(0) / 1e6,
                     {{"resource", resource}, {"kind", kind}}});
      if (std::string_view(kind) == "some") some = now;
    }
    if (limit == 0 || some <= limit) return "";
    return "tasks waited for " + resource + " in " + percent(some) + " of the last 10 seconds; max_" + resource +
           "_pressure is " + percent(limit);
  }

  const Context& context_;
  const NodeSettings& settings_;
  loop::Handle looking_;
};

class NodeTarget final : public Settings {
 public:
  explicit NodeTarget(NodeSettings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<NodeProbe>(context, settings_);
  }
  std::string target() const override { return "this node"; }

 private:
  NodeSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner&,
                                      config::Errors& errors) {
  return std::make_unique<NodeTarget>(schema().parse(node, path, errors));
}

}  // namespace

const Type node_type{
    .name = "node",
    .summary = "Checks the memory that is left on this node, and how long its tasks wait for CPU, memory and disks.",
    .example = R"yaml(name: node
type: node
interval: 10s
timeout: 1s
min_memory_percent: 5
max_memory_pressure: 20
max_io_pressure: 60
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_node_memory_size_bytes", "probe_node_memory_available_bytes",
                     "probe_node_memory_available_percent", "probe_node_swap_used_bytes"},
    .other_measurements = {{"probe_node_pressure_percent", "probe_node_pressure_waiting_seconds"}},
};

}  // namespace probe
