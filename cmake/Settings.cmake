# Language level, reproducible positions, and the two interface targets that our own code links.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

add_library(gantry_settings INTERFACE)
target_include_directories(gantry_settings INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
# Paths in assertions and debug information are relative, so equal sources give equal objects wherever they lie.
target_compile_options(gantry_settings INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
target_compile_options(gantry_settings INTERFACE $<$<CONFIG:Release>:-ffunction-sections -fdata-sections>)
target_link_options(gantry_settings INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections -Wl,--as-needed>)

# g++ collects garbage long before memory is short; where there is memory, a tenth of compiling is less without (1.3 GiB for the
# largest source instead of 1.0).
cmake_host_system_information(RESULT memory_mib QUERY TOTAL_PHYSICAL_MEMORY)
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
math(EXPR memory_of_core_mib "${memory_mib} / ${cores}")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND memory_of_core_mib GREATER 3000)
    add_compile_options("SHELL:--param ggc-min-expand=300" "SHELL:--param ggc-min-heapsize=1500000")
endif()

find_program(GANTRY_CCACHE ccache)
if(GANTRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${GANTRY_CCACHE})
endif()

find_program(GANTRY_LLD ld.lld)
if(GANTRY_LLD)
    target_link_options(gantry_settings INTERFACE -fuse-ld=lld)
endif()
