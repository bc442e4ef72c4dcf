// The command `zona`: gathers where it was typed and hands over.
#include <cstring>
#include <string_view>

#include <unistd.h>

#include "cli/command.h"

namespace {

/// `zona --version` is asked by scripts at every start: answered before anything is built.
bool asks_only_for_version(int argc, char** argv) {
    if (argc != 2) return false;
    return std::strcmp(argv[1], "--version") == 0 || std::strcmp(argv[1], "-V") == 0 ||
           std::strcmp(argv[1], "-v") == 0;
}

int print_version() {
    constexpr std::string_view kText = ZONA_VERSION "\n";
    return write(STDOUT_FILENO, kText.data(), kText.size()) == ssize_t{kText.size()} ? 0 : 7;
}

}  // namespace

int main(int argc, char** argv) {
    if (asks_only_for_version(argc, argv)) return print_version();
    return zona::cli::run_command(zona::cli::surroundings_of_process(argc, argv));
}
