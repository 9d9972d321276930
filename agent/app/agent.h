// The running agent: owns everything in dependency order and carries events from one module to the next. WIRING ONLY:
// what is decided here is decided nowhere else, and it is little. Loop thread, but for what the server asks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/availability.h"
#include "app/backend.h"
#include "app/blind_probes.h"
#include "app/change_watch.h"
#include "app/config_reader.h"
#include "app/discoveries.h"
#include "app/fleet_link.h"
#include "app/flight_recorder.h"
#include "app/loaded_config.h"
#include "app/options.h"
#include "app/probe_endpoint.h"
#include "app/queryable.h"
#include "app/rollouts.h"
#include "app/samples.h"
#include "app/service_health_table.h"
#include "app/service_view.h"
#include "app/snapshot_builder.h"
#include "app/standby_election.h"
#include "app/store_watch.h"
#include "app/turns.h"
#include "base/result.h"
#include "base/version.h"
#include "http/http_client.h"
#include "incident/evidence_store.h"
#include "incident/incidents.h"
#include "loop/blocking_pool.h"
#include "loop/event_loop.h"
#include "net/agent_check_server.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "notify/notifications.h"
#include "os/folder_watch.h"
#include "os/pid_watch.h"
#include "os/subprocess.h"
#include "os/systemd/logind.h"
#include "os/systemd/systemd.h"
#include "probe/heartbeats.h"
#include "probe/schedule.h"
#include "recover/dispatcher.h"
#include "recover/drill/drills.h"
#include "recover/drill/fault_drills.h"
#include "recover/standby/standbys.h"
#include "recover/traffic/traffic_controller.h"
#include "rules/manager.h"
#include "self/self.h"
#include "state/audit_trail.h"
#include "state/state.h"
#include "store/store.h"
#include "web/admin_backend.h"
#include "web/server/server.h"
#include "web/slot.h"

namespace app {

class Agent final {
 public:
  // Everything that can fail at start fails here, with a text that says what to do.
  static base::Result<std::unique_ptr<Agent>> start(AgentOptions options, LoadedConfig loaded);
  ~Agent();

  int port() const { return server_->port(); }
  void run();   // until SIGTERM or SIGINT
  void stop();  // from any thread

 private:
  Agent(AgentOptions options, config::AgentConfig config);
  base::Result<> open_state();
  base::Result<> open_sockets();
  void open_heartbeats();
  base::Result<> open_server();
  base::Result<> bind_heartbeats(const std::string& path);
  void start_timers();
  void make_rules();
  void make_notifications();
  void make_recovery();
  void make_drills();
  void make_fault_drills();
  void make_standbys();
  void make_incidents();
  void make_schedule();

  // The walk of one probe result, in order.
  void on_run(const probe::Run& run, const probe::Status& status);
  void on_probe_change(const model::HealthChange& change, const probe::Run& run);
  void on_transitions(const std::vector<model::AlertTransition>& transitions);
  void on_report(const model::RecoveryReport& report);
  void on_evidence(model::Evidence evidence);
  void follow_evidence();
  void look_for_changes(const std::string& service);
  void note_changes(const std::string& service);
  void audit_report(const model::RecoveryReport& report);
  void on_rollout(const std::string& group, const cluster::RolloutNews& news);
  void on_drill(const recover::DrillSpec& drill, const recover::DrillReport& report);
  std::string drill_held(const std::string& service) const;
  std::string drill_ended(const std::string& service) const;
  void on_fault_drill(const std::string& service, recover::Fault fault, const recover::FaultReport& report);
  std::vector<model::AlertTransition> marked(std::vector<model::AlertTransition> transitions) const;
  std::string marked(const std::string& service, const std::string& text) const;
  void on_standby(const std::string& service, const std::string& text);
  void audit_change(const web::Asked& asked, const base::Result<std::string>& answer);

  void reload(web::AdminBackend::Done done);
  void read_config();
  // A sentence about what of it has to wait for a restart, or "".
  base::Result<std::string> take_config(LoadedConfig loaded, const config::Errors& errors);
  base::Result<std::string> refuse(const base::Error& error);
  void apply(LoadedConfig loaded);
  std::vector<std::string> waiting_for_restart(const config::AgentConfig& next) const;
  void rediscover();
  void forget_missing(const LoadedConfig& next);
  void forget_unprobed(const probe::Statuses& statuses);
  void look_at_loop();
  void look_at_state();
  void scrape_self(base::Millis every);  // how often it is called
  void changed();
  void publish();
  void publish_metrics();
  SnapshotFacts facts() const;
  std::string external_url() const;

