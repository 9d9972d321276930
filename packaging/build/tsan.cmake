# cmake -C packaging/build/tsan.cmake -S . -B build/tsan: the modules with threads (web, state, self; by hand also app,
# which needs all others) under ThreadSanitizer. Without a precompiled header, so that an #include that is missing is an
# error here.
set(CMAKE_C_COMPILER clang CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++ CACHE STRING "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1" CACHE STRING "")
set(FETTLE_SANITIZE "thread" CACHE STRING "")
