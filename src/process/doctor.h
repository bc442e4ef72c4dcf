/// @file
/// What this host lets zona do, and how to get what is missing: the checks that `zona doctor`
/// prints.
///
/// Nothing is changed. Namespaces are tried in a child that ends at once; the rest is read.
/// About 1 ms on an idle host.
/// Threading: any thread, also while another uses the Containment: only what never changes is
/// asked of it.
///
/// Source: PM-03, PM-66; GET /api/v1/host in docs/api.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process/containment.h"
#include "process/descriptor_budget.h"

namespace zona::process {

/// How much of a promise this host lets zona keep.
enum class CheckStatus : std::uint8_t {
    kOk,
    kDegraded,  ///< works, but less, slower or without a guarantee; `detail` says what
    kMissing,   ///< what needs it does not work
};

/// "ok", "degraded", "missing": as on the wire.
std::string_view to_string(CheckStatus status);

/// One line of the report.
struct HostCheck {
    std::string name;  ///< stable, e.g. "cgroup v2"; the order of the report is stable too
    CheckStatus status = CheckStatus::kOk;
    std::string detail;  ///< what was found, with its figures
    std::string cure;    ///< what to do; empty when ok
};

/// A check that found what it wants.
HostCheck ok(std::string name, std::string detail);
/// One that found less: zona works, and something is lost or in danger.
HostCheck degraded(std::string name, std::string detail, std::string cure);

/// Where to look.
struct DoctorOptions {
    std::string home;
    /// Where interpreters are searched: the value of PATH.
    std::string search_path;
    /// How the daemon shares its descriptors out; nothing: as with the defaults.
    std::optional<DescriptorBudget> descriptors = {};
    std::vector<std::string> docker_sockets = {"/var/run/docker.sock", "/run/docker.sock"};
    /// Stands for /sys/fs/cgroup.
    std::string cgroup_root = "/sys/fs/cgroup";
};

/// All checks: kernel and its calls, containment, namespaces, limits, home, interpreters, Docker.
std::vector<HostCheck> examine_host(const Containment& containment, const DoctorOptions& options);

}  // namespace zona::process
