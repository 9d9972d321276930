#include "templates/message_template.h"

#include <doctest/doctest.h>

#include "templates/object.h"

namespace {

using templates::Value;

Value alert(const std::string& status, const model::Labels& labels) {
  return templates::make_struct("template.Alert",
                                {{"Status", status},
                                 {"Labels", templates::make_kv(labels)},
                                 {"StartsAt", templates::Moment{*base::parse_iso8601("2026-11-23T02:26:46Z")}},
                                 {"EndsAt", templates::Moment{*base::parse_iso8601("2026-11-23T02:28:16Z")}}});
}

Value data() {
  const Value a = alert("firing", {{"alertname", "Down"}, {"instance", "n1"}});
  const Value b = alert("resolved", {{"alertname", "Down"}, {"instance", "n2"}});
  return templates::make_struct(
      "*template.Data",
      {{"Status", std::string("firing")},
       {"Alerts", templates::make_list("template.Alerts", {a, b},
                                       {{"Firing", templates::make_list("[]template.Alert", {a})},
                                        {"Resolved", templates::make_list("[]template.Alert", {b})}})},
       {"GroupLabels", templates::make_kv({{"alertname", "Down"}})},
       {"CommonLabels", templates::make_kv({{"alertname", "Down"}, {"severity", "page"}, {"Zone", "a"}})},
       {"Nothing", templates::Nil{}}});
}

std::string expand(const std::string& text) {
  const auto parsed = templates::MessageTemplate::parse(
      "title", text,
      {{"ours", "\n{{ define \"x\" }}ours {{ .Status }}{{ end }}{{ define \"y\" }}y{{ end }} lost"},
       {"theirs", "{{ define \"x\" }}theirs {{ .Status }}{{ end }}\n{{ define \"bad\" }}\n{{ .No }}{{ end }}"}});
  if (!parsed) return "REFUSED " + parsed.error().text;
  const auto out = parsed->execute(data());
  return out ? *out : "ERROR " + out.error().text;
}

}  // namespace

TEST_CASE("texts of messages see Alertmanager's data and call its functions") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {"plain", "plain"},
      {"{{ .Status | toUpper }}:{{ .Alerts.Firing | len }}/{{ len .Alerts }}", "FIRING:1/2"},
      {"{{ range .Alerts }}{{ .Labels.instance }} {{ end }}", "n1 n2 "},
      {"{{ range $i, $a := .Alerts.Resolved }}{{ $i }}{{ $a.Labels.instance }}{{ end }}", "0n2"},
      {"{{ (index .Alerts 1).Labels.instance }}", "n2"},
      {"{{ .GroupLabels.SortedPairs.Values | join \" \" }}", "Down"},
      {"{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
       "alertname=Down;Zone=a;severity=page;"},
      {"{{ .CommonLabels.Names | join \",\" }}", "alertname,Zone,severity"},
      {"{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join \" \" }}{{ end }}", "a page"},
      {"{{ .CommonLabels.Remove (stringSlice \"Zone\" \"severity\") }}", "map[alertname:Down]"},
      {"{{ $l := .CommonLabels }}{{ ($l.Remove (stringSlice \"Zone\")).Values | join \"+\" }}", "Down+page"},
      {"{{ range $k, $v := .CommonLabels }}{{ $k }}{{ $v }} {{ end }}", "Zonea alertnameDown severitypage "},
      {"{{ .CommonLabels.nothing }}|{{ if .CommonLabels.nothing }}yes{{ else }}no{{ end }}", "|no"},
      {"{{ with .Nothing }}yes{{ else }}no{{ end }}", "no"},
      {"{{ (index .Alerts 0).StartsAt.Format \"15:04\" }}", "02:26"},
      {"{{ with index .Alerts 0 }}{{ .EndsAt.Sub .StartsAt }}{{ end }}", "1m30s"},
      {"{{ reReplaceAll \"(.)own\" \"$1\" \"Down\" }} {{ match \"^D\" \"Down\" }} {{ title \"a b\" }} {{ toLower \"A\" "
       "}}",
       "D true A B a"},
      {"{{ template \"x\" . }} {{ template \"y\" . }}", "theirs firing y"},
      {"{{ .No }}",
       "ERROR template: title:1:3: executing \"title\" at <.No>: can't evaluate field No in type *template.Data"},
      {"{{ template \"bad\" . }}",
       "ERROR template: theirs:3:3: executing \"bad\" at <.No>: can't evaluate field No in type *template.Data"},
      {"{{ .CommonLabels.Remove \"a\" }}",
       "ERROR template: title:1:16: executing \"title\" at <.CommonLabels.Remove>: wrong type for value; expected "
       "[]string; got string"},
      {"{{ query \"up\" }}", "REFUSED line 1: function \"query\" not defined"},
      {"\n{{ if }}", "REFUSED line 2: missing value for if"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(expand(row.text) == std::string(row.want));
  }
}
