// Commands that change something: over the admin socket only.
#pragma once

#include <string>

namespace cli {

enum class Rehearsal { no, yes };  // yes: the plan decides and reports, and touches nothing

int run_reload(const std::string& socket);
// `state`: on or off; `length`: "2h", or "" until it is ended.
int run_maintenance(const std::string& socket, const std::string& state, const std::string& service,
                    const std::string& length, const std::string& comment);

enum class AnswerOutput { text, json };  // json: the answer of the API as it came

int run_recover(const std::string& socket, const std::string& service, const std::string& comment, Rehearsal rehearsal,
                AnswerOutput output);
int run_abort(const std::string& socket, const std::string& service, const std::string& comment, AnswerOutput output);
int run_ack(const std::string& socket, const std::string& service, const std::string& comment);

}  // namespace cli
