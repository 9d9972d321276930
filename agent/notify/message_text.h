// The texts of a message that the configuration writes: Go templates with Alertmanager's data and functions, and
// .Incident (ours). Without a word they tell the incident: what is wrong, what was tried, how it stands.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "model/action_report.h"
#include "model/alert.h"
#include "templates/message_template.h"

namespace notify {

struct Envelope;

// The data of .Receiver, .Status, .Alerts, .GroupLabels, .CommonLabels, .CommonAnnotations, .ExternalURL; and
// .Incident, which is nil in messages about alerts.
templates::Value message_data(const std::vector<model::Alert>& alerts, const Envelope& envelope);

class MessageText {
 public:
  MessageText() = default;  // ""
  explicit MessageText(templates::MessageTemplate parsed);

  // Told is better than right: a mistake while it runs stands in the text.
  std::string expand(const templates::Value& data,
                     templates::MessageTemplate::Output output = templates::MessageTemplate::Output::text) const;

 private:
  std::shared_ptr<const templates::MessageTemplate> parsed_;
};

// Reads the texts of one mapping; mistakes go to `errors`, at the text's key.
class TextReader {
 public:
  // `definitions` are the person's files; ours stand before them.
  TextReader(const config::Node& node, std::string path, const std::vector<templates::Definitions>& definitions,
             config::Errors& errors);
  MessageText read(std::string_view key, const std::string& text) const;

 private:
  const config::Node& node_;
  std::string path_;
  std::vector<templates::Definitions> definitions_;
  config::Errors& errors_;
};

// The texts that are used where the configuration says nothing.
const templates::Definitions& default_texts();
// At most so many characters, the end replaced by "…"; for bytes: base::shortened().
std::string shortened(const std::string& text, std::size_t characters);

}  // namespace notify
