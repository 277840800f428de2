# GANTRY_SANITIZE is a list for -fsanitize=, such as "address,undefined" or "thread".
set(GANTRY_SANITIZE "" CACHE STRING "Sanitizers for everything that we compile")
if(GANTRY_SANITIZE)
    add_compile_options(-fsanitize=${GANTRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    # Checks of every pointer that is followed or moved, which are a third of what compiling costs: AddressSanitizer sees a null
    # pointer and one that leads out itself, sizes of objects are only known to an optimiser, and bytes are never read as what
    # they are not aligned for.
    add_compile_options(-fno-sanitize=null,alignment,object-size,vptr,pointer-overflow)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND GANTRY_SANITIZE MATCHES address)
        # The check of an access is a call instead of twenty instructions: a tenth less to compile.
        add_compile_options("SHELL:--param asan-instrumentation-with-call-threshold=0")
    endif()
    add_compile_options(${gantry_no_suspicions})
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND GANTRY_SANITIZE MATCHES thread)
        # Asio's fences, which ThreadSanitizer does not see: what it runs is ordered by mutexes as well.
        add_compile_options(-Wno-tsan)
    endif()
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang AND GANTRY_SANITIZE MATCHES undefined)
        # What clang 14 writes before a function for this check does not go with the parts of a coroutine.
        add_compile_options(-fno-sanitize=function)
    endif()
    add_link_options(-fsanitize=${GANTRY_SANITIZE})
endif()
