// `fettle test rules` as a person sees it: whole outputs.
#include "rules/tools/rule_cases.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "rules/tools/junit.h"

namespace {

constexpr char kRules[] = R"(
groups:
  - name: shop
    rules:
      - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
      - alert: Down
        expr: up == 0
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.job }} is down"}
)";

constexpr char kTests[] = R"(
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - name: order goes down
    interval: 1m
    input_series:
      - {series: 'up{job="order"}', values: '1 0 0 0 0'}
    alert_rule_test:
      - {eval_time: 2m, alertname: Down, exp_alerts: [{exp_labels: {job: order, severity: page}, exp_annotations: {summary: order is down}}]}
      - {eval_time: 4m, alertname: Down, exp_alerts: [{exp_labels: {job: order, severity: ticket}, exp_annotations: {summary: order is down}}]}
    promql_expr_test:
      - {expr: 'job:up:sum', eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job="order"}', value: 1}, {labels: 'other', value: 2}]}
  - name: payment stays up
    interval: 1m
    input_series:
      - {series: 'up{job="payment"}', values: '1 1'}
    alert_rule_test:
      - {eval_time: 1m, alertname: Down}
)";

// Files in a folder of their own, and what a run printed.
struct Site {
  Site() {
    std::string name = (std::filesystem::temp_directory_path() / "fettle-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    write("rules.yml", kRules);
    write("tests.yml", kTests);
  }
  ~Site() { std::filesystem::remove_all(folder); }
  void write(const std::string& name, std::string_view text) const {
    REQUIRE(base::write_file_atomically((folder / name).string(), text).has_value());
  }
  std::string read(const std::string& name) const { return *base::read_file((folder / name).string()); }

  // Standard output and standard error in one text, with the folder left out.
  int run(const rules::UnitTestOptions& options) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    const int code = rules::run_unit_tests({(folder / "tests.yml").string()}, options, file.get(), file.get());
    printed.resize(static_cast<std::size_t>(std::ftell(file.get())));
    std::rewind(file.get());
    REQUIRE(std::fread(printed.data(), 1, printed.size(), file.get()) == printed.size());
    for (std::size_t at; (at = printed.find(folder.string() + "/")) != std::string::npos;)
      printed.erase(at, folder.string().size() + 1);
    return code;
  }

  std::filesystem::path folder;
  std::string printed;
};

}  // namespace

TEST_CASE("a failed test shows which fields differ, what is missing, and what is still pending") {
  Site site;
  CHECK(site.run({}) == 1);
  CHECK(site.printed == R"(Unit Testing:  tests.yml
  FAILED:
    name: order goes down,
    alertname: Down, time: 2m,
        - {alertname="Down", job="order", severity="page"} annotations {summary="order is down"}
      (- expected and missing, + found and not expected, ~ both but for these fields; 1 expected, 0 found, 0 as expected)
      ({alertname="Down", job="order", severity="page"} is pending for 1m; it fires after 2m)

    name: order goes down,
    alertname: Down, time: 4m,
        ~ {alertname="Down", job="order"}
            label severity: expected "ticket", found "page"
      (- expected and missing, + found and not expected, ~ both but for these fields; 1 expected, 1 found, 0 as expected)

    name: order goes down,
    expr: "job:up:sum", time: 1m,
        ~ {__name__="job:up:sum", job="order"}
            value: expected 1E+00, found 0E+00
        - {__name__="other"} 2E+00
      (- expected and missing, + found and not expected, ~ both but for these fields; 2 expected, 1 found, 0 as expected)

)");
}

