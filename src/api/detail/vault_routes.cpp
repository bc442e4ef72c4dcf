#include "api/detail/vault_routes.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/execution_routes.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/keys/key_care.h"
#include "tenancy/keys/key_rotation.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::KeyReport;
using vault::KeyOwner;

namespace {

Shape owner_shape(std::string doc) {
    return Shape::text(std::move(doc)).length(1, 64).example("\"acme\"");
}

Shape key_owner_shape() {
    const Shape key = Shape::object(
        {required("id", Shape::text("8 digits, in clear beside what it encrypts.")),
         required("state", Shape::text("What is written now is encrypted under the current key; an "
                                       "old one opens what it encrypted.")
                               .choices({"current", "old"})),
         required("made_at", Shape::text("When it was made.").format(Format::kTime))},
        "What is known of a key; the key itself is never shown.");
    return Shape::object(
        {required("owner", Shape::text("A tenant's code, or `core`: the installation.")),
         required("keys", Shape::array("In the order of their making.", key)),
         required("revoked_at", Shape::text("When its keys were forgotten; null: they were not.")
                                    .format(Format::kTime)
                                    .nullable())},
        "Whose data is encrypted under which keys.");
}

Shape vault_shape() {
    return Shape::object(
        {required("root_key", Shape::text("The id of the key that all keys are wrapped with.")),
         required("provider", Shape::text("Where a new root key would be made.")),
         required("problem", Shape::text("Why the root key is not there now; null: it is. What is "
                                         "open goes on, the next start needs it.")
                                 .nullable()),
         required("owners", Shape::array("`core` and tenants.", Shape::component("KeyOwner")))},
        "The keys of this installation.");
}

const char* const kOwnerExample = R"({"owner": "acme", "keys": [
    {"id": "5f3a9c01", "state": "old", "made_at": "2026-01-31T12:00:00.000Z"},
    {"id": "c2710be4", "state": "current", "made_at": "2026-05-01T12:00:00.000Z"}],
    "revoked_at": null})";

std::string vault_example() {
    return fmt::format(R"({{"root_key": "77b1d2e09a4c5f3e",
        "provider": "the file /var/lib/zona/root-key", "problem": null, "owners": [{}]}})",
                       kOwnerExample);
}

Operation get_vault() {
    return {.path = "/api/v1/vault",
            .id = "getVault",
            .tag = Tag::kVault,
            .summary = "Show the ids and ages of all keys",
            .description = "And whether the root key is there. No key is ever shown.",
            .answers = {{.description = "The keys.",
                         .shape = Shape::component("Vault"),
                         .example = vault_example()}}};
}

Operation rotate_keys() {
    AnswerSpec begun = not_waited_for("rotateDataKeys");
    begun.description = "It goes on as an execution, whose path the header Location names.";
    return {.method = Method::kPost,
            .path = "/api/v1/vault/rotations",
            .id = "rotateDataKeys",
            .tag = Tag::kVault,
            .access = Access::kAdmin,
            .summary = "Give one owner, or all, a new key",
            .description =
                "What is written from then on is under the new key; what is there stays readable, "
                "and is encrypted anew beside its use. Then the old keys are forgotten, but for "
                "those of an owner with backups, which need them. One at a time, this or the job "
                "key-rotation. The outcome has the `owners` and counts: `rotated`, `retired`, "
                "`waiting` for backups, `passwords` and `resealed` documents.",
            .body = BodySpec{Shape::object({optional("owner", owner_shape("Else all."))}),
                             {{"one", "One tenant", R"({"owner": "acme"})"}}},
            .answers = {std::move(begun)},
            .errors = {{Code::kNotFound, "It has no keys, or they were revoked."},
                       {Code::kConflict, "The keys are being changed already."}}};
}

Operation rewrap_keys() {
    return {.method = Method::kPost,
            .path = "/api/v1/vault/rewrappings",
            .id = "rewrapDataKeys",
            .tag = Tag::kVault,
            .access = Access::kAdmin,
            .summary = "Wrap all keys with a new root key",
            .description =
                "Of the provider that the setting tenancy.root_key names, which is how the "
                "provider is changed. No data is touched.",
            .answers = {{.status = 201,
                         .description = "The keys as they are now.",
                         .shape = Shape::component("Vault"),
                         .example = vault_example()}}};
}

Operation revoke_keys() {
    return {
        .method = Method::kPost,
        .path = "/api/v1/vault/revocations",
        .id = "revokeDataKeys",
        .tag = Tag::kVault,
        .access = Access::kAdmin,
        .summary = "Forget a tenant's keys for good",
        .description =
            "The tenant is deactivated, and what was encrypted for it, copies and backups "
            "included, is read by nobody any more. There is no way back.",
        .body =
            BodySpec{Shape::object({required("owner", owner_shape("The tenant's code.")),
                                    required("confirm", owner_shape("The same once more: "
                                                                    "else it is refused."))}),
                     {{"acme", "Forget acme's keys", R"({"owner": "acme", "confirm": "acme"})"}}},
        .answers = {{.description = "What is left of it.",
                     .shape = Shape::component("KeyOwner"),
                     .example = R"({"owner": "acme", "keys": [],
                             "revoked_at": "2026-05-01T12:00:00.000Z"})"}},
        .errors = {{Code::kNotFound, "There is no such tenant, or it has no keys."},
                   {Code::kConflict, "The tenant was erased, or its keys were revoked."}}};
}

