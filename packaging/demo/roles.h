// What each process of the shop sells, and what can be wrong with it.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "net.h"

namespace shop {

// Set by the control socket, read by every connection's thread.
struct Faults {
  std::atomic<int> slow_ms = 0;     // before each answer
  std::atomic<bool> error = false;  // answer 500
  std::atomic<bool> mute = false;   // take requests, never answer
  std::atomic<bool> fill = false;   // let the accept queue run full
  std::atomic<int> running = 0;     // requests that are being answered
};

struct Settings {
  std::string role;  // gateway, order, payment, inventory or hooks
  std::string name;  // of this process, where a role has several; default: the role
  Address listen;
  std::string run;                       // folder of NAME.pid and NAME.ctl
  std::map<std::string, Address> peers;  // by role; "redis" is inventory's store
  std::string heartbeat;                 // fettle's unix datagram socket; "": none
  std::string file;                      // hooks: where deliveries are written, one JSON object a line
  std::string secret;                    // hooks: the key of the signature; gateway: the customers' password
};

// The business of the role; faults are applied around it. Lives as long as the process.
Handler handler_of(const Settings& settings, Faults& faults);

}  // namespace shop
