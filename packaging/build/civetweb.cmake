# Gives the target civetweb::civetweb: CivetWeb with TLS, IPv6 and unix sockets, proved by a real handshake while CMake
# configures (civetweb-check.c). The system's library is taken if it passes; else the source that
# packaging/build/civetweb.sh fetched is built as a static library. CMake itself downloads nothing.
set(FETTLE_CIVETWEB_SOURCE ${CMAKE_SOURCE_DIR}/build/deps/civetweb CACHE PATH
    "Source of CivetWeb, as packaging/build/civetweb.sh leaves it; several build folders share it")
find_package(OpenSSL 3 REQUIRED)

# USE_STACK_SIZE: one thread per open connection, each with 1 MiB of address space; glibc would take 8.
# STOP_FLAG_NEEDS_LOCK: the flag that stops the threads is an atomic, not just volatile (ThreadSanitizer sees it).
# SOCKET_TIMEOUT_QUANTUM: how long (ms) a thread in poll() may overlook that the server stops.
set(civetweb_definitions NO_SSL_DL OPENSSL_API_3_0 USE_IPV6 USE_X_DOM_SOCKET NO_CGI NO_CACHING NO_FILES
    STOP_FLAG_NEEDS_LOCK USE_STACK_SIZE=1048576 SOCKET_TIMEOUT_QUANTUM=250)

# civetweb_check(VARIABLE WHAT KEY ...): runs civetweb-check.c with the given sources and libraries; what passed
# once for a KEY is not run again.
function(civetweb_check variable what key)
  cmake_parse_arguments(arg "" "" "SOURCES;INCLUDES;DEFINITIONS;LIBRARIES" ${ARGN})
  if(${variable} AND "${${variable}_KEY}" STREQUAL "${key}")
    return()
  endif()
  message(CHECK_START "Making a TLS connection to ${what}")
  list(TRANSFORM arg_DEFINITIONS PREPEND -D)
  unset(civetweb_runs CACHE)
  unset(civetweb_compiles CACHE)
  set(CMAKE_C_FLAGS "")  # no sanitizers, no warnings: this is about the library
  try_run(civetweb_runs civetweb_compiles
    SOURCES ${CMAKE_SOURCE_DIR}/packaging/build/civetweb-check.c ${arg_SOURCES}
    CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${arg_INCLUDES}"
    COMPILE_DEFINITIONS ${arg_DEFINITIONS}
    LINK_LIBRARIES ${arg_LIBRARIES} OpenSSL::SSL OpenSSL::Crypto Threads::Threads dl
    COMPILE_OUTPUT_VARIABLE compile_output
    RUN_OUTPUT_VARIABLE run_output)
  set(passed FALSE)
  if(NOT civetweb_compiles)
    message(CHECK_FAIL "it does not compile")
    file(APPEND ${CMAKE_BINARY_DIR}${CMAKE_FILES_DIRECTORY}/civetweb-check.log "${compile_output}\n")
  elseif(civetweb_runs STREQUAL "0")
    set(passed TRUE)
    message(CHECK_PASS "works")
  else()
    string(STRIP "${run_output}" run_output)
    message(CHECK_FAIL "${civetweb_runs}: ${run_output}")
  endif()
  set(${variable} ${passed} CACHE INTERNAL "${what} makes TLS connections")
  set(${variable}_KEY "${key}" CACHE INTERNAL "")
endfunction()

find_path(CIVETWEB_INCLUDE_DIR civetweb.h)
find_library(CIVETWEB_LIBRARY civetweb)
mark_as_advanced(CIVETWEB_INCLUDE_DIR CIVETWEB_LIBRARY)

if(CIVETWEB_INCLUDE_DIR AND CIVETWEB_LIBRARY)
  file(STRINGS ${CIVETWEB_INCLUDE_DIR}/civetweb.h version_line REGEX "define CIVETWEB_VERSION \"")
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" civetweb_system_version "${version_line}")
  # Before 1.16 there is no fix for CVE-2025-55763 to hope for, whatever its TLS does.
  if(civetweb_system_version VERSION_GREATER_EQUAL 1.16)
    civetweb_check(CIVETWEB_SYSTEM_WORKS "the system's CivetWeb ${civetweb_system_version}"
      "${CIVETWEB_LIBRARY} ${civetweb_system_version}"
      INCLUDES ${CIVETWEB_INCLUDE_DIR} LIBRARIES ${CIVETWEB_LIBRARY})
  endif()
endif()

if(CIVETWEB_SYSTEM_WORKS AND CIVETWEB_LIBRARY)
  add_library(civetweb::civetweb UNKNOWN IMPORTED)
  set_target_properties(civetweb::civetweb PROPERTIES
    IMPORTED_LOCATION ${CIVETWEB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${CIVETWEB_INCLUDE_DIR})
  return()
endif()

if(NOT EXISTS ${FETTLE_CIVETWEB_SOURCE}/src/civetweb.c)
  message(FATAL_ERROR
    "The CivetWeb of this system cannot serve TLS and unix sockets (Debian 12's crashes with OpenSSL 3), and its source "
    "is not in ${FETTLE_CIVETWEB_SOURCE}. Fetch it once with\n"
    "  packaging/build/civetweb.sh ${FETTLE_CIVETWEB_SOURCE}\n"
    "which needs apt, the network and no root, or name it with -DFETTLE_CIVETWEB_SOURCE=FOLDER.")
endif()

file(READ ${FETTLE_CIVETWEB_SOURCE}/.fettle-version civetweb_version)
string(STRIP "${civetweb_version}" civetweb_version)
civetweb_check(CIVETWEB_SOURCE_WORKS "CivetWeb ${civetweb_version}"
  "${FETTLE_CIVETWEB_SOURCE} ${civetweb_version} ${civetweb_definitions} ${OPENSSL_VERSION}"
  SOURCES ${FETTLE_CIVETWEB_SOURCE}/src/civetweb.c
  INCLUDES ${FETTLE_CIVETWEB_SOURCE}/include
  DEFINITIONS ${civetweb_definitions})
if(NOT CIVETWEB_SOURCE_WORKS)
  message(FATAL_ERROR "CivetWeb in ${FETTLE_CIVETWEB_SOURCE} makes no TLS connection here; what it said is above and in "
    "${CMAKE_BINARY_DIR}${CMAKE_FILES_DIRECTORY}/civetweb-check.log. Remove the folder and run packaging/build/civetweb.sh again.")
endif()

# A library of others: none of our warnings, its own symbols only where we link it.
add_library(civetweb_static STATIC ${FETTLE_CIVETWEB_SOURCE}/src/civetweb.c)
target_compile_definitions(civetweb_static PRIVATE ${civetweb_definitions} NDEBUG)
target_compile_options(civetweb_static PRIVATE -w -fvisibility=hidden)
if(FETTLE_SANITIZE STREQUAL "thread")
  # Its stop flag is read plainly in one loop. Threads, mutexes and what we do on its threads are watched as before.
  target_compile_options(civetweb_static PRIVATE -fno-sanitize=thread)
endif()
set_target_properties(civetweb_static PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
target_include_directories(civetweb_static SYSTEM PUBLIC ${FETTLE_CIVETWEB_SOURCE}/include)
target_link_libraries(civetweb_static PRIVATE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
add_library(civetweb::civetweb ALIAS civetweb_static)
