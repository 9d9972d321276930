#include "notify/robot.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "loop/scheduler.h"
#include "notify/fields.h"

namespace notify {
namespace {

// Of all of them; what is said at length stands in the text.
constexpr std::size_t kTitleLimit = 200;

class RobotNotifier final : public Notifier {
 public:
  RobotNotifier(RobotSettings settings, HttpPost post, const TextReader& texts, const Robot& robot)
      : robot_(robot),
        settings_(std::move(settings)),
        post_(std::move(post)),
        title_(texts.read("title", settings_.title)),
        text_(texts.read("text", settings_.text)) {}

  std::string type() const override { return robot_.type; }
  std::vector<std::string> targets() const override { return {target_of(settings_.url, robot_.type)}; }

  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>&,
                     const Envelope& envelope) const override {
    const templates::Value data = message_data(alerts, envelope);
    return dump_json(robot_.body(shortened(title_.expand(data), kTitleLimit),
                                 base::shortened(text_.expand(data), robot_.text_limit)));
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    const auto url = settings_.url.read();
    if (!url) return cannot_send(context, url.error(), std::move(done));
    http::HttpRequest request;
    request.url = *url;
    request.body = message.body;
    request.deadline = deadline;
    if (!settings_.secret.empty()) {
      const auto secret = settings_.secret.read();
      if (!secret) return cannot_send(context, secret.error(), std::move(done));
      robot_.sign(request, *secret, context.scheduler.wall_now());
    }
    return post_.send(context, std::move(request), std::move(done), robot_.judge_answer);
  }

 private:
  const Robot& robot_;
  RobotSettings settings_;
  HttpPost post_;
  MessageText title_, text_;
};

}  // namespace

config::Schema<RobotSettings> robot_schema(const Robot& robot, const char* example) {
  config::Schema<RobotSettings> all(std::string(robot.type) + "_configs");
  all.beside(sending_schema(EndTold::by_default));
  add_secret(all, "url", "url_file", &RobotSettings::url, "The robot's URL, with its token.");
  if (robot.sign != nullptr)
    add_secret(all, "secret", "secret_file", &RobotSettings::secret,
               "What messages are signed with, if the robot asks for it.", Needed::no);
  all.optional("title", &RobotSettings::title, "The first line. This and the text are Go templates.")
      .optional("text", &RobotSettings::text, "The message.")
      .optional("http_config", &RobotSettings::http_config, http::http_config_schema(), "How it is asked.");
  check_url(all, "url", &RobotSettings::url, example);
  all.shows({"title", "text"});
  return all;
}

std::unique_ptr<const Notifier> make_robot(const Robot& robot, const config::Schema<RobotSettings>& schema,
                                           const config::Node& node, const std::string& path,
                                           const std::vector<templates::Definitions>& definitions,
                                           config::Errors& errors) {
  return make_service<RobotNotifier>(schema, node, path, definitions, errors, robot);
}

}  // namespace notify
