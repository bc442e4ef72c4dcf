#include "os/thread.h"

#include <sys/prctl.h>

namespace zona::os {

void name_this_thread(const char* name) noexcept {
    ::prctl(PR_SET_NAME, name, 0, 0, 0);
}

}  // namespace zona::os
