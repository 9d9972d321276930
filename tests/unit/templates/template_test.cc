#include "templates/template.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "promql/value.h"

namespace {

templates::TemplateContext context() {
  templates::TemplateContext c;
  c.external_url = "http://fettle.example:10911/agent";
  c.now_ms = 1'435'065'584'128;
  c.query = [](const std::string& expression) -> base::Result<promql::Vector> {
    if (expression == "up")
      return promql::Vector{{{{"__name__", "up"}, {"instance", "node-1"}}, {0, 0}},
                            {{{"__name__", "up"}, {"instance", "node-0"}}, {0, 1}}};
    if (expression == "bad(") return base::fail(base::Kind::invalid, "1:5: parse error: unclosed left parenthesis");
    return promql::Vector{};
  };
  return c;
}

std::string expand(const std::string& text, double value = 42, promql::Compat compat = promql::Compat::v3) {
  const auto parsed = templates::Template::parse("T", text);
  if (!parsed) return "REFUSED " + parsed.error().text;
  templates::TemplateData data;
  data.labels = {{"__name__", "m"}, {"instance", "node-0:9100"}, {"svc", "cart"}};
  data.value = value;
  data.external_labels = {{"cluster", "eu-1"}};
  templates::TemplateContext where = context();
  where.compat = compat;
  return parsed->expand(data, where);
}

struct Row {
  const char* text;
  const char* want;
};

template <std::size_t N>
void check(const Row (&rows)[N]) {
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(expand(row.text) == row.want);
  }
}

std::string failed(const std::string& where_and_what) {
  return "<error expanding template: error executing template __alert_T: template: __alert_T:" + where_and_what + ">";
}

}  // namespace

TEST_CASE("labels, value and external labels are there by both names") {
  check({
      {"plain text", "plain text"},
      {"{{ $labels.svc }} {{ $value }}", "cart 42"},
      {"{{ .Labels.svc }} {{ .Value }}", "cart 42"},
      {"{{ $labels.missing }}|", "|"},
      {"{{ $labels }}", "map[__name__:m instance:node-0:9100 svc:cart]"},
      {"{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", "eu-1 eu-1"},
      {"{{ $externalURL }}{{ pathPrefix }}", "http://fettle.example:10911/agent/agent"},
      {"{{ $.Labels.svc }}", "cart"},
  });
}

