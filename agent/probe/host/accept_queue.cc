#include "probe/host/accept_queue.h"

#include <algorithm>
#include <cstdio>

#include "probe/common/values.h"

namespace probe {
namespace {

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", part * 100);
  return text;
}

}  // namespace

const net::ListeningSocket* fullest(const std::vector<net::ListeningSocket>& listening) {
  const auto found = std::max_element(
      listening.begin(), listening.end(),
      [](const net::ListeningSocket& a, const net::ListeningSocket& b) { return a.fill() < b.fill(); });
  return found == listening.end() ? nullptr : &*found;
}

std::string places_text(const net::ListeningSocket& listener) {
  return std::to_string(listener.waiting) + " of " + std::to_string(listener.places()) +
         (listener.udp ? " bytes of its receive buffer are taken" : " places of its queue are taken");
}

std::string saturated_text(const net::ListeningSocket& listener, double max_fill) {
  return written(listener.address, listener.port) +
         (listener.udp ? " does not read fast enough: " : " does not accept fast enough: ") + places_text(listener) +
         ", max_fill is " + percent(max_fill);
}

}  // namespace probe
