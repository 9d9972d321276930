#include "recover/drill/drill_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/ascii.h"
#include "base/text.h"
#include "loop/scheduler.h"
#include "os/own_view.h"

namespace recover {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAnswerLimit = 512UL * 1024;
constexpr std::size_t kShown = 300, kLongest = 1000;
constexpr auto kMeasureEvery = 2s;
// Killed programs may write a last file into a folder that is being removed.
constexpr auto kCleanAgain = 200ms;
constexpr int kCleanTries = 25;

bool says_full(const std::string& text) {
  const std::string lower = base::lower_case(text);
  return lower.find("no space left on device") != std::string::npos ||
         lower.find("disk quota exceeded") != std::string::npos || lower.find("file too large") != std::string::npos;
}

// "restic"
std::string name_of(const RestoreTool& tool) {
  const std::string text = tool.text();
  return text.substr(0, text.find(' '));
}

// What the agent lacks at this moment says nothing about a backup. Tools that it starts fail by the same.
std::string own_want() {
  std::string out = os::own_want();
  return out.empty() ? os::task_want() : out;
}

// The newest that counts; null if there is none.
const encoding::Backup* newest_of(const encoding::BackupSet& found) {
  const encoding::Backup* newest = nullptr;
  for (const encoding::Backup& each : found.backups)
    if (each.error.empty() && (newest == nullptr || newest->ended < each.ended)) newest = &each;
  return newest;
}

}  // namespace

DrillRun::DrillRun(DrillContext context, Drill drill, std::function<void(DrillReport)> done)
    : context_(context), drill_(std::move(drill)), done_(std::move(done)) {
  report_.started = context_.scheduler.wall_now();
  deadline_ = context_.scheduler.now() + drill_->timeout;
  limit_ = context_.scheduler.at(deadline_, [this] { end(DrillResult::timeout, ""); });
  prepare();
}

DrillRun::~DrillRun() = default;

template <typename T>
void DrillRun::elsewhere(std::function<base::Result<T>()> work, std::function<void(base::Result<T>)> done) {
  const auto found = std::make_shared<base::Result<T>>(base::fail(base::Kind::cancelled, "not done"));
  work_ = context_.blocking_pool.run(
      {"drill " + drill_->name, drill_->scratch.folder}, [found, work = std::move(work)] { *found = work(); },
      [found, done = std::move(done)](const base::Result<>& ran) {
        if (ran) done(std::move(*found));
        else done(tl::unexpected<base::Error>(ran.error()));
      });
}

void DrillRun::program(std::vector<std::string> argv, std::string directory,
                       std::function<void(const Finished&)> done) {
  os::Command command =
      drill_command(context_, drill_->scratch, deadline_, drill_->tool->environment(drill_->scratch), std::move(argv));
  command.directory = std::move(directory);
  command.output_limit = kAnswerLimit;
  work_ = context_.spawner.spawn(std::move(command), [this, done = std::move(done)](const Finished& finished) {
    if (!finished && finished.error().kind == base::Kind::limit)
      return end(DrillResult::interrupted, finished.error().text);
    done(finished);
  });
}

void DrillRun::prepare() {
  doing_ = "preparing " + drill_->scratch.folder;
  elsewhere<bool>(
      [scratch = drill_->scratch]() -> base::Result<bool> {
        TRY_VOID(recover::prepare(scratch));
        return true;
      },
      [this](const base::Result<bool>& ready) {
        if (ready) return ask();
        end(ready.error().kind == base::Kind::limit ? DrillResult::scratch_full : DrillResult::scratch,
            ready.error().text);
      });
}

void DrillRun::ask() {
  doing_ = "asking for the newest backup";
  std::vector<std::string> words = drill_->tool->list(drill_->scratch);
  if (words.empty()) return restore("");
  program(std::move(words), drill_->scratch.run(), [this](const Finished& f) {
    if (const std::string why = failure_of(name_of(*drill_->tool), f); !why.empty())
      return end(DrillResult::unreadable, why);
    choose(f->out);
  });
}

