// What the members of Users share.
#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "core/text.h"
#include "identity/detail/fields.h"
#include "identity/users/detail/user_document.h"
#include "identity/users/users.h"

namespace zona::identity {

struct Users::Body {
    Body(UsersDeps given, PasswordRules first) : deps(std::move(given)), rules_(first) {}

    PasswordRules rules() const {
        const std::lock_guard lock(mutex_);
        return rules_;
    }
    void set_rules(PasswordRules rules) {
        const std::lock_guard lock(mutex_);
        rules_ = rules;
    }

    core::Result<detail::TenantUsers> of(const std::string& tenant) const {
        ZONA_TRY(auto sealer, deps.fields(tenant));
        return detail::TenantUsers::of(tenant, std::move(sealer));
    }

    /// Runs `use(core, done)` if the core database is open.
    template <class T, class Use>
    void with_core(store::Callback<T> done, Use use) const {
        const auto core = deps.core();
        if (!core) return done(detail::core_is_closed());
        use(*core, std::move(done));
    }

    /// Gives `done` what `work() -> Result<T>` gives, on a thread for that.
    template <class T, class Work>
    void blocking(Work work, store::Callback<T> done) const {
        deps.run_blocking(
            [work = std::move(work), done = std::move(done)]() mutable { done(work()); });
    }

    /// Whether somebody of these names may take the password. Errors: those of check_password().
    core::Result<void> check_new(const core::Secret& password, const std::string& tenant,
                                 std::string_view name, std::string_view email) const {
        const std::string words[] = {tenant, core::lower_ascii(name),
                                     core::lower_ascii(email.substr(0, email.find('@')))};
        return check_password(rules(), password, words);
    }

    /// The hash of a password that may follow these. Errors: kInvalidArgument: it is one of them.
    core::Result<std::string> hash_new(const core::Secret& password,
                                       const std::vector<std::string>& previous) const {
        for (const std::string& hash : previous) {
            ZONA_TRY(const PasswordMatch match, deps.hasher.verify(password, hash));
            if (match == PasswordMatch::kNo) continue;
            return core::Error(core::Code::kInvalidArgument,
                               "this password was used before: take another");
        }
        return deps.hasher.hash(password);
    }

    /// The hash of a new password of this user, who takes none of the last ones. Errors: kNotFound;
    /// those of check_new() and hash_new().
    static void hash_for(const std::shared_ptr<Body>& self, const std::string& tenant,
                         std::int64_t id, const core::Secret& password,
                         store::Callback<std::string> done);

    /// Another password of somebody who has just shown the present one.
    static void replace_password(const std::shared_ptr<Body>& self, const SignedIn& who,
                                 const std::string& present, const core::Secret& wanted,
                                 store::Callback<User> done);

    /// Answers once whoever keeps sessions has heard of the change.
    void tell_changed(User user, store::Callback<User> done) const {
        if (!deps.changed) return done(std::move(user));
        const std::string tenant = user.tenant;
        const std::int64_t id = user.id;
        deps.changed(tenant, id, [user = std::move(user), done = std::move(done)]() mutable {
            done(std::move(user));
        });
    }

    UsersDeps deps;

  private:
    mutable std::mutex mutex_;
    PasswordRules rules_;  ///< guarded by mutex_
};

}  // namespace zona::identity
