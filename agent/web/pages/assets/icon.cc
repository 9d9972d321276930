#include "web/pages/assets.h"

namespace web {

const std::string_view kIcon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#0f766e"/>)"
    R"(<path d="M3 13h4.2l2-6 4 11L16.2 11l1.2 2H21" fill="none" stroke="#fff" stroke-width="2" stroke-linejoin="round" )"
    R"(stroke-linecap="round"/></svg>)";

}  // namespace web
