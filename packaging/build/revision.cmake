# cmake -DSOURCE=FOLDER -DOUTPUT=FILE -P revision.cmake: writes the revision of a source tree into a header, if it is
# another one than before.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR NOT revision MATCHES "^[0-9a-f]+$")
  set(revision unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define FETTLE_REVISION \"${revision}\"\n")
