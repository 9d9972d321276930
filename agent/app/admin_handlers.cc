#include "app/admin_handlers.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace app {
namespace {

namespace log = base::log;

base::Result<std::string> without_text(const base::Result<>& result) {
  if (!result) return tl::unexpected<base::Error>(result.error());
  return std::string();
}

// What a person changed is logged once it is durable; a refusal is the answer, and in the log of the admin socket.
class AdminHandlers final : public web::AdminBackend {
 public:
  explicit AdminHandlers(AdminContext context) : context_(std::move(context)) {}

  void reload(Done done) override { context_.reload(std::move(done)); }

  void begin_maintenance(const std::string& service, web::Lasting lasting, const std::string& comment,
                         Done done) override {
    if (auto known = knows(service); !known) return done(without_text(known));
    const auto text = [](base::Millis length) { return length.count() > 0 ? base::format_duration(length) : ""; };
    const std::string lasts = text(lasting.length), healthy = text(lasting.until_healthy);
    const recover::MaintenanceEnd end{lasting.length, lasting.until_healthy};
    context_.dispatcher.begin_maintenance(service, end, comment, [=, done = shown(std::move(done))](auto kept) {
      if (kept)
        log::info("maintenance on",
                  {{"service", service}, {"comment", comment}, {"for", lasts}, {"until_healthy", healthy}});
      done(std::move(kept));
    });
    context_.changed();
  }

  void end_maintenance(const std::string& service, Done done) override {
    if (auto known = knows(service); !known) return done(without_text(known));
    context_.dispatcher.end_maintenance(service, [=, done = shown(std::move(done))](const base::Result<>& kept) {
      if (kept) log::info("maintenance off", {{"service", service}});
      done(without_text(kept));
    });
    context_.changed();
  }

  void recover(const std::string& service, web::Rehearsal rehearsal, const std::string& comment, Done done) override {
    log::info("recovery asked for", {{"service", service}, {"comment", comment}});
    context_.dispatcher.recover(service,
                                rehearsal == web::Rehearsal::yes ? recover::Start::rehearsal : recover::Start::now,
                                comment, shown(std::move(done)));
    context_.changed();
  }

  void abort(const std::string& service, const std::string& comment, Done done) override {
    context_.dispatcher.abort(service, comment, shown(std::move(done)));
    context_.changed();
  }

  void ack(const std::string& service, const std::string& comment, Done done) override {
    context_.dispatcher.ack(service, comment,
                            [done = shown(std::move(done))](const base::Result<>& kept) { done(without_text(kept)); });
    context_.changed();
  }

  void begin_rollout(const std::string& group, const web::RolloutRequest& request, Done done) override {
    context_.rollouts.begin(group, {request.action, request.batch, request.deadline, by(request.comment)},
                            shown(std::move(done)));
  }
  void resume_rollout(const std::string& group, const std::string&, Done done) override {
    context_.rollouts.resume(group, shown(std::move(done)));
  }
  void abort_rollout(const std::string& group, const std::string& comment, Done done) override {
    context_.rollouts.abort(group, by(comment), shown(std::move(done)));
  }
  void run_drill(const std::string& name, const std::string& comment, Done done) override {
    log::info("drill asked for", {{"drill", name}, {"comment", comment}});
    auto begun = context_.drills.run(name);
    context_.publish();
    done(std::move(begun));
  }
  void run_fault_drill(const std::string& name, Consent consent, const std::string& comment, Done done) override {
    if (!context_.fault_drills.has(name)) return run_drill(name, comment, std::move(done));
    if (consent == Consent::no)
      return done(base::fail(base::Kind::invalid, fmt::format("the drill {} breaks its service on purpose; say so with "
                                                              "--yes",
                                                              name)));
    log::info("drill asked for", {{"drill", name}, {"comment", comment}});
    context_.fault_drills.run(name, shown(std::move(done)));
  }
  void drill(const std::string& service, const std::string& fault, const std::string& comment, Done done) override {
    const auto known = recover::parse_fault(fault);
    if (!known)
      return done(base::fail(base::Kind::invalid, fmt::format("'{}' is no fault; there are: {}", fault,
                                                              fmt::join(recover::fault_words(), ", "))));
    log::info("drill asked for", {{"service", service}, {"fault", fault}, {"comment", comment}});
    context_.fault_drills.run(service, *known, shown(std::move(done)));
  }

  void approve_standby(const std::string& service, const std::string& comment, Done done) override {
    base::Result<std::string> answer = context_.standbys.approve(service);
    if (answer) log::info("standby approved", {{"service", service}, {"comment", comment}});
    done(std::move(answer));
  }

  void add_silence(const model::SilenceRequest& request, Done done) override {
    context_.silences.add(request, [this, done = std::move(done), request](base::Result<std::string> id) {
      if (id)
        log::info("silence added", {{"id", *id},
                                    {"matchers", model::to_string(request.matchers)},
                                    {"author", request.author},
                                    {"comment", request.comment}});
      context_.publish();
      done(std::move(id));
    });
  }

  void expire_silence(const std::string& id, Done done) override {
    context_.silences.expire(id, [this, done = std::move(done), id](const base::Result<>& expired) {
      if (expired) log::info("silence expired", {{"id", id}});
      context_.publish();
      done(without_text(expired));
    });
  }

 private:
  static std::string by(const std::string& comment) { return comment.empty() ? "operator" : "operator: " + comment; }
  // The pages show it before it is answered: who changes something and then looks finds it.
  Done shown(Done done) const {
    return [this, done = std::move(done)](base::Result<std::string> answer) {
      context_.publish();
      done(std::move(answer));
    };
  }

  base::Result<> knows(const std::string& service) const {
    if (context_.health_table.knows(service)) return {};
    return base::fail(base::Kind::not_found,
                      fmt::format("there is no service '{}' in {}", service, context_.config_file));
  }

  const AdminContext context_;
};

}  // namespace

std::unique_ptr<web::AdminBackend> make_admin_handlers(AdminContext context) {
  return std::make_unique<AdminHandlers>(std::move(context));
}

}  // namespace app
