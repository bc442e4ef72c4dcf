# zona_add_module: the one way to declare a module.
#
#   zona_add_module(NAME net
#       HEADERS server.h router.h            # public: all that other modules may include
#       SOURCES server.cpp detail/x.cpp
#       DEPENDS core os                      # lower modules, nothing else can be linked
#       LIBRARIES zona_boost                 # third-party targets or library names
#       TESTS router_test.cpp                # GoogleTest, one binary: net_test
#       FUZZ fuzz/http_fuzz.cpp              # one libFuzzer binary per file: net_http_fuzz
#       BENCHES router_bench.cpp)            # Google Benchmark, one binary: net_bench
#
# It makes the static library zona_<name> and, with ZONA_TESTS, a whole-archive link test (a dependency that
# is not declared fails the build) and a compile test of each public header on its own.
function(zona_add_module)
    cmake_parse_arguments(M "" "NAME" "HEADERS;SOURCES;DEPENDS;LIBRARIES;TESTS;TEST_LIBRARIES;FUZZ;BENCHES" ${ARGN})
    foreach(list M_SOURCES M_HEADERS M_TESTS M_FUZZ M_BENCHES)
        foreach(file ${${list}})
            if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
                # A warning while somebody works on it, an error where a commit is judged.
                if(DEFINED ENV{CI})
                    message(SEND_ERROR "${M_NAME}: ${file} is listed and does not exist")
                endif()
                message(WARNING "${M_NAME}: ${file} is listed and does not exist")
                list(REMOVE_ITEM ${list} ${file})
            endif()
        endforeach()
    endforeach()
    set(lib zona_${M_NAME})
    list(TRANSFORM M_DEPENDS PREPEND zona_ OUTPUT_VARIABLE deps)

    add_library(${lib} STATIC ${M_SOURCES})
    target_link_libraries(${lib} PUBLIC zona_flags ${deps} PRIVATE ${M_LIBRARIES})
    if("zona_boost" IN_LIST M_LIBRARIES)
        target_link_libraries(${lib} PUBLIC zona_boost)
    endif()

    if(ZONA_TESTS)
        set(main ${CMAKE_CURRENT_BINARY_DIR}/link_test.cpp)
        file(CONFIGURE OUTPUT ${main} CONTENT "int main() {}\n")
        add_executable(${M_NAME}_link_test ${main})
        target_link_libraries(${M_NAME}_link_test PRIVATE
            -Wl,--whole-archive,$<TARGET_FILE:${lib}>,--no-whole-archive ${lib})
        add_dependencies(${M_NAME}_link_test ${lib})

        set(checks "")
        foreach(header ${M_HEADERS})
            string(MAKE_C_IDENTIFIER ${header} id)
            set(check ${CMAKE_CURRENT_BINARY_DIR}/header_${id}.cpp)
            file(CONFIGURE OUTPUT ${check} CONTENT "#include \"${M_NAME}/${header}\"\n")
            list(APPEND checks ${check})
        endforeach()
        if(checks)
            add_library(${M_NAME}_header_test OBJECT ${checks})
            target_link_libraries(${M_NAME}_header_test PRIVATE ${lib})
            # Nothing of it is run; objects, other than -fsyntax-only, can come from the compiler cache.
            target_compile_options(${M_NAME}_header_test PRIVATE -O0 -g0)
        endif()

        if(M_TESTS)
            add_executable(${M_NAME}_test ${M_TESTS})
            target_link_libraries(${M_NAME}_test PRIVATE ${lib} ${M_LIBRARIES} ${M_TEST_LIBRARIES} GTest::gtest GTest::gtest_main)
            target_compile_definitions(${M_NAME}_test PRIVATE ZONA_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
            add_test(NAME ${M_NAME}_test COMMAND ${M_NAME}_test)
        endif()
    endif()

    if(ZONA_FUZZ)
        foreach(source ${M_FUZZ})
            get_filename_component(stem ${source} NAME_WE)
            add_executable(${M_NAME}_${stem} ${source})
            target_link_libraries(${M_NAME}_${stem} PRIVATE ${lib} ${M_LIBRARIES})
            target_link_options(${M_NAME}_${stem} PRIVATE -fsanitize=fuzzer)
        endforeach()
    endif()

    if(ZONA_BENCH AND M_BENCHES)
        find_package(benchmark REQUIRED)
        add_executable(${M_NAME}_bench ${M_BENCHES})
        target_link_libraries(${M_NAME}_bench PRIVATE ${lib} ${M_LIBRARIES} benchmark::benchmark benchmark::benchmark_main)
    endif()
endfunction()
