// Which targets /probe may be asked for: those of the configured probes, those of blackbox.targets, and, for modules
// that send nothing of their own, those that lists of targets name. Scheme, host
// and port are compared one by one with what is connected to, not text with text; a redirect is asked about like the
// target, and so is each address of a name. Loop thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/destination.h"
#include "base/result.h"
#include "config/node.h"
#include "net/boundary.h"

namespace app {

// One of blackbox.targets: [SCHEME://]HOST[:PORT][/PATH], or the path of a socket.
//
// *, ? and [] stand for letters within their own part: the scheme, one label of a host ("10.0.0.*"; "*." at the
// beginning for one label or more), the port, the path. A * behind all of a host ("https://*.shop.example*") or at the
// end of the port stands for any port that is not written, and any path. Without a scheme all are meant, without a port
// the scheme's own, without a path none but "/". "*" alone is every target, sockets and this node's own addresses
// included.
struct TargetPattern {
  std::string text;
  bool everything = false;
  std::string socket;               // in place of all that follows
  std::string scheme;               // "": any
  std::vector<std::string> labels;  // of a name or an IPv4 address; empty with any_host or v6
  bool any_host = false;
  std::string v6;    // an IPv6 address, or a pattern of one
  std::string port;  // "": the scheme's own
  std::string path;  // "": none
  bool any_port = false, any_path = false;

  bool fits_host(const Host& host) const;
  bool fits_port(const std::string& asked_scheme, std::uint16_t asked) const;
  bool fits(const Destination& asked) const;
};
// invalid: it can fit no target.
base::Result<TargetPattern> read_pattern(const std::string& text);

class AllowedTargets {
 public:
  AllowedTargets();
  // Patterns that are none were told when the configuration was loaded; they fit nothing.
  void replace_patterns(const std::vector<std::string>& patterns);
  // Targets of probes, as probe::Settings::target() says them: of those in the configuration, and of those that a list
  // of targets made.
  void replace_own(const std::set<std::string>& configured, const std::set<std::string>& listed = {});

  // What the run of a target keeps to; null if everything is allowed. `hostname` is to be sent as the name of the host,
  // "" the target's own. `power` is what the module has that only the configuration may send somewhere
  // (BlackboxModules::own_power): then what a list names counts for nothing. permission: why it is not allowed, and
  // what to do.
  base::Result<std::shared_ptr<const net::Boundary>> boundary(const std::string& target, const std::string& hostname,
                                                              const std::string& power = "") const;

 private:
  struct Lists;
  class Run;
  // Runs that are going on keep theirs.
  std::shared_ptr<const Lists> lists_;
  std::shared_ptr<const Lists> configured_;  // the same without what lists of targets name
};

}  // namespace app
