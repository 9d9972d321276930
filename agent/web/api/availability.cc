// How long each service was up and down, by days of UTC.
#include <chrono>

#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

void write_ratio(const model::AvailabilityDay& day, encoding::Json& json) {
  json.key("availability");
  if (const auto ratio = day.ratio()) json.number(*ratio);
  else json.null();
}

void write_day(const model::AvailabilityDay& day, encoding::Json& json) {
  json.object([&] {
    json.key("date").string(base::format_iso8601(base::wall_from_ms(day.day * std::int64_t{86'400'000})).substr(0, 10));
    json.key("upSeconds").number(seconds(day.up));
    json.key("downSeconds").number(seconds(day.down));
    json.key("plannedSeconds").number(seconds(day.planned));
    write_ratio(day, json);
  });
}

}  // namespace

void write_availability(const model::ServiceAvailability& service, encoding::Json& json) {
  model::AvailabilityDay all = service.today;
  json.object([&] {
    json.key("name").string(service.service);
    json.key("days").array([&] {
      for (const model::AvailabilityDay& day : *service.before) {
        all.up += day.up;
        all.down += day.down;
        write_day(day, json);
      }
      write_day(service.today, json);
    });
    write_ratio(all, json);
  });
}

Response api_availability(const Request& request, const Context& context) {
  const auto snapshot = context.slot.load();
  const std::string only = request.param("service");
  return api_success([&](encoding::Json& json) {
    json.object([&] {
      json.key("services").array([&] {
        for (const model::ServiceAvailability& service : snapshot->availability)
          if (only.empty() || service.service == only) write_availability(service, json);
      });
    });
  });
}

}  // namespace web