json::object shown(const KeyOwner& owner) {
    json::array keys;
    for (const vault::DataKeyInfo& key : owner.keys) {
        keys.push_back(json::object{{"id", fmt::format("{:08x}", std::to_underlying(key.id))},
                                    {"state", key.id == owner.keys.back().id ? "current" : "old"},
                                    {"made_at", core::to_rfc3339(key.made_at)}});
    }
    json::object out = {
        {"owner", owner.tenant}, {"keys", std::move(keys)}, {"revoked_at", nullptr}};
    if (owner.erased_at) out["revoked_at"] = core::to_rfc3339(*owner.erased_at);
    return out;
}

json::array shown(const std::vector<KeyOwner>& owners) {
    json::array out;
    for (const KeyOwner& owner : owners)
        out.push_back(shown(owner));
    return out;
}

json::object shown(const KeyReport& report) {
    json::object out = {{"root_key", report.root},
                        {"provider", report.provider},
                        {"problem", nullptr},
                        {"owners", shown(report.owners)}};
    if (report.problem) out["problem"] = report.problem->message();
    return out;
}

Result<json::object> rotate_all(const tenancy::KeyRotation::Turn& turn,
                                const jobs::TaskContext& task) {
    std::vector<std::string> owners = {task.tenant()};
    if (task.tenant().empty()) {
        ZONA_TRY(owners, turn.owners());
    }
    const auto go_on = [stop = task.stop_token()] {
        if (!stop.stop_requested()) return Result<void>();
        return Result<void>(core::Error(Code::kCancelled, "it was told to end"));
    };
    ZONA_TRY(const tenancy::Rotated done,
             turn.rotate_all(owners, {.age = {}, .go_on = go_on, .tell = task.progress()}));
    json::array names(owners.begin(), owners.end());
    return json::object{{"owners", std::move(names)},  {"rotated", done.rotated},
                        {"retired", done.retired},     {"waiting", done.waiting},
                        {"passwords", done.passwords}, {"resealed", done.resealed}};
}

class VaultRoutes {
  public:
    VaultRoutes(const DaemonApiDeps& deps, const Tasks& tasks)
        : deps_(deps), tasks_(tasks), care_(deps.tenants, deps.logging.logger("vault")) {}

    Answer show(Call&) const {
        auto begin = [this](process::Callback<KeyReport> done) { care_.report(std::move(done)); };
        ZONA_CO_TRY(const KeyReport report, co_await answer_of<KeyReport>(std::move(begin)));
        co_return Response::success(core::to_json(shown(report)));
    }

    Answer rotate(Call& call) const {
        const std::string owner = text_of(call.body().get_object(), "owner");
        auto begin = [this](process::Callback<KeyReport> done) { care_.report(std::move(done)); };
        ZONA_CO_TRY(const KeyReport report, co_await answer_of<KeyReport>(std::move(begin)));
        const bool has_keys = std::ranges::any_of(report.owners, [&](const KeyOwner& one) {
            return one.tenant == owner && !one.erased_at;
        });
        if (!owner.empty() && !has_keys) {
            co_return core::Error(Code::kNotFound, fmt::format("'{}' has no keys", owner))
                .detail({"/owner", "", "zona vault keys shows who has some",
                         core::Detail::Place::kPointer});
        }
        {
            // Who asks while another rotation goes on is told at once.
            ZONA_CO_TRY(const tenancy::KeyRotation::Turn turn, deps_.rotation.begin());
        }
        co_return co_await tasks_.begin(call, owner, json::object());
    }

    Answer rewrap(Call&) const {
        auto begin = [this](process::Callback<KeyReport> done) { care_.rewrap(std::move(done)); };
        ZONA_CO_TRY(const KeyReport report, co_await answer_of<KeyReport>(std::move(begin)));
        co_return Response::success(core::to_json(shown(report)), {}, 201);
    }

    Answer revoke(Call& call) const {
        const std::string owner = text_of(call.body().get_object(), "owner");
        if (text_of(call.body().get_object(), "confirm") != owner) {
            co_return core::Error(Code::kInvalidArgument,
                                  "what cannot be undone needs the tenant's code twice")
                .detail({"/confirm", "is not the same as /owner", "repeat the code exactly",
                         core::Detail::Place::kPointer});
        }
        auto begin = [this, owner](process::Callback<KeyOwner> done) {
            care_.revoke(owner, std::move(done));
        };
        ZONA_CO_TRY(const KeyOwner revoked, co_await answer_of<KeyOwner>(std::move(begin)));
        co_return Response::success(core::to_json(shown(revoked)));
    }

  private:
    const DaemonApiDeps& deps_;
    const Tasks& tasks_;
    tenancy::KeyCare care_;
};

}  // namespace

Result<void> add_vault_routes(Service& service, const DaemonApiDeps* deps, Tasks* tasks) {
    service.name("KeyOwner", key_owner_shape());
    service.name("Vault", vault_shape());
    if (tasks != nullptr) {
        tasks->handle({.operation = "rotateDataKeys",
                       .action = "rotate",
                       .work = [&rotation = deps->rotation](
                                   const jobs::TaskContext& task) -> Result<json::object> {
                           ZONA_TRY(const tenancy::KeyRotation::Turn turn, rotation.begin());
                           return rotate_all(turn, task);
                       }});
    }
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const VaultRoutes>(*deps, *tasks);
    using Member = Answer (VaultRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{get_vault(), &VaultRoutes::show},
                                                 {rotate_keys(), &VaultRoutes::rotate},
                                                 {rewrap_keys(), &VaultRoutes::rewrap},
                                                 {revoke_keys(), &VaultRoutes::revoke}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
