// Room on the file system of a path: bytes and inodes that are left, and whether it can be written to at all.
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "probe/common/probe_schema.h"
#include "probe/common/values.h"
#include "probe/host/run_blocking.h"
#include "probe/own_fault.h"
#include "probe/registry.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

struct DiskSettings {
  std::string path = "/";
  double min_available_percent = 5;
  std::int64_t min_available_bytes = 0;
  double min_inodes_percent = 5;
  bool writable = true;
};

const config::Schema<DiskSettings>& schema() {
  static const auto schema =
      probe_schema<DiskSettings>("disk")
          .optional("path", &DiskSettings::path,
                    "A path on the file system. One that hangs, as NFS without its server does, fails as read_timeout.")
          .reach(config::Reach::address, config::ValueFormat::path)
          .optional("min_available_percent", &DiskSettings::min_available_percent,
                    "Part of the bytes that must be left for ordinary users.")
          .optional("min_available_bytes", &DiskSettings::min_available_bytes, "Bytes that must be left.")
          .optional("min_inodes_percent", &DiskSettings::min_inodes_percent,
                    "Part of the inodes that must be left; file systems without a number of them are fine.")
          .optional("writable", &DiskSettings::writable,
                    "Fail if the node has mounted it read-only, as after an error of the disk.")
          .check([](const DiskSettings& disk, const config::Complain& complain) {
            if (disk.path.empty() || disk.path[0] != '/') complain("path", "must be an absolute path");
            if (disk.min_available_percent < 0 || disk.min_available_percent > 100)
              complain("min_available_percent", "must be between 0 and 100");
            if (disk.min_inodes_percent < 0 || disk.min_inodes_percent > 100)
              complain("min_inodes_percent", "must be between 0 and 100");
            if (disk.min_available_bytes < 0) complain("min_available_bytes", "must not be negative");
          });
  return schema;
}

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", part);
  return text;
}

// By the node's own mounts: those of the agent's sandbox have other flags, and other file systems in some places.
struct MountView {
  std::string hidden;  // why the agent sees another file system there
  bool read_only = false;
};

MountView mount_of(const std::string& path, bool read_only_here) {
  const os::Mounts mounts = os::read_mounts();
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  const std::string whole = real ? real.get() : path;
  MountView mount{os::hidden_by_sandbox(whole, mounts.self, mounts.node), read_only_here};
  if (read_only_here && !mounts.self.empty()) mount.read_only = os::read_only_on_node(whole, mounts.self, mounts.node);
  return mount;
}

Outcome look(const DiskSettings& settings) {
  struct statvfs found {};
  if (::statvfs(settings.path.c_str(), &found) != 0) {
    return failure_at(settings.path, base::fail_errno(errno, settings.path).value(), Reason::unreachable);
  }
  const MountView mount = mount_of(settings.path, (found.f_flag & ST_RDONLY) != 0);
  if (!mount.hidden.empty()) return Outcome::failure(Reason::agent_overloaded, settings.path + ": " + mount.hidden);
  const auto size = static_cast<double>(found.f_blocks) * static_cast<double>(found.f_frsize);
  const auto available = static_cast<double>(found.f_bavail) * static_cast<double>(found.f_frsize);
  const auto inodes = static_cast<double>(found.f_files);
  const double left = size > 0 ? 100 * available / size : 100;
  const double inodes_left = inodes > 0 ? 100 * static_cast<double>(found.f_favail) / inodes : 100;
  const bool read_only = mount.read_only;

  Outcome outcome = Outcome::success(settings.path + " has " + percent(left) + " left");
  if (read_only && settings.writable)
    outcome = Outcome::failure(Reason::status_mismatch, settings.path + " is mounted read-only");
  else if (left < settings.min_available_percent)
    outcome = Outcome::failure(Reason::queue_saturated, settings.path + " has " + percent(left) +
                                                            " left; min_available_percent is " +
                                                            percent(settings.min_available_percent));
  else if (available < static_cast<double>(settings.min_available_bytes))
    outcome =
        Outcome::failure(Reason::queue_saturated,
                         settings.path + " has " + std::to_string(static_cast<std::int64_t>(available)) +
                             " bytes left; min_available_bytes is " + std::to_string(settings.min_available_bytes));
  else if (inodes_left < settings.min_inodes_percent)
    outcome = Outcome::failure(Reason::queue_saturated, settings.path + " has " + percent(inodes_left) +
                                                            " of its inodes left; min_inodes_percent is " +
                                                            percent(settings.min_inodes_percent));
  Measurements& out = outcome.measurements;
  out.push_back({"probe_disk_size_bytes", size, {}});
  out.push_back({"probe_disk_available_bytes", available, {}});
  out.push_back({"probe_disk_available_percent", left, {}});
  out.push_back({"probe_disk_inodes_available_percent", inodes_left, {}});
  out.push_back({"probe_disk_read_only", read_only ? 1.0 : 0.0, {}});
  return outcome;
}

class DiskProbe final : public Probe {
 public:
  DiskProbe(const Context& context, const std::string& name, const DiskSettings& settings)
      : context_(context), name_(name), settings_(settings) {}
  void start(base::Instant deadline, Done done) override {
    looking_ = run_blocking(
        context_, deadline, name_, settings_.path, [settings = settings_] { return look(settings); }, std::move(done));
  }

 private:
  const Context& context_;
  const std::string& name_;
  const DiskSettings& settings_;
  loop::Handle looking_;
};

class DiskTarget final : public Settings {
 public:
  DiskTarget(const Owner& owner, DiskSettings settings) : name_(name_of(owner)), settings_(std::move(settings)) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    return std::make_unique<DiskProbe>(context, name_, settings_);
  }
  std::string target() const override { return settings_.path; }

 private:
  std::string name_;
  DiskSettings settings_;
};

std::unique_ptr<const Settings> parse(const config::Node& node, const std::string& path, const Owner& owner,
                                      config::Errors& errors) {
  return std::make_unique<DiskTarget>(owner, schema().parse(node, path, errors));
}

}  // namespace

const Type disk_type{
    .name = "disk",
    .summary = "Checks the room that is left on a file system, in bytes and inodes, and that it can be written to.",
    .example = R"yaml(name: data
type: disk
interval: 30s
timeout: 1s
path: /var/lib/postgresql
min_available_percent: 10
min_available_bytes: 2000000000
)yaml",
    .parse = parse,
    .reference = []() -> const std::vector<config::KeyReference>& { return schema().reference(); },
    .measurements = {"probe_disk_size_bytes", "probe_disk_available_bytes", "probe_disk_available_percent",
                     "probe_disk_inodes_available_percent", "probe_disk_read_only"},
    .keys_of_target = [](std::string_view target) -> std::vector<std::pair<std::string, std::string>> {
      return {{"path", std::string(target)}};
    },
    .other_measurements = std::vector<std::string_view>{},
};

}  // namespace probe
