#include "cli/remote_command.h"

#include "cli/detail/carry_out.h"
#include "cli/detail/network_api.h"

namespace zona::cli {
namespace {

class Network final : public RemoteWay {
  public:
    core::Result<std::unique_ptr<Api>> open(const Remote& remote, const core::Secret& key,
                                            const core::Clock& clock,
                                            Interrupts& interrupts) override {
        return NetworkApi::make(remote, key, clock, interrupts);
    }
};

}  // namespace

int run_remote_command(const Surroundings& surroundings) {
    Network network;
    return answer_command(surroundings, &network);
}

}  // namespace zona::cli