TEST_CASE("branches, loops and variables run as in Go") {
  check({
      {"{{ if eq $labels.svc \"cart\" }}C{{ else }}other{{ end }}", "C"},
      {"{{ if gt $value 50.0 }}a{{ else if gt $value 40.0 }}b{{ else }}c{{ end }}", "b"},
      {"{{ if and (gt $value 1.0) (ne $labels.svc \"x\") }}yes{{ end }}", "yes"},
      {"{{ if or (lt $value 1.0) (not $labels.missing) }}yes{{ end }}", "yes"},
      {"{{ with $labels.svc }}[{{ . }}]{{ end }}{{ with $labels.no }}x{{ else }}none{{ end }}", "[cart]none"},
      {"{{ with $labels.no }}x{{ else with $labels.svc }}<{{ . }}>{{ end }}", "<cart>"},
      {"{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", "__name__=m;instance=node-0:9100;svc=cart;"},
      {"{{ range $i, $s := query \"up\" | sortByLabel \"instance\" }}{{ $i }}:{{ $s.Value }} {{ end }}", "0:1 1:0 "},
      {"{{ range query \"none\" }}x{{ else }}nothing{{ end }}", "nothing"},
      {"{{ range query \"up\" }}{{ if .Value }}{{ break }}{{ end }}{{ .Labels.instance }}{{ end }}", "node-1"},
      {"{{ range query \"up\" }}{{ if .Value }}{{ continue }}{{ end }}{{ .Labels.instance }}{{ end }}", "node-1"},
      {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"},
      {"{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"},
      {"{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.svc }}", "<cart>"},
      {"{{ block \"b\" $value }}[{{ . }}]{{ end }}", "[42]"},
      {"a {{- \" b \" -}} c{{/* comment */}}{{- /* c */ -}}  d", "a b cd"},
      {"x }} y", "x }} y"},
  });
}

TEST_CASE("numbers are written for people") {
  check({
      {"{{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize \"12345\" }}", "1.235M 120u 12.35k"},
      {"{{ humanize1024 1048576.0 }} {{ humanize1024 -2048.0 }} {{ humanize1024 0.5 }}", "1Mi -2ki 0.5"},
      {"{{ humanizeDuration 90061.5 }} {{ humanizeDuration 0.0033 }} {{ humanizeDuration 59.999 }}",
       "1d 1h 1m 1s 3.3ms 60s"},
      {"{{ humanizePercentage 0.12345 }} {{ humanizeTimestamp 1435065584.128 }}",
       "12.35% 2015-06-23 13:19:44.128 +0000 UTC"},
      {"{{ printf \"%.2f|%5.1f|%-6s|%06.2f|%+d|%x|%q|%t|%v|%%\" 1.005 2.25 \"ab\" 3.14159 7 \"hi\" \"q\\\"\" true nil "
       "}}",
       "1.00|  2.2|ab    |003.14|+7|6869|\"q\\\"\"|true|<nil>|%"},
      {"{{ printf \"%d %s\" $value 5 }} {{ printf \"%d\" }} {{ printf \"a\" 1 \"b\" }} {{ printf \"%\" }}",
       "%!d(float64=42) %!s(int=5) %!d(MISSING) a%!(EXTRA int=1, string=b) %!(NOVERB)"},
      {"{{ printf \"%[2]s %[1]s %*d\" \"a\" \"b\" 3 }}", "b a %!(BADWIDTH)3"},
      {"{{ 1000000.0 }} {{ 100000.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1e21 }}", "1e+06 100000 0.0001 1e-05 1e+21"},
      {"{{ 0x1F }} {{ 017 }} {{ 0b11 }} {{ 1_000 }} {{ 'x' }} {{ -5 }}", "31 15 3 1000 120 -5"},
      {"{{ toDuration 5400.0 }} {{ (toTime 1435065584.128).Year }} {{ now | humanizeTimestamp }}",
       "1h30m0s 2015 2015-06-23 13:19:44.128 +0000 UTC"},
  });
  CHECK(expand("{{ $value }} {{ humanize $value }}", std::nan("")) == "NaN NaN");
  CHECK(expand("{{ if gt $value 50.0 }}high{{ end }}", std::nan("")) == "high");
  CHECK(expand("{{ humanizeDuration $value }}", std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(expand("{{ humanizeDuration $value }}", 1e300) == "-106751991167300d -15h -30m -8s");
}

// By the promtool of Prometheus 3.5.3 and of 2.42.
TEST_CASE("title and range over a number are those of 3.x, or of 2.x") {
  struct Title {
    const char *text, *in_3, *in_2;
  };
  for (const Title& row : {
           Title{"host.domain.tld", "Host.domain.tld", "Host.Domain.Tld"},
           Title{"eu-west-1a", "Eu-West-1A", "Eu-West-1a"},
           Title{"5xx errors", "5Xx Errors", "5xx Errors"},
           Title{"it's down", "It's Down", "It'S Down"},
           Title{"aBC dEF", "ABC DEF", "ABC DEF"},
           Title{"o''neil 'tis a..b x.'y", "O''Neil 'Tis A..B X.'Y", "O''Neil 'Tis A..B X.'Y"},
           Title{"a.1b 1.a 1,2a 1;2a 12:30pm", "A.1b 1.A 1,2A 1;2A 12:30Pm", "A.1b 1.A 1,2a 1;2a 12:30pm"},
           Title{"x_y _x 1_a %d (x)", "X_y _X 1_A %D (X)", "X_y _x 1_a %D (X)"},
           Title{"àb-ça ß ﬁx ǆ", "Àb-Ça Ss Fix ǅ", "Àb-Ça ß ﬁx Ǆ"},
           Title{"日本a a日b", "日本A A日B", "日本a A日b"},
           Title{"a\u00adb e\u0301a x\u2019y", "A\u00adb E\u0301a X\u2019y", "A\u00adB E\u0301A X\u2019Y"},
           Title{"ªx ʼn ⓐb", "ªx ʼN Ⓐb", "ªx ʼn Ⓐb"},
       }) {
    CAPTURE(row.text);
    const std::string text = std::string("{{ title \"") + row.text + "\" }}";
    CHECK(expand(text) == row.in_3);
    CHECK(expand(text, 42, promql::Compat::v2) == row.in_2);
  }
  const char* count = "{{ range 3 }}<{{ . }}>{{ end }}";
  CHECK(expand(count) == "<0><1><2>");
  CHECK(expand("{{ range $i := 2 }}{{ $i }},{{ end }}{{ range 0 }}x{{ else }}none{{ end }}") == "0,1,none");
  CHECK(expand("{{ range $i, $j := 2 }}{{ $i }}{{ end }}").starts_with("<error expanding template"));
  for (const char* newer : {"{{ now }}", "{{ toDuration 1.0 }}", "{{ urlQueryEscape \"a\" }}"}) {
    CHECK(templates::Template::parse("T", newer));
    CHECK_FALSE(templates::Template::parse("T", newer, promql::Compat::v2));
  }
  CHECK(expand(count, 42, promql::Compat::v2) ==
        failed("1:121: executing \"__alert_T\" at <3>: range can't iterate over 3"));
}

// By the promtool of Prometheus 3.5.3.
TEST_CASE("a verb that does not fit shows the value at its width, and numbers have Go's rarer forms") {
  check({
      {"{{ printf \"%b|%b|%b\" 3.5 -1.0 0.0 }}", "7881299347898368p-51|-4503599627370496p-52|0p-1074"},
      {"{{ printf \"%x|%X|%.1x|%x\" 1.5 1.5 1.0 1e300 }}", "0x1.8p+00|0X1.8P+00|0x1.0p+00|0x1.7e43c8800759cp+996"},
      {"{{ printf \"%6f|%10.2f|%-6d|\" \"1a2\" \"1a2\" 1.5 }}",
       "%!f(string=   1a2)|%!f(string=        1a)|%!d(float64=1.5   )|"},
      {"{{ printf \"%q %q\" 3 65 }}", "'\\x03' 'A'"},
      {"{{ html (query \"up\" | first) }}", "{map[__name__:up instance:node-1] 0}"},
  });
  CHECK(expand("{{ eq 1 1.0 }}", 42, promql::Compat::v2).ends_with("incompatible types for comparison>"));
}

TEST_CASE("text functions and escapes") {
  check({
      {"{{ toUpper \"café\" }} {{ toLower \"ÀB\" }} {{ title \"hello world\" }}", "CAFÉ àb Hello World"},
      {"{{ reReplaceAll \"(.*):(.*)\" \"$2/$1\" $labels.instance }} {{ match \"^c.*\" \"cart\" }}", "9100/node-0 true"},
      {"{{ stripPort \"a:1\" }} {{ stripPort \"[::1]:2\" }} {{ stripPort \"::1\" }}", "a ::1 ::1"},
      {"{{ stripDomain \"host.example.org:90\" }} {{ stripDomain \"10.0.0.1:80\" }}", "host:90 10.0.0.1:80"},
      {"{{ html \"<b>&\" }} {{ js \"it's\" }} {{ urlquery \"a b&c\" }}", "&lt;b&gt;&amp; it\\'s a+b%26c"},
      {"{{ print \"a\" 1 2 \"x\" }} {{ println \"a\" }}", "a1 2x a\n"},
      {"{{ len $labels }} {{ index $labels \"svc\" }} {{ slice \"cart\" 1 3 }}", "3 cart ar"},
      {"{{ query \"up\" | sortByLabel \"instance\" | first | label \"instance\" }}", "node-0"},
      {"{{ with args 1 \"b\" }}{{ .arg0 }}{{ .arg1 }}{{ end }} {{ safeHtml \"<\" }}", "1b <"},
      {"{{ graphLink \"up == 0\" }}", "/graph?g0.expr=up+%3D%3D+0&g0.tab=0"},
      {"{{ parseDuration \"1h30m\" }} {{ `raw` }} {{ \"\\u00e9\\x41\" }}", "5400 raw éA"},
      {"{{ $labels.svc | }}", "cart"},
  });
}

TEST_CASE("a mistake at run time is told in the text with its place, in Go's words") {
  struct Failure {
    const char* text;
    const char* want;
  };
  for (const Failure& row : {
           Failure{"{{ .Foo }}",
                   "1:115: executing \"__alert_T\" at <.Foo>: can't evaluate field Foo in type struct { Labels "
                   "map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"},
           Failure{"{{ lt $value 5 }}",
                   "1:115: executing \"__alert_T\" at <lt $value 5>: error calling lt: incompatible types for "
                   "comparison: float64 and int"},
           Failure{"{{ eq 1 \"a\" }}",
                   "1:115: executing \"__alert_T\" at <eq 1 \"a\">: error calling eq: incompatible types for "
                   "comparison: int and string"},
           Failure{"{{ $value | toUpper }}",
                   "1:124: executing \"__alert_T\" at <toUpper>: wrong type for value; expected string; got float64"},
           Failure{"{{ humanize }}",
                   "1:115: executing \"__alert_T\" at <humanize>: wrong number of args for humanize: want 1 got 0"},
           Failure{
               "{{ query \"bad(\" | first }}",
               "1:115: executing \"__alert_T\" at <query \"bad(\">: error calling query: 1:5: parse error: unclosed "
               "left parenthesis"},
           Failure{"ab\n{{ first (query \"none\") | value }}",
                   "2:3: executing \"__alert_T\" at <first (query \"none\")>: error calling first: first() called on "
                   "vector with no elements"},
           Failure{"{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
                   "1:140: executing \"t\" at <{{template \"t\"}}>: exceeded maximum template depth (50)"},
       }) {
    CAPTURE(row.text);
    CHECK(expand(row.text) == failed(row.want));
  }
}

TEST_CASE("an expansion is bounded in steps and in what it writes") {
  const std::string digits(200, 'x');
  std::string doubling = "{{ $x := \"" + digits + "\" }}";
  for (int i = 0; i < 12; ++i) doubling += "{{ $x = printf \"%s%s\" $x $x }}{{ $x }}";
  CHECK(expand(doubling).find("more than 65536 bytes of text") != std::string::npos);
  std::string silent = "{{ $x := \"" + digits + "\" }}{{ $y := args 1 }}";
  for (int i = 0; i < 60; ++i) silent += "{{ $x = printf \"%s%s\" $x $x }}{{ $y = args $y $y }}";
  CHECK(expand(silent).find("a value of more than 4194304 bytes") != std::string::npos);
  CHECK(expand("{{ $x := printf \"%4000d\" 1 }}{{ $x = print $x $x $x }}{{ reReplaceAll \"\" $x $x }}")
            .find("the result could be too long") != std::string::npos);
  std::string loops, ends;
  for (int i = 0; i < 20; ++i) {
    loops += "{{ range $labels }}{{ $x := . }}{{ range $y := query \"up\" }}";
    ends += "{{ end }}{{ end }}";
  }
  CHECK(expand(loops + ends).find("more than 100000 steps") != std::string::npos);
}

TEST_CASE("what Go refuses to parse is refused, with the line") {
  check({
      {"{{ $labels.svc", "REFUSED line 1: unclosed action"},
      {"{{ nosuchfunc 1 }}", "REFUSED line 1: function \"nosuchfunc\" not defined"},
      {"a\n{{ end }}", "REFUSED line 2: unexpected {{end}}"},
      {"{{ else }}", "REFUSED line 1: unexpected {{else}}"},
      {"{{ if }}x{{ end }}", "REFUSED line 1: missing value for if"},
      {"{{ if true }}x", "REFUSED line 1: unexpected EOF"},
      {"{{ $undefined }}", "REFUSED line 1: undefined variable \"$undefined\""},
      {"{{ }}", "REFUSED line 1: missing value for command"},
      {"{{ \"unclosed }}", "REFUSED line 1: unterminated quoted string"},
      {"{{ ( $value }}", "REFUSED line 1: unclosed left paren"},
      {"{{ 1 | 2 }}", "REFUSED line 1: non executable command in pipeline stage 2"},
      {"{{ break }}", "REFUSED line 1: {{break}} outside {{range}}"},
      {"{{ range $a, $b, $c := $labels }}{{ end }}", "REFUSED line 1: too many declarations in range"},
      {"{{ 1x }}", "REFUSED line 1: bad number syntax: \"1x\""},
      {"{{ $x }}{{ $x := 1 }}", "REFUSED line 1: undefined variable \"$x\""},
      {"{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "REFUSED line 1: undefined variable \"$x\""},
      {"{{ template }}", "REFUSED line 1: unexpected \"}}\" in template clause"},
      {"{{/* open", "REFUSED line 1: unclosed comment"},
  });
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{{ if (";
  CHECK(expand(deep).find("REFUSED") == 0);
  deep = "{{ ";
  for (int i = 0; i < 5000; ++i) deep += "(";
  CHECK(expand(deep + "1").find("REFUSED line 1: ") == 0);
}

TEST_CASE("no mixture of tokens crashes the parser or escapes the bounds of an expansion") {
  static const char* const kParts[] = {"{{",
                                       "}}",
                                       " ",
                                       "$labels",
                                       ".Labels.svc",
                                       "$value",
                                       "if ",
                                       "range ",
                                       "with ",
                                       "end",
                                       "else",
                                       "|",
                                       "(",
                                       ")",
                                       "query \"up\"",
                                       "first",
                                       ":=",
                                       "$x",
                                       "=",
                                       ",",
                                       "printf ",
                                       "\"%v\"",
                                       "1",
                                       "nil",
                                       "text",
                                       "{{- ",
                                       " -}}",
                                       "/*",
                                       "*/",
                                       "`r`",
                                       "'c'",
                                       "define ",
                                       "\"t\"",
                                       "template ",
                                       "\xff",
                                       "{{if 1}}",
                                       "{{end}}",
                                       "{{range $labels}}",
                                       "{{break}}",
                                       "index ",
                                       "and ",
                                       "$x.y.z",
                                       "{{$x := 1}}",
                                       "args ",
                                       "\n",
                                       "slice $labels.svc 1"};
  base::Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t n = random.below(14) + 1; n > 0; --n) text += kParts[random.below(std::size(kParts))];
    CAPTURE(text);
    CHECK(expand(text).size() < 200'000);
  }
}
