# Options and the two functions that every CMakeLists.txt of the project uses.
include(CTest)
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

option(FETTLE_DEMO "Build the demo shop of packaging/demo" ON)
option(FETTLE_PCH "Read the standard headers from a precompiled one: faster, and hides an #include that is missing" OFF)
option(FETTLE_WERROR "Treat warnings as errors (CI)" OFF)
set(FETTLE_SANITIZE "" CACHE STRING "Sanitizers for the whole build, as -fsanitize= takes them (address,undefined or thread)")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
set(CMAKE_COMPILE_WARNING_AS_ERROR ${FETTLE_WERROR})
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Objects are shared between build folders: paths are made relative and the folder is left out of the hash. Times of
  # headers count: without them a header that changes under a running compiler gives a wrong object for good.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_library(fettle_flags INTERFACE)
target_compile_options(fettle_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>  # GCC's -Wconversion leaves it out
  # With optimization GCC 12 sees these in std::string where they are not; the sanitizers find the real ones.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-maybe-uninitialized;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>)
if(FETTLE_SANITIZE)
  add_compile_options(-fsanitize=${FETTLE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FETTLE_SANITIZE})
  if(FETTLE_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fno-sanitize=vptr)  # takes error categories of GCC's library for objects of another type
  endif()
endif()
if(FETTLE_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-tsan)
endif()

if(FETTLE_PCH)
  find_package(fmt REQUIRED)
  file(CONFIGURE OUTPUT common_headers.cc CONTENT "")
  add_library(common_headers OBJECT ${CMAKE_BINARY_DIR}/common_headers.cc)
  target_link_libraries(common_headers PRIVATE fmt::fmt fettle_flags)
  target_precompile_headers(common_headers PRIVATE <algorithm> <array> <charconv> <chrono> <cstdint> <functional> <map>
    <memory> <optional> <set> <span> <string> <string_view> <utility> <vector> <fmt/format.h>)
endif()

# fettle_module(NAME SOURCES ... HEADERS ... [DEPENDS targets...] [PRIVATE targets...])
# The static library of agent/NAME: sources and public headers are listed by hand, includes start at agent/.
function(fettle_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;DEPENDS;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/agent FILES ${arg_HEADERS})
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS} PRIVATE fettle_flags ${arg_PRIVATE})
  if(FETTLE_PCH AND NOT name STREQUAL base)  # spdlog, which base alone uses, comes with -pthread: other macros
    target_precompile_headers(${name} REUSE_FROM common_headers)
  endif()
endfunction()

# fettle_plugins(VARIABLE MACRO [FOLDER/]): the sources that types.def of the calling folder, or of one inside it,
# names, one NAME.cc a line; each stands in one of the folders beside types.def.
function(fettle_plugins variable macro)
  set(list ${CMAKE_CURRENT_SOURCE_DIR}/${ARGV2}types.def)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  file(STRINGS ${list} lines REGEX "^${macro}\\(")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^${macro}\\(([a-z0-9_]+)\\).*" "\\1" name "${line}")
    file(GLOB found RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${ARGV2}*/${name}.cc)
    list(LENGTH found count)
    if(NOT count EQUAL 1)
      message(FATAL_ERROR "${list}: ${macro}(${name}) wants one ${name}.cc in the folders beside it, there are ${count}")
    endif()
    list(APPEND sources ${found})
  endforeach()
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# The program NAME of tests: compiled with less optimization than what it tests, which takes a third less time, and with
# the headers that almost each of its files includes read once.
function(fettle_test_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE fettle_flags)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# fettle_test(MODULE sources...): the doctest program unit_MODULE, one ctest entry, linked to the module it tests.
function(fettle_test module)
  fettle_test_program(unit_${module} ${ARGN})
  target_link_libraries(unit_${module} PRIVATE ${module} doctest_main)
  if(FETTLE_PCH)
    if(NOT TARGET test_headers)
      file(CONFIGURE OUTPUT test_headers.cc CONTENT "")
      fettle_test_program(test_headers ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cc)
      target_link_libraries(test_headers PRIVATE fmt::fmt doctest_main)
      target_precompile_headers(test_headers PRIVATE <algorithm> <array> <charconv> <chrono> <cstdint> <functional>
        <map> <memory> <optional> <set> <span> <string> <string_view> <utility> <vector> <fmt/format.h>
        <doctest/doctest.h>)
    endif()
    target_precompile_headers(unit_${module} REUSE_FROM test_headers)
  endif()
  add_test(NAME unit.${module} COMMAND unit_${module})
  set_tests_properties(unit.${module} PROPERTIES TIMEOUT 600 LABELS unit)
endfunction()
