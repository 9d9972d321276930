#include "notify/message_text.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/rune.h"
#include "config/schema.h"
#include "model/incident.h"
#include "notify/fields.h"
#include "notify/incident/news.h"
#include "notify/notifier.h"
#include "templates/object.h"

namespace notify {
namespace {

using templates::Value;

Value alert_value(const model::Alert& alert, const Envelope& envelope) {
  const bool firing = alert.state == model::AlertState::firing;
  const model::Labels labels = outward_labels(alert, envelope.external_labels);
  const base::WallTime never = *base::parse_iso8601("0001-01-01T00:00:00Z");
  return templates::make_struct(
      "template.Alert", {{"Status", std::string(firing ? "firing" : "resolved")},
                         {"Labels", templates::make_kv(labels)},
                         {"Annotations", templates::make_kv(alert.annotations)},
                         {"StartsAt", templates::Moment{starts_at(alert)}},
                         {"EndsAt", templates::Moment{firing ? never : alert.resolved_at.value_or(envelope.at)}},
                         {"GeneratorURL", alert.generator_url},
                         {"Fingerprint", fmt::format("{:016x}", labels.hash())}});
}

Value alert_list(const std::vector<Value>& firing, const std::vector<Value>& resolved, std::vector<Value> all) {
  return templates::make_list("template.Alerts", std::move(all),
                              {{"Firing", templates::make_list("[]template.Alert", firing)},
                               {"Resolved", templates::make_list("[]template.Alert", resolved)}});
}

Value incident_value(const Envelope& envelope) {
  if (envelope.incident == nullptr) return templates::Nil{};
  const model::Incident& incident = *envelope.incident;
  const std::string text = incident_text(incident);
  return templates::make_struct("fettle.Incident", {{"ID", incident.id},
                                                    {"News", std::string(envelope.news)},
                                                    {"Service", incident.service},
                                                    {"Title", model::headline(incident)},
                                                    {"Changed", incident.changed},
                                                    {"Tried", model::tried(incident)},
                                                    {"Standing", model::standing(incident)},
                                                    {"Text", text},
                                                    {"Details", text.substr(text.find('\n') + 1)},
                                                    {"Reason", incident.cause.reason},
                                                    {"Address", incident.cause.address},
                                                    {"StartsAt", templates::Moment{incident.started}}});
}

}  // namespace

Value message_data(const std::vector<model::Alert>& alerts, const Envelope& envelope) {
  std::vector<Value> all, firing, resolved;
  std::vector<model::Labels> labels, annotations;
  for (const model::Alert& alert : alerts) {
    all.push_back(alert_value(alert, envelope));
    (alert.state == model::AlertState::firing ? firing : resolved).push_back(all.back());
    labels.push_back(outward_labels(alert, envelope.external_labels));
    annotations.push_back(alert.annotations);
  }
  return templates::make_struct("*template.Data",
                                {{"Receiver", envelope.receiver},
                                 {"Status", std::string(firing.empty() ? "resolved" : "firing")},
                                 {"Alerts", alert_list(firing, resolved, std::move(all))},
                                 {"GroupLabels", templates::make_kv(envelope.group_labels)},
                                 {"CommonLabels", templates::make_kv(common_labels(labels))},
                                 {"CommonAnnotations", templates::make_kv(common_labels(annotations))},
                                 {"ExternalURL", envelope.external_url},
                                 {"Node", envelope.node},
                                 {"Incident", incident_value(envelope)}});
}

MessageText::MessageText(templates::MessageTemplate parsed)
    : parsed_(std::make_shared<const templates::MessageTemplate>(std::move(parsed))) {}

std::string MessageText::expand(const templates::Value& data, templates::MessageTemplate::Output output) const {
  if (!parsed_) return "";
  auto text = parsed_->execute(data, output);
  if (!text)
    base::log::warn("a text of a receiver has a mistake, which is told in its place", {{"error", text.error().text}});
  return text ? *std::move(text) : fmt::format("<error expanding template: {}>", text.error().text);
}

TextReader::TextReader(const config::Node& node, std::string path,
                       const std::vector<templates::Definitions>& definitions, config::Errors& errors)
    : node_(node), path_(std::move(path)), definitions_{default_texts()}, errors_(errors) {
  definitions_.insert(definitions_.end(), definitions.begin(), definitions.end());
}

MessageText TextReader::read(std::string_view key, const std::string& text) const {
  if (text.empty()) return {};
  auto parsed = templates::MessageTemplate::parse(key, text, definitions_);
  const config::Node value = node_.find(key);
  const config::Mark place = value.is_null() ? node_.mark() : value.mark();
  const std::string where = fmt::format("{}.{}", path_, key);
  if (!parsed) {
    errors_.add(place, where, "the template cannot be read: " + parsed.error().text);
    return {};
  }
  for (const std::string& name : parsed->undefined())
    errors_.warn(place, where,
                 fmt::format("calls the template \"{}\", which nothing defines: an error will stand in its place; "
                             "`templates` names the files with definitions",
                             name));
  return MessageText(*std::move(parsed));
}

const templates::Definitions& default_texts() {
  static const templates::Definitions texts{"fettle", R"({{ define "fettle.title" -}}
{{ if .Incident -}}
[{{ .Incident.News | toUpper }}] {{ .Incident.Title }}
{{- else -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ with .GroupLabels.SortedPairs.Values | join " " }}{{ . }}{{ else }}{{ .CommonLabels.alertname }}{{ end }}
{{- end }}
{{- end }}
{{ define "fettle.alerts" }}{{ range . }}
{{ .Status | toUpper }} {{ .Labels.alertname }}{{ with .Labels.service }} of {{ . }}{{ end }}{{ with .Annotations.summary }}: {{ . }}{{ end }}{{ end }}{{ end }}
{{ define "fettle.text" -}}
{{ if .Incident }}{{ .Incident.Details }}{{ else }}{{ len .Alerts.Firing }} firing, {{ len .Alerts.Resolved }} resolved{{ template "fettle.alerts" .Alerts }}{{ end }}
{{- end }}
{{ define "fettle.url" }}{{ .ExternalURL }}{{ end }}
{{ define "__alertmanager" }}fettle{{ end }}
{{ define "__alertmanagerURL" }}{{ template "fettle.url" . }}{{ end }}
{{ define "__subject" }}{{ template "fettle.title" . }}{{ end }}
{{ define "__description" }}{{ end }}
{{ define "__text_alert_list" }}{{ template "fettle.alerts" . }}{{ end }}
{{ define "__text_alert_list_markdown" }}{{ template "fettle.alerts" . }}{{ end }}
{{ define "slack.default.color" }}{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}{{ end }}
{{ define "slack.default.title" }}{{ template "fettle.title" . }}{{ end }}
{{ define "slack.default.titlelink" }}{{ template "fettle.url" . }}{{ end }}
{{ define "slack.default.username" }}fettle{{ end }}
{{ define "slack.default.fallback" }}{{ template "fettle.title" . }}{{ end }}
{{ define "slack.default.text" }}{{ template "fettle.text" . }}{{ end }}
{{ define "slack.default.pretext" }}{{ end }}
{{ define "slack.default.callbackid" }}{{ end }}
{{ define "slack.default.footer" }}{{ end }}
{{ define "slack.default.iconemoji" }}{{ end }}
{{ define "slack.default.iconurl" }}{{ end }}
{{ define "pagerduty.default.description" }}{{ template "fettle.title" . }}{{ end }}
{{ define "pagerduty.default.client" }}{{ .Node }}{{ end }}
{{ define "pagerduty.default.clientURL" }}{{ template "fettle.url" . }}{{ end }}
{{ define "pagerduty.default.instances" }}{{ template "fettle.alerts" . }}{{ end }}
{{ define "telegram.default.message" }}{{ template "fettle.title" . }}
{{ template "fettle.text" . }}{{ end }}
{{ define "zabbix.default.value" }}{{ template "fettle.title" . }}
{{ template "fettle.text" . }}{{ end }}
{{ define "email.default.subject" }}{{ template "fettle.title" . }}{{ end }}
{{ define "email.default.text" }}{{ template "fettle.title" . }}

{{ template "fettle.text" . }}
{{ with .ExternalURL }}
{{ . }}
{{ end }}{{ end }}
{{ define "email.default.html" -}}
<!DOCTYPE html>
<html>
<body style="font-family: sans-serif">
<h3>{{ template "fettle.title" . }}</h3>
<p style="white-space: pre-wrap">{{ template "fettle.text" . }}</p>
{{ with .ExternalURL }}<p><a href="{{ . }}">{{ . }}</a></p>
{{ end }}</body>
</html>
{{ end }}
{{ define "wechat.default.message" }}{{ template "fettle.title" . }}
{{ template "fettle.text" . }}{{ end }}
{{ define "wechat.default.to_user" }}{{ end }}
{{ define "wechat.default.to_party" }}{{ end }}
{{ define "wechat.default.to_tag" }}{{ end }}
{{ define "wechat.default.agent_id" }}{{ end }}
{{ define "msteamsv2.default.title" }}{{ template "fettle.title" . }}{{ end }}
{{ define "msteamsv2.default.text" }}{{ template "fettle.text" . }}{{ end }}
{{ define "msteams.default.title" }}{{ template "fettle.title" . }}{{ end }}
{{ define "msteams.default.summary" }}{{ template "fettle.title" . }}{{ end }}
{{ define "msteams.default.text" }}{{ template "fettle.text" . }}{{ end }}
)"};
  return texts;
}

std::string shortened(const std::string& text, std::size_t characters) {
  std::size_t at = 0, end = 0;
  for (std::size_t count = 0; at < text.size(); ++count) {
    if (count == characters) return text.substr(0, end) + "…";
    if (count + 1 == characters) end = at;
    std::size_t bytes = 0;
    base::first_rune(std::string_view(text).substr(at), bytes);
    at += bytes;
  }
  return text;
}

}  // namespace notify