void DrillRun::choose(const std::string& answer) {
  const auto found = drill_->tool->read(answer);
  if (!found) return end(DrillResult::unreadable, found.error().text);
  if (!found->trouble.empty()) return end(DrillResult::unreadable, found->trouble);
  const encoding::Backup* newest = newest_of(*found);
  if (newest == nullptr)
    return end(DrillResult::no_backup,
               fmt::format("there is no backup in {}{}", drill_->tool->text(),
                           found->backups.empty() ? "" : " that has no error: " + found->backups.front().error));
  backup_ended_ = newest->ended;
  restore(newest->id);
}

void DrillRun::restore(std::string id) {
  report_.backup = base::foreign_text(id, kShown);
  doing_ = "restoring " + (id.empty() ? std::string("the newest backup") : report_.backup);
  restore_began_ = context_.scheduler.now();
  watch_size();
  program(drill_->tool->restore(id, drill_->scratch), drill_->scratch.data(),
          [this](const Finished& finished) { on_restored(finished); });
}

void DrillRun::watch_size() {
  size_timer_ = context_.scheduler.after(kMeasureEvery, [this] {
    const auto use = std::make_shared<base::Result<ScratchUse>>(ScratchUse{});
    // Of a key of its own: it goes on beside other work.
    size_look_ = context_.blocking_pool.run(
        {"drill " + drill_->name, "size of " + drill_->scratch.folder},
        [use, scratch = drill_->scratch] { *use = measure(scratch); },
        [this, use](const base::Result<>& ran) {
          if (ran && *use)
            if (const std::string why = too_large(drill_->scratch, **use); !why.empty())
              return stop(DrillResult::scratch_full, why);
          watch_size();
        });
  });
}

void DrillRun::on_restored(const Finished& finished) {
  const std::string why = failure_of(name_of(*drill_->tool), finished);
  if (why.empty()) return look();
  const bool full = (finished && (says_full(finished->err) || finished->signal == SIGXFSZ)) || says_full(why);
  end(full ? DrillResult::scratch_full : DrillResult::restore_failed, why);
}

void DrillRun::look() {
  doing_ = "looking at what came back";
  elsewhere<Restored>([scratch = drill_->scratch] { return look_at(scratch); },
                      [this](const base::Result<Restored>& found) {
                        if (!found) return end(DrillResult::scratch, found.error().text);
                        report_.files = found->files;
                        report_.bytes = found->bytes;
                        if (found->files == 0)
                          return end(DrillResult::empty, fmt::format("{} restored no file", drill_->tool->text()));
                        if (report_.bytes > drill_->scratch.max_bytes)
                          return end(DrillResult::scratch_full, too_large(drill_->scratch, {report_.bytes, false}));
                        if (!backup_ended_) backup_ended_ = found->newest;
                        report_.restore = std::chrono::floor<base::Millis>(context_.scheduler.now() - restore_began_);
                        if (drill_->manifest.empty()) return start_postgres();
                        elsewhere<bool>(
                            [scratch = drill_->scratch, manifest = drill_->manifest]() -> base::Result<bool> {
                              TRY_VOID(check_manifest(scratch, manifest));
                              return true;
                            },
                            [this](const base::Result<bool>& good) {
                              if (good) return check_files();
                              end(DrillResult::not_verified, good.error().text);
                            });
                      });
}

void DrillRun::check_files() {
  doing_ = "comparing checksums with " + drill_->manifest;
  const std::filesystem::path manifest = drill_->scratch.data() + "/" + drill_->manifest;
  program({"/usr/bin/sha256sum", "--check", "--strict", "--quiet", manifest.filename()}, manifest.parent_path(),
          [this](const Finished& finished) {
            const std::string why = failure_of("sha256sum", finished);
            if (why.empty()) return start_postgres();
            // On its standard output it names the files.
            const std::string which =
                finished ? base::foreign_text(base::first_line(finished->out, kShown), kShown) : "";
            end(DrillResult::not_verified, which.empty() ? why : "a file is not what the manifest says: " + which);
          });
}

