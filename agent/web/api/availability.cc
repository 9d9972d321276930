// How long each service was up and down, by days of UTC, and by hours of the last day.
#include <chrono>

#include "web/api/answer.h"
#include "web/routes.h"

namespace web {
namespace {

constexpr std::int64_t kHour = 3'600'000, kDay = 24 * kHour;

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

void write_ratio(const model::AvailabilitySpan& day, encoding::Json& json) {
  json.key("availability");
  if (const auto ratio = day.ratio()) json.number(*ratio);
  else json.null();
}

// `of_one`: milliseconds of a day, or of an hour.
void write_span(const model::AvailabilitySpan& span, std::int64_t of_one, encoding::Json& json) {
  const std::string start = base::format_iso8601(base::wall_from_ms(span.number * of_one));
  json.object([&] {
    if (of_one == kDay) json.key("date").string(start.substr(0, 10));
    else json.key("start").string(start);
    json.key("upSeconds").number(seconds(span.up));
    json.key("downSeconds").number(seconds(span.down));
    json.key("plannedSeconds").number(seconds(span.planned));
    write_ratio(span, json);
  });
}

}  // namespace

void write_availability(const model::ServiceAvailability& service, encoding::Json& json) {
  model::AvailabilitySpan all = service.today;
  json.object([&] {
    json.key("name").string(service.service);
    json.key("days").array([&] {
      for (const model::AvailabilitySpan& day : *service.before) {
        all.up += day.up;
        all.down += day.down;
        write_span(day, kDay, json);
      }
      write_span(service.today, kDay, json);
    });
    write_ratio(all, json);
    json.key("hours").array([&] {
      if (!service.hours_before) return;
      for (const model::AvailabilitySpan& hour : *service.hours_before) write_span(hour, kHour, json);
      write_span(service.this_hour, kHour, json);
    });
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
