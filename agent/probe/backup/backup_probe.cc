#include "probe/backup/backup_probe.h"

#include <fmt/format.h>

#include <utility>

#include "base/ascii.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/request.h"
#include "loop/scheduler.h"
#include "probe/common/program.h"
#include "probe/host/run_blocking.h"
#include "probe/own_fault.h"

namespace probe {
namespace {

using model::Outcome;
using model::Reason;

// Some 2,000 snapshots; more take the loop too long to read.
constexpr std::size_t kAnswerLimit = 512UL * 1024;
constexpr std::size_t kShown = 300;

struct BackupTool {
  std::string probe;  // "SERVICE/PROBE"
  BackupSettings settings;
  BackupQuestions questions;
};

Outcome judge_answers(const BackupTool& tool, const std::vector<std::string>& answers, base::WallTime now) {
  const auto found = tool.questions.read(answers, tool.questions.repository);
  if (!found) return failure_of(found.error(), Reason::protocol_error);
  return judge(tool.questions.repository, *found,
               {tool.settings.max_age, tool.settings.min_count, tool.settings.min_size}, now);
}

// The first line that it printed as an error.
std::string complaint_of(const std::string& err) {
  const std::string line = base::first_line(base::trim(err, " \t\r\n"), kShown);
  return line.empty() ? "" : ": " + line;
}

// What keeps its output from being an answer; else an empty Outcome.
Outcome refusal(const std::string& program, const os::Finished& finished) {
  const std::string words = complaint_of(finished.err);
  if (finished.timed_out)
    return Outcome::failure(Reason::exec_timeout, program + " still ran at the deadline and was killed" + words);
  if (finished.signal != 0)
    return Outcome::failure(Reason::signal, fmt::format("{} ended by signal {}{}", program, finished.signal, words));
  if (finished.exit_code != 0)
    return Outcome::failure(Reason::exit_code,
                            fmt::format("{} ended with exit code {}{}", program, finished.exit_code, words));
  if (finished.out.size() >= kAnswerLimit)
    return Outcome::failure(Reason::too_large,
                            fmt::format("{} printed more than {} KiB", program, kAnswerLimit / 1024));
  return {};
}

class ToolProbe final : public Probe {
 public:
  ToolProbe(const Context& context, std::shared_ptr<const BackupTool> tool)
      : context_(context), tool_(std::move(tool)) {}

  void start(base::Instant deadline, Done done) override {
    done_ = std::move(done);
    deadline_ = deadline;
    ask();
  }

 private:
  void ask() {
    const BackupQuestions& questions = tool_->questions;
    os::Command command;
    command.argv = questions.arguments[answers_.size()];
    command.argv.insert(command.argv.begin(), questions.program);
    command.environment = tool_->settings.environment;
    command.environment.insert(questions.environment.begin(), questions.environment.end());
    command.output_limit = kAnswerLimit;
    running_ = run_program(context_, std::move(command), deadline_,
                           [this](const base::Result<os::Finished>& finished) { on_end(finished); });
  }
  void on_end(const base::Result<os::Finished>& finished) {
    const std::string& program = tool_->questions.program;
    if (!finished) return end(failure_at(program, finished.error(), Reason::agent_overloaded));
    if (Outcome refused = refusal(program, *finished); !refused.text.empty()) return end(std::move(refused));
    answers_.push_back(finished->out);
    if (answers_.size() < tool_->questions.arguments.size()) return ask();
    end(judge_answers(*tool_, answers_, context_.scheduler.wall_now()));
  }
  void end(Outcome outcome) { std::exchange(done_, nullptr)(std::move(outcome)); }

  const Context& context_;
  std::shared_ptr<const BackupTool> tool_;
  std::vector<std::string> answers_;
  base::Instant deadline_{};
  Done done_;
  loop::Handle running_;
};

// Reads elsewhere, because a file system may hang; owns what it needs.
class ReportProbe final : public Probe {
 public:
  ReportProbe(const Context& context, std::shared_ptr<const BackupTool> tool)
      : context_(context), tool_(std::move(tool)) {}

  void start(base::Instant deadline, Done done) override {
    const std::string& file = tool_->settings.report_file;
    reading_ = run_blocking(
        context_, deadline, tool_->probe, file,
        [tool = tool_, now = context_.scheduler.wall_now()] {
          const std::string& path = tool->settings.report_file;
          const auto report = base::read_file(path, kAnswerLimit);
          if (!report) return failure_at(path, report.error(), Reason::body_mismatch);
          return judge_answers(*tool, {*report}, now);
        },
        std::move(done));
  }

 private:
  const Context& context_;
  std::shared_ptr<const BackupTool> tool_;
  loop::Handle reading_;
};

class BackupTarget final : public Settings {
 public:
  explicit BackupTarget(BackupTool tool) : tool_(std::make_shared<const BackupTool>(std::move(tool))) {}
  std::unique_ptr<Probe> make(const Context& context) const override {
    if (tool_->settings.report_file.empty()) return std::make_unique<ToolProbe>(context, tool_);
    return std::make_unique<ReportProbe>(context, tool_);
  }
  std::string target() const override {
    return tool_->settings.report_file.empty() ? tool_->questions.repository : tool_->settings.report_file;
  }

 private:
  std::shared_ptr<const BackupTool> tool_;
};

}  // namespace

const config::Schema<BackupSettings>& backup_schema() {
  static const auto schema =
      config::Schema<BackupSettings>("backup")
          .optional("environment", &BackupSettings::environment,
                    "Variables for the tool, such as the keys of an object store; no others are inherited.")
          .reach(config::Reach::file, config::ValueFormat::text)
          .optional("report_file", &BackupSettings::report_file,
                    "File with the tool's JSON, written by a job of a user who may read the repository. It is read, "
                    "and the tool is not run.")
          .reach(config::Reach::file, config::ValueFormat::path)
          .optional("max_age", &BackupSettings::max_age, "Longest time since the newest backup ended.")
          .optional("min_count", &BackupSettings::min_count, "Backups that there must be at least.")
          .optional("min_size", &BackupSettings::min_size,
                    "Smallest size of the newest backup, as a share of the median of those before it (at least three); "
                    "0: any.")
          .check([](const BackupSettings& backup, const config::Complain& complain) {
            if (const std::string why = config::variables_complaint(backup.environment); !why.empty())
              complain("environment", why);
            if (!backup.report_file.empty() && backup.report_file[0] != '/')
              complain("report_file", "must be an absolute path");
            if (backup.max_age.count() <= 0) complain("max_age", "must be more than 0");
            if (backup.min_count < 1) complain("min_count", "must be at least 1");
            if (!(backup.min_size >= 0 && backup.min_size <= 1)) complain("min_size", "must be from 0 to 1");
          });
  return schema;
}

std::unique_ptr<const Settings> make_backup_probe(const config::Node& node, const std::string& path, const Owner& owner,
                                                  BackupSettings settings, BackupQuestions questions,
                                                  config::Errors& errors) {
  if (settings.report_file.empty()) {
    const config::Node program = node.find("program");
    check_program(questions.program, program.is_null() ? node.mark() : program.mark(), path + ".program", errors);
  }
  questions.repository = base::without_secrets(questions.repository);
  return std::make_unique<BackupTarget>(BackupTool{name_of(owner), std::move(settings), std::move(questions)});
}

}  // namespace probe
