// The command `zona` for another host. `zona` becomes this program when --host, a context or the
// environment says so; it takes the same words.
#include "cli/remote_command.h"

int main(int argc, char** argv) {
    return zona::cli::run_remote_command(zona::cli::surroundings_of_process(argc, argv));
}
