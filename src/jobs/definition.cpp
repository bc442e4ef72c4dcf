#include "jobs/definition.h"

namespace zona::jobs {

std::string_view to_string(Coverage coverage) {
    return coverage == Coverage::kInstallation ? "installation" : "each tenant";
}

std::string_view to_string(Instances instances) {
    return instances == Instances::kOne ? "one" : "each";
}

std::string_view to_string(Trigger trigger) {
    switch (trigger) {
        case Trigger::kSchedule:
            return "schedule";
        case Trigger::kMissed:
            return "missed";
        case Trigger::kRetry:
            return "retry";
        case Trigger::kInterrupted:
            return "interrupted";
        case Trigger::kManual:
            return "manual";
    }
    return "";
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::kRunning:
            return "running";
        case Outcome::kSucceeded:
            return "succeeded";
        case Outcome::kFailed:
            return "failed";
        case Outcome::kCancelled:
            return "cancelled";
        case Outcome::kTimedOut:
            return "timed_out";
        case Outcome::kLost:
            return "lost";
        case Outcome::kInterrupted:
            return "interrupted";
    }
    return "";
}

}  // namespace zona::jobs
