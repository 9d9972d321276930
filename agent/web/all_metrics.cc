#include "web/all_metrics.h"

#include "self/names.h"

namespace web {

Metrics all_metrics(const Context& context) {
  Metrics all = context.backend.metrics();
  std::vector<model::MetricFamily>& families = all.own.families;
  if (context.event_streams)
    families.push_back({self::kEventStreams.name,
                        self::kEventStreams.help,
                        model::MetricType::gauge,
                        {{"", {}, static_cast<double>(context.event_streams())}}});
  if (context.connections)
    families.push_back({self::kHttpConnections.name,
                        self::kHttpConnections.help,
                        model::MetricType::gauge,
                        {{"", {}, static_cast<double>(context.connections())}}});
  if (context.refusals) {
    model::MetricFamily refused{self::kHttpRefused.name, self::kHttpRefused.help, model::MetricType::counter, {}};
    for (std::size_t i = 0; i < Refusals::kNames.size(); ++i)
      refused.points.push_back({"_total", model::Labels{{"reason", Refusals::kNames.at(i)}},
                                static_cast<double>(context.refusals->so_far(static_cast<Refusals::Reason>(i)))});
    families.push_back(std::move(refused));
  }
  const QueryGate& gate = context.gate;
  families.push_back({self::kQueries.name,
                      self::kQueries.help,
                      model::MetricType::gauge,
                      {{"", {}, static_cast<double>(gate.queries())}}});
  families.push_back({self::kQueriesMost.name,
                      self::kQueriesMost.help,
                      model::MetricType::gauge,
                      {{"", {}, static_cast<double>(gate.most())}}});
  families.push_back({self::kAnswerMemory.name,
                      self::kAnswerMemory.help,
                      model::MetricType::gauge,
                      {{"", {}, static_cast<double>(context.memory.used())}}});
  families.push_back({self::kAnswerMemoryMost.name,
                      self::kAnswerMemoryMost.help,
                      model::MetricType::gauge,
                      {{"", {}, static_cast<double>(context.memory.most())}}});
  model::MetricFamily ended{self::kQueriesEnded.name, self::kQueriesEnded.help, model::MetricType::counter, {}};
  for (std::size_t i = 0; i < QueryGate::kEnds.size(); ++i)
    ended.points.push_back({"_total", model::Labels{{"result", QueryGate::kEnds[i]}},
                            static_cast<double>(gate.ended_so_far(static_cast<QueryGate::End>(i)))});
  families.push_back(std::move(ended));
  return all;
}

}  // namespace web
