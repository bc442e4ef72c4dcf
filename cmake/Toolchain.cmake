# Compiler flags and the third-party libraries, in one place.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
if(ZONA_TESTS)
    find_package(GTest REQUIRED)
    enable_testing()
endif()

# Flags of all first-party code.
add_library(zona_flags INTERFACE)
target_compile_options(zona_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Werror -Wno-missing-field-initializers
    -fno-omit-frame-pointer -fdata-sections -ffunction-sections)
target_include_directories(zona_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(zona_flags INTERFACE ZONA_VERSION="${PROJECT_VERSION}"
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_SEPARATE_COMPILATION
    BOOST_ASIO_DISABLE_VISIBILITY
    # Else small coroutines that live long get the memory of large ones that do not; malloc is as fast.
    BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=0)
target_link_options(zona_flags INTERFACE -fuse-ld=lld -Wl,--gc-sections -Wl,--as-needed)
if(ZONA_FAULTS)
    target_compile_definitions(zona_flags INTERFACE ZONA_FAULTS=1)
endif()
if(ZONA_SANITIZE)
    target_compile_options(zona_flags INTERFACE -fsanitize=${ZONA_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(zona_flags INTERFACE -fsanitize=${ZONA_SANITIZE})
elseif(NOT ZONA_COVERAGE)
    # The command starts in a millisecond: no shared C++ runtime to load.
    target_link_options(zona_flags INTERFACE -static-libstdc++ -static-libgcc)
endif()
if(ZONA_COVERAGE)
    # The place is built in: the daemon gets little of its starter's environment. %c counts in the
    # file itself, so a killed process is counted, too.
    set(profile ${CMAKE_BINARY_DIR}/profiles/%m%c.profraw)
    target_compile_options(zona_flags INTERFACE -fprofile-instr-generate=${profile}
        -fcoverage-mapping -mllvm -runtime-counter-relocation)
    target_link_options(zona_flags INTERFACE -fprofile-instr-generate=${profile})
endif()
if(ZONA_FUZZ)
    target_compile_options(zona_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Third-party headers are system headers: our warnings are about our code.
add_library(zona_boost INTERFACE)
target_include_directories(zona_boost SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})

include(Install)
