// keepalived's track_file: a number in a file that keepalived watches and takes into the priority of a virtual router,
// or for a failure. No script is forked, and the file says the same after either of the two was restarted.
#include <fmt/format.h>

#include "config/schema.h"
#include "recover/traffic/flag_file.h"

namespace recover {
namespace {

constexpr int kMost = 254;  // what a priority can change by

struct Settings {
  std::string track_file;
  int live = 0;
  int out = kMost;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("keepalived")
          .required("track_file", &Settings::track_file,
                    "The file that keepalived's track_file names. Its folder must be there and belong to fettle.")
          .optional("live", &Settings::live, "The number while the service takes requests.")
          .optional("out", &Settings::out,
                    "The number while it is drained or down. With weight 0 in keepalived anything but 0 is a failure; "
                    "else it is multiplied by the weight and added to the priority.")
          .check([](const Settings& k, const config::Complain& complain) {
            if (!k.track_file.starts_with("/")) complain("track_file", "must be an absolute path");
            for (const auto& [key, value] : {std::pair{"live", k.live}, std::pair{"out", k.out}})
              if (value < -kMost || value > kMost) complain(key, "must be from -254 to 254");
            if (k.live == k.out) complain("out", "must not be the number of live");
          });
  return s;
}

class KeepalivedPlace final : public TrafficPlace {
 public:
  explicit KeepalivedPlace(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string&) const override {
    return std::make_unique<traffic::FlagFile>(
        traffic::Flag{settings_.track_file, fmt::format("{}\n", settings_.live), fmt::format("{}\n", settings_.out)},
        context.scheduler);
  }
  bool follows_health() const override { return true; }
  std::string text() const override { return "keepalived " + settings_.track_file; }

 private:
  Settings settings_;
};

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  return schema().make<KeepalivedPlace>(node, path, errors);
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType keepalived_traffic;
const TrafficType keepalived_traffic{"keepalived",
                                     "The track_file of a virtual router of keepalived: health and drain as a number.",
                                     "{keepalived: {track_file: /var/lib/fettle/vip.order}}", reference, parse};

}  // namespace recover