void DrillRun::start_postgres() {
  if (!drill_->postgres) return conclude();
  doing_ = "starting a throw-away PostgreSQL";
  postgres_ = std::make_unique<ThrowawayPostgres>(
      context_, drill_->scratch, *drill_->postgres, drill_->tool->environment(drill_->scratch), deadline_,
      [this](std::string what) { doing_ = std::move(what); },
      [this](base::Result<PostgresRows> rows) { on_rows(std::move(rows)); });
}

void DrillRun::on_rows(base::Result<PostgresRows> rows) {
  if (!rows)
    return end(says_full(rows.error().text) ? DrillResult::scratch_full : DrillResult::not_verified, rows.error().text);
  report_.restore = std::chrono::floor<base::Millis>(rows->usable_at - restore_began_);
  if (rows->newest) newest_ = rows->newest;
  if (!rows->complaint.empty()) return end(DrillResult::not_verified, rows->complaint);
  conclude();
}

void DrillRun::conclude() {
  const base::WallTime newest = newest_ ? *newest_ : *backup_ended_;
  report_.data_age = std::max(report_.started - newest, base::Millis{0});
  const auto whole = [](base::Millis length) {
    return base::format_duration(length < 10s ? length : std::chrono::floor<std::chrono::seconds>(length));
  };
  end(DrillResult::verified,
      fmt::format("{} files with {} bytes came back in {}; the newest data was {} old", report_.files, report_.bytes,
                  whole(report_.restore), whole(*report_.data_age)));
}

void DrillRun::stop(DrillResult result, std::string why) { end(result, std::move(why)); }

void DrillRun::end(DrillResult result, std::string text) {
  if (std::exchange(ending_, true)) return;
  if (result != DrillResult::verified && result != DrillResult::interrupted) {
    if (std::string want = own_want(); !want.empty()) {
      result = DrillResult::interrupted;
      text = std::move(want) + "; " + text;
    } else if (context_.scheduler.now() + base::Millis{1} >= deadline_) {
      // Whichever sees it first: programs have this limit, too, in whole milliseconds.
      result = DrillResult::timeout;
      text = fmt::format("it took longer than {}, while {}", base::format_duration(drill_->timeout), doing_);
    }
  }
  report_.result = result;
  // Most of it is what others said.
  report_.text = drill_->secrets.blotted(base::foreign_text(text, kLongest));
  doing_ = "removing what was restored";
  for (loop::Handle* each : {&limit_, &size_timer_, &size_look_}) each->reset();
  // In a later turn: this may run inside the callback of what is dropped here.
  work_ = context_.scheduler.after({}, [this] { stop_postgres(); });
}

void DrillRun::stop_postgres() {
  if (!postgres_) return clean(kCleanTries);
  postgres_->stop([this] {
    work_ = context_.scheduler.after({}, [this] {
      postgres_.reset();
      clean(kCleanTries);
    });
  });
}

void DrillRun::clean(int tries) {
  elsewhere<bool>([scratch = drill_->scratch] { return recover::remove(scratch); },
                  [this, tries](const base::Result<bool>& gone) {
                    if (!gone && tries > 1) {
                      work_ = context_.scheduler.after(kCleanAgain, [this, tries] { clean(tries - 1); });
                      return;
                    }
                    if (!gone) {
                      if (report_.result == DrillResult::verified) report_.result = DrillResult::scratch;
                      report_.text += "; what was restored is still there: " + gone.error().text;
                    }
                    report_.ended = context_.scheduler.wall_now();
                    const auto done = std::exchange(done_, nullptr);
                    done(std::move(report_));
                  });
}

}  // namespace recover