  AgentOptions options_;
  config::AgentConfig config_;
  const config::AgentConfig first_config_;  // some of it is read at the start only

  loop::EventLoop loop_;
  net::AresResolver resolver_{loop_};
  net::StreamDialer dialer_{loop_, resolver_};
  http::CurlHttpClient http_{loop_, resolver_};
  os::Subprocesses spawner_{loop_};
  net::SocketAgentCheckServer agent_checks_{loop_};
  os::PidWatch pids_{loop_};
  os::SdBusSystemd systemd_{loop_};
  os::SdBusLogind logind_{loop_};
  os::FolderWatch folders_{loop_};
  probe::Heartbeats heartbeats_{loop_};
  loop::ThreadedBlockingPool blocking_pool_{loop_};
  ConfigReader config_reader_{loop_};
  std::vector<web::AdminBackend::Done> reloads_;  // that wait for the next reading
  probe::Context probe_context_{loop_, http_,    dialer_,     resolver_,     spawner_,
                                pids_, systemd_, heartbeats_, blocking_pool_};

  self::Self self_{base::version(), base::revision()};
  store::Store store_;
  StoreQueryable queryable_{store_};
  Samples samples_;
  Turns turns_{loop_};  // of what samples_ and store_ do for all series
  StoreWatch store_watch_{store_};
  std::unique_ptr<state::State> state_;
  std::unique_ptr<state::AuditTrail> audit_;
  std::unique_ptr<notify::Silences> silences_;
  std::unique_ptr<rules::Manager> rules_;
  std::unique_ptr<notify::Notifications> notifications_;
  bool settled_ = false;  // notifications_ knows what the rules know
  std::unique_ptr<recover::TrafficController> traffic_controller_;
  ServiceHealthTable health_table_;
  std::unique_ptr<probe::Schedule> schedule_;
  ServiceView service_view_{health_table_, loop_, schedule_, changes_};
  FleetLink fleet_{loop_, http_, [this] {
                     rollouts_->look_soon();
                     standbys_->on_lease();
                     changed();
                   }};
  std::unique_ptr<FlightRecorder> recorder_;
  std::unique_ptr<recover::Dispatcher> dispatcher_;
  std::unique_ptr<Rollouts> rollouts_;
  std::unique_ptr<recover::Drills> drills_;
  std::unique_ptr<recover::FaultDrills> fault_drills_;
  loop::Handle drill_delivery_;
  std::vector<std::string> told_of_drill_;  // ids of integrations
  StandbyElection election_{loop_, fleet_};
  std::unique_ptr<recover::Standbys> standbys_;
  std::unique_ptr<incident::Incidents> incidents_;
  std::unique_ptr<incident::EvidenceStore> evidence_;
  std::unique_ptr<ChangeWatch> changes_;
  std::unique_ptr<Availability> availability_;
  ProbeEndpoint probe_endpoint_{probe_context_};
  Discoveries discoveries_{{loop_, folders_, http_, resolver_}, [this] { rediscover(); }};

  // Little state of its own: what pages say about the configuration, and until when the last snapshot is good.
  base::WallTime started_;
  std::set<uid_t> strange_senders_;  // of heartbeats; told once each
  web::ConfigPage config_page_;
  std::map<std::string, std::string> audited_;  // of recoveries under way, by service: what the trail has last
  std::string state_trouble_;                   // as it was logged last
  std::size_t damaged_state_files_ = 0;         // as pages show it
  bool ready_ = false;
  bool dirty_ = true;
  std::uint64_t published_ = 0;
  base::Instant good_until_{};
  BlindProbes blind_probes_;

  MetricBlocks blocks_;
  web::SnapshotSlot slot_;
  web::Slot<model::MetricPage> metrics_slot_;
  std::unique_ptr<web::AdminBackend> admin_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<web::Server> server_;
  std::vector<loop::Handle> handles_;  // signals
  loop::Handle heartbeat_socket_, heartbeat_retry_;
  loop::Handle publish_timer_, scrape_timer_, second_timer_, expire_timer_, watchdog_timer_;
};

}  // namespace app
