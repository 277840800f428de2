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

find_program(GANTRY_CCACHE ccache)
if(GANTRY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${GANTRY_CCACHE})
endif()

find_program(GANTRY_LLD ld.lld)
if(GANTRY_LLD)
    target_link_options(gantry_settings INTERFACE -fuse-ld=lld)
endif()
