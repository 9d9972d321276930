// The results of unit tests as JUnit XML, in the shape that promtool writes and every CI reads: a suite for each file,
// a case for each test group, a failure for each thing that came out differently.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"

namespace rules {

struct JunitCase {
  std::string name;
  std::vector<std::string> failures;
  std::string error;  // why nothing of it could run
};
struct JunitSuite {
  std::string name;
  base::WallTime started{};
  std::vector<JunitCase> cases;
};

std::string junit_xml(const std::vector<JunitSuite>& suites);

}  // namespace rules
