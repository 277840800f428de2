# GANTRY_SANITIZE is a list for -fsanitize=, such as "address,undefined" or "thread".
set(GANTRY_SANITIZE "" CACHE STRING "Sanitizers for everything that we compile")
if(GANTRY_SANITIZE)
    add_compile_options(-fsanitize=${GANTRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    # g++ suspects in instrumented code what is not there.
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-mismatched-new-delete>)
    add_link_options(-fsanitize=${GANTRY_SANITIZE})
endif()