// By promtool 2.42 and 3.5.3.
TEST_CASE("an annotation that expands to nothing stays, a label does not, and a test must say so") {
  Site site;
  site.write("rules.yml", R"(
groups:
  - name: shop
    rules:
      - alert: Down
        expr: up == 0
        labels: {nothing: "", gone: "{{ $labels.no }}", severity: page}
        annotations: {empty: "", gone: "{{ $labels.no }}", summary: x}
)");
  struct Row {
    const char *labels, *annotations;
    int code;
  };
  for (const Row& row : {Row{"severity: page", "summary: x", 1}, Row{"severity: page", "summary: x, gone: ''", 1},
                         Row{"severity: page", "summary: x, gone: '', empty: ''", 0},
                         Row{"severity: page, nothing: ''", "summary: x, gone: '', empty: ''", 1}}) {
    CAPTURE(row.annotations);
    site.write("tests.yml", std::string(R"(
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'up{job="order"}', values: '0 0'}]
    alert_rule_test:
      - eval_time: 1m
        alertname: Down
        exp_alerts: [{exp_labels: {job: order, )") +
                                row.labels + "}, exp_annotations: {" + row.annotations + "}}]\n");
    CHECK(site.run({}) == row.code);
  }
}

TEST_CASE("a series with native histograms loads, and what reads it is refused with that word") {
  Site site;
  const auto tests = [&](const std::string& expr) {
    site.write("tests.yml", R"(
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="order"}', values: '1 1'}
      - {series: 'latency{job="order"}', values: '{{}} {{schema:0 count:2 buckets:[1 1]}}'}
    promql_expr_test: [{expr: ')" +
                                expr + R"(', eval_time: 1m, exp_samples: [{value: 1}]}]
)");
  };
  tests("count(up)");
  CHECK(site.run({}) == 0);
  tests("count(latency)");
  CHECK(site.run({}) == 1);
  CHECK(site.printed.find("expr: \"count(latency)\", time: 1m, err: it reads latency{job=\"order\"}, which has native "
                          "histograms; they are not supported here") != std::string::npos);
  site.write("rules.yml", "groups: [{name: g, rules: [{record: r, expr: 'rate({job=\"order\"}[2m])'}]}]");
  tests("count(up)");
  CHECK(site.run({}) == 1);
  CHECK(site.printed.find("rule: r, err: it reads latency{") != std::string::npos);
}

TEST_CASE("in colour the lines of a difference stand out, and the text is the same") {
  Site site;
  CHECK(site.run({.colour = base::Colour::always}) == 1);
  CHECK(site.printed.find("\033[31;1m        - {__name__=\"other\"} 2E+00\033[0m\n") != std::string::npos);
  CHECK(site.printed.find("\033[33m        ~ {alertname=\"Down\", job=\"order\"}\033[0m\n") != std::string::npos);
}

TEST_CASE("--run takes the test groups whose name one of the expressions finds") {
  Site site;
  CHECK(site.run({.run = {"^payment", "nobody"}}) == 0);
  CHECK(site.printed == "Unit Testing:  tests.yml\n  SUCCESS\n\n");
  CHECK(site.run({.run = {"nobody"}}) == 0);
  CHECK(site.printed ==
        "Unit Testing:  tests.yml\n  SUCCESS\n\n"
        "no test ran: no test group has a name in which --run nobody is found\n");
  CHECK(site.run({.run = {"("}}) == 2);
  CHECK(site.printed.starts_with("--run (: "));
}

TEST_CASE("--debug shows every rule where a test looks, every change of an alert, and all samples") {
  Site site;
  CHECK(site.run({.run = {"payment"}, .trace = rules::Trace::debug}) == 0);
  CHECK(site.printed == R"(Unit Testing:  tests.yml
DEBUG: Starting test payment stays up
DEBUG: 1m: group shop
DEBUG:   record job:up:sum: sum by (job) (up)
DEBUG:     job:up:sum{job="payment"} 1
DEBUG:   alert Down: up == 0
DEBUG: Dump of all data (input_series and rules) at 1m:
job:up:sum{job="payment"} 1@0s 1@1m
up{job="payment"} 1@0s 1@1m
DEBUG: Test payment stays up finished
  SUCCESS

)");
  CHECK(site.run({.run = {"order"}, .trace = rules::Trace::debug}) == 1);
  CHECK(site.printed.find("DEBUG: 3m: {alertname=\"Down\", job=\"order\", severity=\"page\"} pending -> firing\n") !=
        std::string::npos);
  CHECK(site.printed.find("DEBUG: 1m: expr job:up:sum\nDEBUG:     job:up:sum{job=\"order\"} 0\n") != std::string::npos);
}

TEST_CASE("--junit writes a suite for the file, a case for each test group, a failure for each difference") {
  Site site;
  const std::string junit = (site.folder / "junit.xml").string();
  CHECK(site.run({.run = {"payment"}, .junit_file = junit, .started = base::wall_from_ms(1'700'000'000'000)}) == 0);
  CHECK(
      site.read("junit.xml") == R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name=")" + (site.folder / "tests.yml").string() +
                                    R"(" tests="1" failures="0" errors="0" skipped="0" timestamp="2023-11-14T22:13:20Z">
    <testcase name="payment stays up"></testcase>
  </testsuite>
</testsuites>
)");
  CHECK(site.run({.junit_file = junit, .colour = base::Colour::always}) == 1);
  const std::string xml = site.read("junit.xml");
  CHECK(xml.find("tests=\"2\" failures=\"3\" errors=\"0\"") != std::string::npos);
  CHECK(xml.find("<testcase name=\"order goes down\"><failure>    name: order goes down,&#xA;    alertname: Down") !=
        std::string::npos);
  CHECK(xml.find('\033') == std::string::npos);
  site.write("rules.yml", "groups: [{name: g, rules: [{record: r, expr: 'a +'}]}]");
  CHECK(site.run({.junit_file = junit}) == 1);
  CHECK(site.read("junit.xml").find("tests=\"1\" failures=\"0\" errors=\"1\"") != std::string::npos);
}

TEST_CASE("JUnit XML escapes what XML cannot hold") {
  CHECK(rules::junit_xml({{"a<b", {}, {{"\"x\"&\x01", {"1\n2"}, ""}}}}) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"a&lt;b\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\" "
        "timestamp=\"1970-01-01T00:00:00Z\">\n"
        "    <testcase name=\"&#34;x&#34;&amp;\xEF\xBF\xBD\"><failure>1&#xA;2</failure></testcase>\n"
        "  </testsuite>\n</testsuites>\n");
}

TEST_CASE("as JSON the results are one document, with the same exit codes") {
  Site site;
  CHECK(site.run({.form = base::OutputForm::json}) == 1);
  CHECK(site.printed.starts_with(
      R"({"ok":false,"files":[{"file":"tests.yml","ok":false,"tests":[{"name":"order goes down","ok":false,"failures":[")"));
  CHECK(site.printed.ends_with("\"error\":\"\"}]}\n"));
  site.write("tests.yml", "rule_files: [rules.yml]\ntests: [{name: none}]\n");
  CHECK(site.run({.form = base::OutputForm::json}) == 0);
  CHECK(
      site.printed ==
      R"({"ok":true,"files":[{"file":"tests.yml","ok":true,"tests":[{"name":"none","ok":true,"failures":[]}],"error":""}]})"
      "\n");
  site.write("tests.yml", "rule_files: none.yml\ntests: []\n");
  CHECK(site.run({.form = base::OutputForm::json}) == 1);
  CHECK(site.printed.starts_with(
      R"({"ok":false,"files":[{"file":"tests.yml","ok":false,"tests":[],"error":"tests.yml:)"));
}

// By promtool 2.42 and 3.5.3.
TEST_CASE("a file of tests is read as promtool reads it") {
  Site site;
  const std::string samples =
      "  promql_expr_test: [{expr: up, eval_time: 30s, exp_samples: [{labels: up, value: 2}]}]\n";
  struct Row {
    const char* name;
    std::string text;
    int v2, v3;
  };
  for (const Row& row : {
           Row{"steps are the evaluation interval's if nothing is said",
               "evaluation_interval: 15s\ntests:\n- input_series: [{series: up, values: '0 1 2 3 4'}]\n" + samples, 0,
               0},
           Row{"a pattern without files", "rule_files: [rules.yml, no*.yml]\ntests: [{interval: 1m}]\n", 0, 0},
           Row{"fuzzy_compare is younger than 2.42",
               "fuzzy_compare: true\ntests:\n- promql_expr_test: [{expr: 0.1 + 0.2, exp_samples: [{value: 0.3}]}]\n", 1,
               0},
           Row{"start_timestamp, too",
               "tests:\n- {start_timestamp: 100, promql_expr_test: [{expr: time(), exp_samples: [{value: 100}]}]}\n", 1,
               0},
           Row{"a bool of YAML 1.1", "fuzzy_compare: yes\ntests: []\n", 1, 0},
           Row{"a name in quotes is Prometheus 3's", "tests:\n- input_series: [{series: '{\"up\"}', values: 1}]\n", 1,
               0},
           Row{"an underscore in a value, too", "tests:\n- input_series: [{series: up, values: '1_0'}]\n", 1, 0},
           Row{"values without a series", "tests:\n- input_series: [{values: ' 1 2'}]\n", 1, 1},
           Row{"gaps without a series, and nothing at all",
               "tests:\n- input_series: [{values: _x3}, {}, {series: up, values: ~}]\n", 0, 0},
           Row{"the last of two equal series",
               "tests:\n- interval: 30s\n  input_series: [{series: up, values: '7 7 7'}, {series: '{__name__=\"up\"}', "
               "values: "
               "'_ 2'}]\n" +
                   samples,
               0, 0},
           Row{"an alert without a name", "tests:\n- alert_rule_test: [{eval_time: 1m}]\n", 1, 1},
           Row{"an order that names a group twice", "group_eval_order: [a, a]\ntests: []\n", 1, 1},
           Row{"a second document", "tests: []\n---\nnothing: that\n", 0, 0},
           Row{"NaN equals nothing",
               "tests:\n- promql_expr_test: [{expr: vector(NaN), exp_samples: [{labels: '{}', value: .nan}]}]\n", 1, 1},
           Row{"a native histogram",
               "tests:\n- promql_expr_test: [{expr: up, exp_samples: [{labels: up, histogram: '{{count:1}}'}]}]\n", 1,
               1},
       }) {
    CAPTURE(row.name);
    site.write("tests.yml", row.text);
    rules::UnitTestOptions options;
    options.compat = promql::Compat::v2;
    CHECK(site.run(options) == row.v2);
    options.compat = promql::Compat::v3;
    CHECK(site.run(options) == row.v3);
  }
  site.write("tests.yml", "rule_files: [no*.yml]\ntests: []\n");
  CHECK(site.run({}) == 0);
  CHECK(site.printed.find("  WARNING: tests.yml:1:13: rule_files: no file matches no*.yml\n") != std::string::npos);
}

TEST_CASE("an expected value is a number as YAML writes it") {
  Site site;
  struct Row {
    const char *text, *value;
  };
  for (const Row& row : std::vector<Row>{
           {"5", "5"},        {"1_000", "1000"}, {"0x10", "16"},     {"0o17", "15"},    {"017", "15"},
           {"08", "8"},       {"0b11", "3"},     {"1E3", "1000"},    {"+5", "5"},       {".5", "0.5"},
           {"-.5", "-0.5"},   {"5.", "5"},       {".inf", "Inf"},    {"-.INF", "-Inf"}, {"~", "0"},
           {"-0x10", "-16"},  {"0.1_5", "0.15"}, {"\"5\"", nullptr}, {"Inf", nullptr},  {"NaN", nullptr},
           {"true", nullptr}, {"1:30", nullptr}, {"1e400", nullptr}, {"1.5e", nullptr}, {"_1", nullptr},
           {"''", nullptr},   {"0x", nullptr},
       }) {
    CAPTURE(row.text);
    site.write("tests.yml", std::string("tests:\n- promql_expr_test: [{expr: vector(") + (row.value ? row.value : "1") +
                                "), exp_samples: [{labels: '{}', value: " + row.text + "}]}]\n");
    CHECK(site.run({}) == (row.value ? 0 : 1));
  }
}
