// A program for each message, without a shell: the body of a webhook on its standard input, what it is about in
// variables. Nothing that an alert says gets into an argument or a variable. How it exits says what became of the
// message, in the words of sysexits.h, which programs that deliver mail have used for long.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "config/request.h"
#include "config/schema.h"
#include "loop/scheduler.h"
#include "notify/notifier.h"
#include "notify/retry.h"
#include "notify/webhook_body.h"
#include "os/program_file.h"

namespace notify {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr base::Millis kGrace{1'000};
constexpr std::size_t kOutputLimit = 4096;

struct Settings {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::vector<std::string> pass_environment;
};

const auto& schema() {
  static const auto s =
      config::Schema<Settings>("exec_configs")
          .beside(sending_schema(EndTold::by_default))
          .required("argv", &Settings::argv, "Absolute path of the program, then its arguments; there is no shell.")
          .optional("environment", &Settings::environment, "Further variables for the program.")
          .optional("pass_environment", &Settings::pass_environment,
                    "Names of the agent's own variables that the program may see.")
          .check([](const Settings& settings, const config::Complain& complain) {
            if (settings.argv.empty()) return complain("argv", "must name a program");
            if (const auto good = os::check_program(settings.argv.front()); !good) complain("argv", good.error().text);
            if (const std::string why = config::variables_complaint(settings.environment); !why.empty())
              complain("environment", why);
          });
  return s;
}

class Exec final : public Notifier {
 public:
  explicit Exec(Settings settings) : settings_(std::move(settings)) {}

  std::string type() const override { return "exec"; }
  std::vector<std::string> targets() const override { return {settings_.argv.front()}; }
  bool tells_recoveries() const override { return true; }
  std::string render(const std::vector<model::Alert>& alerts, const std::vector<model::RecoveryReport>& recoveries,
                     const Envelope& envelope) const override {
    return webhook_body(alerts, recoveries, envelope);
  }

  loop::Handle send(const Context& context, std::size_t, const Message& message, base::Instant deadline,
                    std::function<void(Sent)> done) const override {
    // It may have been changed since the configuration was loaded.
    if (const auto good = os::check_program(settings_.argv.front()); !good)
      return context.scheduler.after({}, [done = std::move(done), error = good.error()] {
        done(judge(base::Result<os::Finished>(tl::unexpected<base::Error>(error))));
      });
    os::Command command;
    command.argv = settings_.argv;
    command.environment = environment(message);
    command.input = message.body;
    const auto left = std::chrono::duration_cast<base::Millis>(deadline - context.scheduler.now());
    command.limit = std::max(left, base::Millis{1});
    command.grace = kGrace;
    command.output_limit = kOutputLimit;
    return context.spawner.spawn(std::move(command),
                                 [done = std::move(done)](const base::Result<os::Finished>& r) { done(judge(r)); });
  }

 private:
  std::map<std::string, std::string> environment(const Message& message) const {
    std::map<std::string, std::string> out{{"PATH", kPath}, {"LANG", "C.UTF-8"}};
    for (const std::string& name : settings_.pass_environment)
      if (const char* value = std::getenv(name.c_str())) out[name] = value;
    for (const auto& [name, value] : settings_.environment) out[name] = value;
    out["FETTLE_MESSAGE_ID"] = message.id;
    // Of our own body, and none of it is an alert's.
    const auto body = nlohmann::json::parse(message.body, nullptr, false);
    for (const auto& [variable, key] :
         {std::pair{"FETTLE_RECEIVER", "receiver"}, {"FETTLE_NODE", "node"}, {"FETTLE_STATUS", "status"}})
      if (body.is_object()) out[variable] = body.value(key, "");
    return out;
  }

  Settings settings_;
};

std::unique_ptr<const Notifier> parse(const config::Node& node, const std::string& path,
                                      const std::vector<templates::Definitions>&, config::Errors& errors) {
  return schema().make<Exec>(node, path, errors);
}

}  // namespace

extern const NotifierType exec_type;
const NotifierType exec_type{
    "exec",
    "Runs a program as the agent's user for each message, which is JSON on its standard input: what a webhook is sent. "
    "Exit code 0: taken. 64 to 78 (sysexits.h) but 69, 71, 74 and 75: refused. All else, a signal and the receiver's "
    "timeout: tried again. The program sees FETTLE_RECEIVER, FETTLE_NODE, FETTLE_STATUS (firing, resolved) and "
    "FETTLE_MESSAGE_ID, the same at each attempt. It, and every folder above it, may be written by root and that user "
    "only.",
    "{argv: [/usr/bin/env, cat]}", parse,
    []() -> const std::vector<config::KeyReference>& { return schema().reference(); }};

}  // namespace notify
