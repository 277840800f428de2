# gantry_library(<folder> LINK <targets...>): one static library per folder of src/, named gantry_<folder>.
function(gantry_library folder)
    cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp)
    string(REPLACE "/" "_" name ${folder})
    add_library(gantry_${name} STATIC ${sources})
    target_link_libraries(gantry_${name} PUBLIC gantry_settings ${ARG_LINK} PRIVATE gantry_warnings ${ARG_PRIVATE_LINK})
    if(GANTRY_DEV AND NOT GANTRY_SANITIZE) # what tests wait for: a simulated run takes a third of the time, for as much compiling
        target_compile_options(gantry_${name} PRIVATE -O1 ${gantry_no_suspicions})
    endif()
endfunction()

# gantry_tests(<folder> LINK <targets...> [ONLY <tags>]): every tests/<folder>/*_test.cpp as one program, one CTest entry per
# folder; of its cases those that Catch2 finds by the tags.
function(gantry_tests folder)
    cmake_parse_arguments(ARG "" "ONLY" "LINK" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/*_test.cpp)
    if(NOT sources)
        return()
    endif()
    add_executable(${folder}_tests ${sources})
    target_link_libraries(${folder}_tests PRIVATE ${ARG_LINK} gantry_test_support gantry_warnings)
    target_include_directories(${folder}_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    add_test(NAME ${GANTRY_TEST_PREFIX}${folder} COMMAND ${folder}_tests ${ARG_ONLY})
    gantry_unit_test(${folder})
    set_tests_properties(${GANTRY_TEST_PREFIX}${folder} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

# What all tests of our own code have in common.
function(gantry_unit_test name)
    set_tests_properties(${GANTRY_TEST_PREFIX}${name} PROPERTIES TIMEOUT 900 LABELS unit)
    if(GANTRY_SANITIZE) # ./dev test builds them while the others run
        set_tests_properties(${GANTRY_TEST_PREFIX}${name} PROPERTIES FIXTURES_REQUIRED ${GANTRY_TEST_PREFIX}built)
    endif()
endfunction()
