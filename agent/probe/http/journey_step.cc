#include "probe/http/journey_step.h"

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "config/request.h"

namespace probe {
namespace {

// A list, or one item without the brackets.
template <typename T>
bool read_list(const config::Node& node, std::vector<T>& out, std::string& why) {
  using config::read;
  if (node.is_sequence()) return read(node, out, why);
  T one{};
  if (!read(node, one, why)) return false;
  out.push_back(std::move(one));
  return true;
}

template <typename T>
config::Schema<HttpChecks>::Reader one_or_more(std::vector<T> HttpChecks::*member) {
  return [member](const config::Node& node, HttpChecks& out, const std::string& path, config::Errors& errors) {
    std::vector<T> values;
    std::string why;
    if (read_list(node, values, why)) out.*member = std::move(values);
    else errors.add(node.mark(), path, why);
  };
}

const config::Schema<HttpChecks>& expect_schema() {
  static const auto schema =
      config::Schema<HttpChecks>("expect")
          .custom("status", "Statuses that are fine, one or a list: 200, 200-204, 2xx.", "2xx",
                  one_or_more(&HttpChecks::valid_status_codes))
          .list("headers", &HttpChecks::fail_if_header_not_matches, header_match_schema(),
                "Headers that must be there, and what must be found in them.")
          .custom("body", "Regular expressions that must be found in the body, one or a list.", "[]",
                  one_or_more(&HttpChecks::fail_if_body_not_matches_regexp))
          .shows({"body"})
          .custom("not_body", "Regular expressions that must not be found in the body, one or a list.", "[]",
                  one_or_more(&HttpChecks::fail_if_body_matches_regexp))
          .list("json", &HttpChecks::json, json_check_schema(),
                "What must be in the body's JSON: {path: total, greater_than: 0}. Variables may stand in equals.")
          .optional("max_duration", &HttpChecks::max_duration, "Longest time that is still fine; 0: the timeout.");
  return schema;
}

void read_url(const config::Node& node, StepRequest& out, const std::string& path, config::Errors& errors) {
  std::string text, why;
  if (!config::read(node, text, why)) return errors.add(node.mark(), path, why);
  if (text.find_first_of(" \t\r\n") != std::string::npos)
    return errors.add(node.mark(), path, "must not contain white space");
  auto url = Template::parse(text, Template::Encoding::url);
  if (url) out.url = std::move(*url);
  else errors.add(node.mark(), path, url.error().text);
}

void read_body(const config::Node& node, StepRequest& out, const std::string& path, config::Errors& errors) {
  Template body;
  std::string why;
  if (!read(node, body, why)) return errors.add(node.mark(), path, why);
  out.body = std::move(body);
  ++out.bodies;
}

void read_json_body(const config::Node& node, StepRequest& out, const std::string& path, config::Errors& errors) {
  auto body = Template::parse_json(node);
  if (!body) return errors.add(node.mark(), path, body.error().text);
  out.body = std::move(*body);
  out.content_type = "application/json";
  ++out.bodies;
}

void read_form(const config::Node& node, StepRequest& out, const std::string& path, config::Errors& errors) {
  if (!node.is_mapping()) return errors.add(node.mark(), path, config::expected("a mapping", node));
  Template body;
  std::string separator;
  for (const auto& [key, value] : node.entries()) {
    // A variable at the beginning of a field is no URL: it is always encoded.
    auto field = Template::parse("=" + value.scalar(), Template::Encoding::url);
    if (!value.is_scalar()) errors.add(value.mark(), path + "." + key.scalar(), config::expected("a string", value));
    else if (!field) errors.add(value.mark(), path + "." + key.scalar(), field.error().text);
    else body.append(separator + key.scalar()), body.append(*field);
    separator = "&";
  }
  out.body = std::move(body);
  out.content_type = "application/x-www-form-urlencoded";
  ++out.bodies;
}

const config::Schema<StepRequest>& request_schema() {
  static const auto schema =
      config::Schema<StepRequest>("request")
          .optional("method", &StepRequest::method, "Method. Empty: GET, or POST if there is a body.")
          .custom("url", "Where to: a path below base_url, or all of a URL.", "required", read_url)
          .custom("headers", "Headers of the request, by name.", "{}",
                  [](const config::Node& node, StepRequest& out, const std::string& path, config::Errors& errors) {
                    read_header_templates(node, out.headers, path, errors);
                  })
          .custom("body", "Body of the request, as it is.", "none", read_body)
          .custom("json", "Body as JSON, written as a mapping: {sku: \"${sku}\", quantity: 1}.", "none", read_json_body)
          .custom("form", "Body as fields of a form, by name.", "none", read_form)
          .check([](const StepRequest& request, const config::Complain& complain) {
            if (request.url.text().empty()) complain("url", "required");
            if (const std::string why = request.method.empty() ? "" : config::method_complaint(request.method);
                !why.empty())
              complain("method", why);
            if (request.bodies > 1) complain("", "give one of body, json and form");
          });
  return schema;
}

std::vector<std::string> variables_of(const HttpChecks& expect) {
  std::vector<std::string> names;
  for (const JsonCheck& check : expect.json)
    for (const auto& scalar : {check.equals, check.not_equals})
      if (scalar)
        if (const auto text = Template::parse(scalar->text))
          for (std::string& name : text->variables()) names.push_back(std::move(name));
  return names;
}

void complain_about_variables(const JourneyStep& step, const std::vector<std::string>& known, const std::string& path,
                              config::Errors& errors) {
  std::vector<std::string> used = variables_of(step.request);
  for (std::string& name : variables_of(step.expect)) used.push_back(std::move(name));
  std::set<std::string> told;
  for (const std::string& name : used) {
    if (std::find(known.begin(), known.end(), name) != known.end() || !told.insert(name).second) continue;
    const std::string near = base::nearest(name, known);
    errors.add(step.place.mark(), path,
               "there is no variable '" + name + "' at this step" +
                   (near.empty() ? "; add it to variables, or capture it in an earlier step"
                                 : "; did you mean '" + near + "'?"));
  }
}

}  // namespace

void read_header_templates(const config::Node& node, HeaderTemplates& out, const std::string& path,
                           config::Errors& errors) {
  if (!node.is_mapping()) return errors.add(node.mark(), path, config::expected("a mapping", node));
  for (const auto& [key, value] : node.entries()) {
    Template text;
    std::string why;
    if (!read(value, text, why)) errors.add(value.mark(), path + "." + key.scalar(), why);
    else if (why = config::header_complaint(key.scalar(), text.text()); !why.empty()) errors.add(key.mark(), path, why);
    else out.emplace_back(key.scalar(), std::move(text));
  }
}

const config::Schema<JourneyStep>& journey_step_schema() {
  static const auto schema =
      config::Schema<JourneyStep>("step")
          .required("name", &JourneyStep::name, "Name of the step; the label `step` of its metrics.")
          .optional("request", &JourneyStep::request, request_schema(), "What to ask.")
          .optional("expect", &JourneyStep::expect, expect_schema(), "What the answer must be like.")
          .named("capture", &JourneyStep::capture, capture_schema(),
                 "Variables for later steps, by name: {token: {json: data.token}}.")
          .optional("timeout", &JourneyStep::timeout,
                    "Limit of this step. 0: what is left of the run; for a step that always runs, a tenth of the run.")
          .optional("always", &JourneyStep::always,
                    "Runs also after a step has failed, in time that is kept free for it: the clean-up.")
          .place(&JourneyStep::place)
          .check([](const JourneyStep& step, const config::Complain& complain) {
            if (step.name.empty()) complain("name", "must not be empty");
            if (step.request.url.text().empty()) complain("", "needs a request with a url");
            for (const auto& [name, capture] : step.capture)
              if (!is_variable_name(name))
                complain("capture", "'" + name + "' is no name of a variable; use letters, digits and _");
          });
  return schema;
}

std::vector<std::string> variables_of(const StepRequest& request) {
  std::vector<std::string> names = request.url.variables();
  const auto add = [&](const Template& text) {
    for (std::string& name : text.variables()) names.push_back(std::move(name));
  };
  for (const auto& [name, value] : request.headers) add(value);
  if (request.body) add(*request.body);
  return names;
}

void prepare_steps(std::vector<JourneyStep>& steps, std::vector<std::string> known, const std::string& base_url,
                   const std::string& path, config::Errors& errors) {
  std::set<std::string> names;
  std::size_t at = 0;
  for (JourneyStep& step : steps) {
    const std::string here = path + "[" + std::to_string(at++) + "]";
    if (!step.name.empty() && !names.insert(step.name).second)
      errors.add(step.place.mark(), here + ".name", "another step is called '" + step.name + "' already");
    if (step.request.method.empty()) step.request.method = step.request.body ? "POST" : "GET";
    const std::string& url = step.request.url.text();
    const bool whole = url.starts_with("http://") || url.starts_with("https://") || url.starts_with("${");
    if (!url.empty() && !whole && (base_url.empty() || url[0] != '/'))
      errors.add(step.place.mark(), here + ".request.url",
                 base_url.empty() ? "must be http:// or https:// and a host, or give the journey a base_url"
                                  : "must begin with / or be a whole URL");
    // What a variable leads to is seen when it is known.
    const bool literal = !url.starts_with("${") && step.request.url.variables().empty();
    if (const std::string why = whole && literal ? config::url_complaint(url, "http://127.0.0.1:8080/cart") : "";
        !why.empty())
      errors.add(step.place.mark(), here + ".request.url", why);
    complain_about_variables(step, known, here, errors);
    for (auto& [name, capture] : step.capture) {
      known.push_back(name);
      if (!capture.regexp.regex) continue;
      auto groups = base::Regex::compile("(?s:.*?)(" + capture.regexp.regex->pattern() + ")(?s:.*)");
      if (groups) capture.groups = std::move(*groups);
    }
  }
}

JsonScalar filled(const JsonScalar& scalar, const Variables& variables) {
  const auto text = Template::parse(scalar.text);
  if (!text || text->variables().empty()) return scalar;
  const auto value = text->fill(variables);
  if (!value) return scalar;
  // "${total}" alone is what was captured: a number stays one.
  const auto whole = variables.find(text->variables()[0]);
  const bool json = whole != variables.end() && whole->second.json && scalar.text == "${" + text->variables()[0] + "}";
  return {*value, !json};
}

}  // namespace probe
