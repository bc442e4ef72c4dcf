# The product below a prefix: bin/zona, what it starts in libexec/zona, and the licence texts of what is linked
# into it (docs/dependencies.md, "In the product").
set(licences share/doc/zona)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/NOTICE ${CMAKE_SOURCE_DIR}/docs/dependencies.md
    DESTINATION ${licences})
foreach(package libboost1.81-dev libfmt-dev libcli11-dev libyaml-cpp-dev libtomlplusplus-dev musl-dev
        libstdc++-12-dev)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION ${licences}/licences RENAME ${package} OPTIONAL)
endforeach()

# At the end of the configuration, when the programs are declared.
cmake_language(DEFER CALL install TARGETS zona RUNTIME DESTINATION bin)
cmake_language(DEFER CALL install TARGETS zonad zona-keeper zona-remote RUNTIME DESTINATION libexec/zona)
cmake_language(DEFER CALL install TARGETS zona-mongo zona-saml LIBRARY DESTINATION libexec/zona)
