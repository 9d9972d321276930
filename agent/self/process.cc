#include "self/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/number.h"
#include "self/names.h"

namespace self {
namespace {

using model::MetricFamily;
using model::MetricType;

MetricFamily single(const Metric& metric, MetricType type, double value) {
  std::string name = metric.name;
  std::string_view suffix;
  if (type == MetricType::counter) {
    suffix = "_total";
    name.resize(name.size() - suffix.size());
  }
  return {std::move(name), metric.help, type, {{suffix, {}, value}}};
}

// Field `number` of /proc/PID/stat as proc(5) counts them, from 1. The name in parentheses may hold anything.
std::optional<double> stat_field(std::string_view stat, int number) {
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < number && at != std::string_view::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string_view::npos) return {};
  return base::leading_number<double>(stat.substr(at + 1));
}

// Seconds since the epoch at which the system started.
std::optional<double> boot_time() {
  const auto stat = base::read_file("/proc/stat");
  if (!stat) return {};
  const std::size_t at = stat->find("\nbtime ");
  if (at == std::string::npos) return {};
  return base::leading_number<double>(std::string_view(*stat).substr(at + 7));
}

std::optional<double> open_descriptors() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (!dir) return {};
  double count = 0;
  while (const dirent* entry = ::readdir(dir))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(dir);
  return count - 1;  // the one that read the folder
}

}  // namespace

std::vector<MetricFamily> process_metrics() {
  std::vector<MetricFamily> out;
  const auto add = [&](const Metric& metric, MetricType type, std::optional<double> value) {
    if (value) out.push_back(single(metric, type, *value));
  };
  if (const auto stat = base::read_file("/proc/self/stat")) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto user = stat_field(*stat, 14), system = stat_field(*stat, 15);
    const auto start = stat_field(*stat, 22), resident = stat_field(*stat, 24);
    const auto boot = boot_time();
    if (user && system) add(kProcessCpu, MetricType::counter, (*user + *system) / ticks);
    if (resident) add(kProcessResident, MetricType::gauge, *resident * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    add(kProcessVirtual, MetricType::gauge, stat_field(*stat, 23));
    add(kProcessThreads, MetricType::gauge, stat_field(*stat, 20));
    if (start && boot) add(kProcessStart, MetricType::gauge, *boot + *start / ticks);
  }
  add(kProcessFds, MetricType::gauge, open_descriptors());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    add(kProcessMaxFds, MetricType::gauge, static_cast<double>(limit.rlim_cur));
  return out;
}

}  // namespace self
