# cmake -C packaging/build/dev.cmake -S . -B build/dev: for daily work and the tests.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1" CACHE STRING "")
