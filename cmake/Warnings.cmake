# Warnings for our code only. -Wnull-dereference is left out: it misfires on Asio's headers at -O2.
option(GANTRY_DEV "Treat warnings as errors" OFF)
add_library(gantry_warnings INTERFACE)
target_compile_options(gantry_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
# A struct with defaults is meant to be initialised in part.
target_compile_options(gantry_warnings INTERFACE -Wno-missing-field-initializers)
# g++ 13 and later suspect every reference that a function returns beside a temporary argument, such as a JSON member by name.
target_compile_options(gantry_warnings INTERFACE
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-dangling-reference>)
# Several sources in one file see each other's names, and what is a source's own is no longer in the main file.
if(CMAKE_UNITY_BUILD)
    target_compile_options(gantry_warnings INTERFACE -Wno-shadow)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
if(GANTRY_DEV)
    target_compile_options(gantry_warnings INTERFACE -Werror)
endif()
# What g++ 12 suspects, and is not there, in instrumented code, and once a coroutine's allocation is inlined. For whom it concerns.
set(gantry_no_suspicions $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-mismatched-new-delete>)
# What g++ 12 to 14 suspects where texts are put together and maps compared, once all of it is inlined; in debug builds it does not.
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-restrict$<SEMICOLON>-Wno-nonnull>)
endif()
