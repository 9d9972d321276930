// One standby of this agent, look by look. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "recover/standby/standbys.h"

namespace recover {

class StandbyMemberRun {
 public:
  static constexpr std::chrono::milliseconds kEvery{500};   // between looks at which nothing is to be done
  static constexpr std::chrono::milliseconds kAgain{1000};  // after a move that failed
  // For a lease after the start: no server is closed before, since no promotion waits for that.
  static constexpr std::chrono::seconds kSettle{5};

  // All live longer.
  StandbyMemberRun(const StandbyContext& context, const std::string& node, const StandbyCallbacks& callbacks,
                   Standby spec);

  void pause();
  void use(Standby spec);
  void on_lease();
  base::Result<std::string> approve();
  StandbyStatus status() const;
  bool has_right() const { return seen_.right && seen_.right->mine; }  // by the last look

 private:
  void look();
  void read();
  void act();
  void next(base::Duration pause);
  void done(const std::string& text);
  void failed(const std::string& text);
  void note_refusal();

  const ServerLook& own() const;
  StandbyFacts facts() const;
  StandbyServers::Closing closing() const;
  os::Command program(const std::vector<std::string>& argv, const std::string& member) const;
  void look_again(const std::string& member, std::function<void(const ServerLook&)> then);
  void after(ElectionAnswer answer, const std::string& text);
  void write(StandbyRecord record, const std::string& text);
  void run_fence(const std::string& member, std::function<void(std::string trouble)> then);

  void close();
  void take();
  void take_down(StandbyRecord& record) const;
  void adopt();
  void drop();
  void prove_fence();
  void fence_now();
  void observe();
  void fenced(const std::string& how);
  void not_fenced(const std::string& why);
  void make_primary();
  void open();
  void complete();
  void move_traffic();
  void give_up();
  void released(const std::string& how);
  void follow();
  void run_rejoin();
  void rejoined();

  StandbyContext context_;
  const std::string& node_;
  const StandbyCallbacks& callbacks_;
  Standby spec_;
  std::unique_ptr<StandbyServers> servers_;

  std::map<std::string, ServerLook> looks_;
  std::map<std::string, loop::Handle> looking_;
  std::size_t missing_ = 0;  // looks without an answer
  ElectionView seen_;        // the last that was known, or why it is not
  StandbyMemory memory_;
  StandbyDecision decision_;
  base::Instant approved_until_{};
  base::Instant started_{};
  bool had_lease_ = false;
  bool may_be_open_ = false;   // the own server
  bool fencing_here_ = false;  // the fence program runs for it, and is not begun again
  bool traffic_due_ = false;   // it was opened, and traffic was not moved yet
  std::uint64_t promotions_ = 0;
  std::map<std::string, std::uint64_t> refusals_;
  std::string refused_;              // as it was told last
  base::Instant rejoining_until_{};  // at the latest, or until when it is not started again
  loop::Handle step_, timer_, traffic_, rejoining_, observing_;
};

}  // namespace recover
