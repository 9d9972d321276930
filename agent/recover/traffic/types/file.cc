// A file that is there while the service is live, or while it is not: for any load balancer or script that looks at
// one.
#include "config/schema.h"
#include "recover/traffic/flag_file.h"

namespace recover {
namespace {

enum class Present { drained, live };

struct Settings {
  std::string path;
  Present present = Present::drained;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("file")
          .required("path", &Settings::path, "The file. It is made and removed at once, and its folder must be there.")
          .custom("present", "drained: it is there while the service is drained or down; live: while it is not.",
                  "drained",
                  [](const config::Node& node, Settings& f, const std::string& path, config::Errors& errors) {
                    std::size_t index = 0;
                    std::string why;
                    if (config::read_one_of(node, {"drained", "live"}, index, why))
                      f.present = static_cast<Present>(index);
                    else errors.add(node.mark(), path, why);
                  })
          .check([](const Settings& f, const config::Complain& complain) {
            if (!f.path.starts_with("/")) complain("path", "must be an absolute path");
          });
  return s;
}

class FilePlace final : public TrafficPlace {
 public:
  explicit FilePlace(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<Adapter> start(const TrafficContext& context, const std::string&) const override {
    traffic::Flag flag{settings_.path, {}, {}};
    if (settings_.present == Present::live) flag.in = "live\n";
    else flag.out = "drained\n";
    return std::make_unique<traffic::FlagFile>(std::move(flag), context.scheduler);
  }
  bool follows_health() const override { return true; }
  std::string text() const override { return "file " + settings_.path; }

 private:
  Settings settings_;
};

std::unique_ptr<const TrafficPlace> parse(const config::Node& node, const std::string& path, config::Errors& errors) {
  return schema().make<FilePlace>(node, path, errors);
}

const std::vector<config::KeyReference>& reference() { return schema().reference(); }

}  // namespace

extern const TrafficType file_traffic;
const TrafficType file_traffic{"file", "A file that is there while the service is drained or down, or while it is not.",
                               "{file: {path: /run/fettle/order.drained, present: drained}}", reference, parse};

}  // namespace recover
