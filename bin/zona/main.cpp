// The command `zona`: gathers where it was typed and hands over.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

#include "cli/command.h"
#include "os/spawn.h"

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
    zona::cli::Surroundings surroundings;
    surroundings.arguments.assign(argv + (argc > 0 ? 1 : 0), argv + argc);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        surroundings.environment.emplace_back(*entry);
    }
    std::error_code gone;
    surroundings.cwd = std::filesystem::current_path(gone).string();
    surroundings.uid = geteuid();
    // Looked up only when needed: the user database may load libraries.
    if (std::getenv("HOME") == nullptr) {
        surroundings.user_home = zona::os::find_user(surroundings.uid).home;
    }
    return zona::cli::run_command(surroundings);
}
