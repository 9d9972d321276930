# cmake -C packaging/build/tsan.cmake -S . -B build/tsan: the modules with threads (web, app, state) under ThreadSanitizer.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1" CACHE STRING "")
set(FETTLE_SANITIZE "thread" CACHE STRING "")
set(FETTLE_PCH ON CACHE BOOL "")
