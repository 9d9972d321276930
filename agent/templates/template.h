// Templates of labels and annotations: Go text/template with Prometheus' functions and variables ($labels, $value,
// $externalLabels, $externalURL; also .Labels and so on). Checked once when a rule file is loaded, expanded for every
// alert of every evaluation. Any thread; never throws; bounded in steps, in depth and in the size of what it writes.
//
// A Template is its text. The tree of one takes twenty times as much, and most rules never have an alert: it is made
// by open(), for the alerts of one evaluation.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "model/labels.h"
#include "templates/functions.h"

namespace templates {

struct Tree;

struct TemplateData {
  model::Labels labels;
  double value = 0;
  model::Labels external_labels;
};

class Template;

// A template with its tree, for a while. The Template outlives it and stays where it is.
class OpenTemplate {
 public:
  OpenTemplate(OpenTemplate&&) noexcept;
  ~OpenTemplate();

  // Go's error text: "template: __alert_NAME:1:115: executing …".
  base::Result<std::string> execute(const TemplateData& data, const TemplateContext& context) const;
  // Never fails: a run-time mistake becomes the text "<error expanding template: …>", as in Prometheus.
  std::string expand(const TemplateData& data, const TemplateContext& context) const;

 private:
  friend class Template;
  OpenTemplate(const Template& of, std::unique_ptr<const Tree> tree);
  const Template* of_;
  std::unique_ptr<const Tree> tree_;  // null for a text without any action
};

class Template {
 public:
  static constexpr std::size_t kMaxOutput = 64 * 1024;
  static constexpr std::size_t kMaxSteps = 100'000;
  static constexpr std::size_t kMaxValue = 4 * 1024 * 1024;

  // `name` is the rule's; errors name the line inside the template.
  // `compat` 2: what 2.42 has no function for is a mistake.
  static base::Result<Template> parse(std::string_view name, std::string_view text,
                                      promql::Compat compat = promql::Compat::v3);
  OpenTemplate open() const;
  // Of a single alert: opened for it alone.
  base::Result<std::string> execute(const TemplateData& data, const TemplateContext& context) const {
    return open().execute(data, context);
  }
  std::string expand(const TemplateData& data, const TemplateContext& context) const {
    return open().expand(data, context);
  }
  const std::string& text() const { return text_; }

 private:
  friend class OpenTemplate;
  Template(std::string name, std::string text, Dialect dialect)
      : name_(std::move(name)), text_(std::move(text)), dialect_(dialect) {}
  std::string name_, text_;
  Dialect dialect_;
};

}  // namespace templates
