// Templates of labels and annotations: Go text/template with Prometheus' functions and variables ($labels, $value,
// $externalLabels, $externalURL; also .Labels and so on). Parsed once when a rule file is loaded, expanded for every
// alert of every evaluation. Any thread; never throws; bounded in steps, in depth and in the size of what it writes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

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

class Template {
 public:
  static constexpr std::size_t kMaxOutput = 64 * 1024;
  static constexpr std::size_t kMaxSteps = 100'000;
  static constexpr std::size_t kMaxValue = 4 * 1024 * 1024;

  // `name` is the rule's; errors name the line inside the template.
  // `compat` 2: what 2.42 has no function for is a mistake.
  static base::Result<Template> parse(std::string_view name, std::string_view text,
                                      promql::Compat compat = promql::Compat::v3);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // Go's error text: "template: __alert_NAME:1:115: executing …".
  base::Result<std::string> execute(const TemplateData& data, const TemplateContext& context) const;
  // Never fails: a run-time mistake becomes the text "<error expanding template: …>", as in Prometheus.
  std::string expand(const TemplateData& data, const TemplateContext& context) const;
  const std::string& text() const { return text_; }

 private:
  Template(std::string name, std::string text, std::unique_ptr<Tree> tree);
  std::string name_, text_;
  std::unique_ptr<Tree> tree_;  // null for a text without any action
};

}  // namespace templates
