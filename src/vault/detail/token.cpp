#include "vault/detail/token.h"

#include <algorithm>
#include <array>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>

#include "crypto/encoding.h"

namespace zona::vault::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr CK_ULONG kKeyBytes = 32;
constexpr CK_ULONG kTagBits = 128;
constexpr CK_ULONG kMostFound = 64;

/// Codes that people meet, by name; others stay numbers.
std::string name_of(CK_RV code) {
    constexpr std::pair<CK_RV, std::string_view> kNames[] = {
        {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR"},
        {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR"},
        {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"},
        {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"},
        {CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED"},
        {CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED"},
        {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID"},
        {CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED"},
        {CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"},
        {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED"},
    };
    const auto* const found =
        std::ranges::find(kNames, code, &std::pair<CK_RV, std::string_view>::first);
    return found != std::end(kNames) ? std::string(found->second) : fmt::format("{:#x}", code);
}

/// Whether a new session may do what this one could not.
bool is_lost(CK_RV code) {
    return code == CKR_SESSION_HANDLE_INVALID || code == CKR_SESSION_CLOSED ||
           code == CKR_USER_NOT_LOGGED_IN || code == CKR_DEVICE_REMOVED ||
           code == CKR_TOKEN_NOT_PRESENT || code == CKR_DEVICE_ERROR ||
           code == CKR_CRYPTOKI_NOT_INITIALIZED;
}

/// The interface takes pointers that it does not write through as if it did.
CK_BYTE_PTR in(const void* data) {
    return static_cast<CK_BYTE_PTR>(const_cast<void*>(data));
}

std::string_view unpadded(std::string_view label) {
    return label.substr(0, label.find_last_not_of(std::string_view(" \0", 2)) + 1);
}

CK_RV initialize(CK_FUNCTION_LIST& calls) {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const CK_RV code = calls.C_Initialize(&arguments);
    return code == CKR_CRYPTOKI_ALREADY_INITIALIZED ? CK_RV{CKR_OK} : code;
}

}  // namespace

Token::~Token() {
    // The module stays loaded and initialised: others in this process may use it.
    disconnect();
}

Error Token::failure(Step step) const {
    return Error(Code::kUnavailable,
                 fmt::format("the token '{}' does not do what it is asked: {} gave {}; see that it "
                             "is there and its module {} works",
                             options_.token, step.call, name_of(step.code), options_.module));
}

Result<void> Token::load() {
    if (calls_ != nullptr) return {};
    const auto refused = [this](std::string_view why) {
        return Error(Code::kInvalidArgument,
                     fmt::format("the PKCS#11 module {} cannot be used: {}; check "
                                 "tenancy.pkcs11_module",
                                 options_.module.empty() ? "(none)" : options_.module, why));
    };
    if (!options_.module.starts_with('/')) return refused("its path is not absolute");
    void* const library = ::dlopen(options_.module.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return refused(::dlerror());
    const auto list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (list == nullptr) return refused("it has no C_GetFunctionList");
    CK_FUNCTION_LIST* calls = nullptr;
    if (list(&calls) != CKR_OK || calls == nullptr) return refused("it gives no functions");
    const CK_RV code = initialize(*calls);
    if (code != CKR_OK) return refused(fmt::format("C_Initialize gave {}", name_of(code)));
    calls_ = calls;
    return {};
}

Result<CK_SLOT_ID> Token::find_slot() {
    auto slot = look_for_slot();
    if (slot) return slot;
    // Some modules look for tokens only as they begin.
    calls_->C_Finalize(nullptr);
    if (const CK_RV code = initialize(*calls_); code != CKR_OK)
        return failure({code, "C_Initialize"});
    return look_for_slot();
}

Result<CK_SLOT_ID> Token::look_for_slot() const {
    CK_ULONG count = 0;
    CK_RV code = calls_->C_GetSlotList(CK_TRUE, nullptr, &count);
    std::vector<CK_SLOT_ID> slots(count);
    if (code == CKR_OK) code = calls_->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (code != CKR_OK) return failure({code, "C_GetSlotList"});
    slots.resize(count);
    std::vector<std::string> seen;
    for (const CK_SLOT_ID slot : slots) {
        CK_TOKEN_INFO info{};
        if (calls_->C_GetTokenInfo(slot, &info) != CKR_OK) continue;
        const std::string_view label =
            unpadded({reinterpret_cast<const char*>(info.label), sizeof(info.label)});
        if (label == options_.token) return slot;
        if (!label.empty()) seen.emplace_back(label);
    }
    return Error(Code::kUnavailable,
                 fmt::format("the token '{}' is not there: {} has {}; put it in, or set "
                             "tenancy.pkcs11_token",
                             options_.token, options_.module,
                             seen.empty() ? "none" : fmt::format("'{}'", fmt::join(seen, "', '"))));
}

Result<void> Token::log_in() {
    ZONA_TRY(const core::Secret pin, options_.pin());
    if (refused_pin_ && refused_pin_->same_as(pin)) {
        return Error(
            Code::kForbidden,
            fmt::format("the token '{}' has refused the PIN, which is not tried again lest "
                        "the token lock itself: give the right one and restart zona",
                        options_.token));
    }
    const std::string_view text = pin.reveal();
    const CK_RV code = calls_->C_Login(session_, CKU_USER, in(text.data()), text.size());
    switch (code) {
        case CKR_OK:
        case CKR_USER_ALREADY_LOGGED_IN:
            return {};
        case CKR_PIN_INCORRECT:
        case CKR_PIN_INVALID:
        case CKR_PIN_LEN_RANGE:
            refused_pin_ = pin;
            return Error(Code::kForbidden,
                         fmt::format("the PIN of the token '{}' is wrong", options_.token));
        case CKR_PIN_LOCKED:
            refused_pin_ = pin;
            return Error(Code::kForbidden,
                         fmt::format("the PIN of the token '{}' is locked: unlock it as its "
                                     "security officer",
                                     options_.token));
        default:
            return failure({code, "C_Login"});
    }
}

Result<void> Token::connect() {
    if (session_ != CK_INVALID_HANDLE) return {};
    ZONA_TRY_VOID(load());
    ZONA_TRY(const CK_SLOT_ID slot, find_slot());
    const CK_RV code = calls_->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                             nullptr, &session_);
    if (code != CKR_OK) {
        session_ = CK_INVALID_HANDLE;
        return failure({code, "C_OpenSession"});
    }
    auto in = log_in();
    if (!in) disconnect();
    return in;
}

void Token::disconnect() {
    if (session_ != CK_INVALID_HANDLE) calls_->C_CloseSession(session_);
    session_ = CK_INVALID_HANDLE;
}

/// `work() -> Step` in a session; once more in a new one when that was lost.
template <class Work>
Result<void> Token::run(Work work) {
    const std::scoped_lock lock(mutex_);
    for (int tries = 1;; ++tries) {
        const bool is_new = session_ == CK_INVALID_HANDLE;
        ZONA_TRY_VOID(connect());
        const Step step = work();
        if (step.code == CKR_OK) return {};
        if (is_lost(step.code)) disconnect();
        if (!is_lost(step.code) || is_new || tries > 1) return failure(step);
    }
}

Token::Step Token::find_keys(std::optional<std::string_view> id,
                             std::vector<CK_OBJECT_HANDLE>& found) {
    CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
    std::vector<CK_ATTRIBUTE> wanted = {
        {CKA_CLASS, &kind, sizeof(kind)},
        {CKA_LABEL, in(options_.label.data()), options_.label.size()},
    };
    std::string bytes;
    if (id) {
        auto decoded = crypto::from_hex(*id);
        if (!decoded) return {};
        bytes = *std::move(decoded);
        wanted.push_back({CKA_ID, bytes.data(), bytes.size()});
    }
    CK_RV code = calls_->C_FindObjectsInit(session_, wanted.data(), wanted.size());
    if (code != CKR_OK) return {code, "C_FindObjectsInit"};
    found.resize(kMostFound);
    CK_ULONG count = 0;
    code = calls_->C_FindObjects(session_, found.data(), found.size(), &count);
    found.resize(count);
    calls_->C_FindObjectsFinal(session_);
    return {code, "C_FindObjects"};
}

Token::Step Token::id_of(CK_OBJECT_HANDLE key, std::string& id) {
    std::array<std::byte, 64> bytes{};
    CK_ATTRIBUTE wanted{CKA_ID, bytes.data(), bytes.size()};
    const CK_RV code = calls_->C_GetAttributeValue(session_, key, &wanted, 1);
    if (code == CKR_OK) id = crypto::hex(std::span(bytes).first(wanted.ulValueLen));
    return {code, "C_GetAttributeValue"};
}

Result<std::vector<std::string>> Token::ids() {
    std::vector<std::string> out;
    ZONA_TRY_VOID(run([&]() -> Step {
        out.clear();
        std::vector<CK_OBJECT_HANDLE> keys;
        if (const Step step = find_keys({}, keys); step.code != CKR_OK) return step;
        for (const CK_OBJECT_HANDLE key : keys) {
            if (const Step step = id_of(key, out.emplace_back()); step.code != CKR_OK) return step;
        }
        return {};
    }));
    return out;
}

Result<void> Token::make(std::string_view id) {
    const auto bytes = crypto::from_hex(id);
    if (!bytes) return Error(Code::kInvalidArgument, "an id of a key is hexadecimal digits");
    return run([&]() -> Step {
        CK_MECHANISM how{CKM_AES_KEY_GEN, nullptr, 0};
        CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
        CK_KEY_TYPE type = CKK_AES;
        CK_ULONG size = kKeyBytes;
        CK_BBOOL yes = CK_TRUE;
        CK_BBOOL no = CK_FALSE;
        std::array what = {
            CK_ATTRIBUTE{CKA_CLASS, &kind, sizeof(kind)},
            CK_ATTRIBUTE{CKA_KEY_TYPE, &type, sizeof(type)},
            CK_ATTRIBUTE{CKA_VALUE_LEN, &size, sizeof(size)},
            CK_ATTRIBUTE{CKA_TOKEN, &yes, sizeof(yes)},
            CK_ATTRIBUTE{CKA_PRIVATE, &yes, sizeof(yes)},
            CK_ATTRIBUTE{CKA_SENSITIVE, &yes, sizeof(yes)},
            CK_ATTRIBUTE{CKA_EXTRACTABLE, &no, sizeof(no)},
            CK_ATTRIBUTE{CKA_ENCRYPT, &yes, sizeof(yes)},
            CK_ATTRIBUTE{CKA_DECRYPT, &yes, sizeof(yes)},
            CK_ATTRIBUTE{CKA_LABEL, in(options_.label.data()), options_.label.size()},
            CK_ATTRIBUTE{CKA_ID, in(bytes->data()), bytes->size()},
        };
        CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
        return {calls_->C_GenerateKey(session_, &how, what.data(), what.size(), &key),
                "C_GenerateKey"};
    });
}

Result<void> Token::destroy_others(std::string_view id) {
    return run([&]() -> Step {
        std::vector<CK_OBJECT_HANDLE> keys;
        if (const Step step = find_keys({}, keys); step.code != CKR_OK) return step;
        for (const CK_OBJECT_HANDLE key : keys) {
            std::string found;
            if (const Step step = id_of(key, found); step.code != CKR_OK) return step;
            if (found == id) continue;
            const CK_RV code = calls_->C_DestroyObject(session_, key);
            if (code != CKR_OK) return {code, "C_DestroyObject"};
        }
        return {};
    });
}

namespace {

CK_GCM_PARAMS parameters(const Token::Gcm& gcm) {
    CK_GCM_PARAMS out{};
    out.pIv = in(gcm.nonce.data());
    out.ulIvLen = gcm.nonce.size();
    out.ulIvBits = gcm.nonce.size() * 8;
    out.pAAD = in(gcm.context.data());
    out.ulAADLen = gcm.context.size();
    out.ulTagBits = kTagBits;
    return out;
}

Error no_key(const TokenOptions& options, std::string_view id) {
    return Error(
        Code::kNotFound,
        fmt::format("root key {} is not in the token '{}' under the label '{}'; without it "
                    "nothing that was encrypted can be read: put in the token that has it",
                    id, options.token, options.label));
}

}  // namespace

Result<std::string> Token::encrypt(std::string_view id, const Gcm& gcm,
                                   std::span<const std::byte> text) {
    std::string out(text.size() + kTagBits / 8, '\0');
    bool is_there = true;
    ZONA_TRY_VOID(run([&]() -> Step {
        std::vector<CK_OBJECT_HANDLE> keys;
        if (const Step step = find_keys(id, keys); step.code != CKR_OK) return step;
        is_there = !keys.empty();
        if (!is_there) return {};
        CK_GCM_PARAMS how = parameters(gcm);
        CK_MECHANISM mechanism{CKM_AES_GCM, &how, sizeof(how)};
        CK_RV code = calls_->C_EncryptInit(session_, &mechanism, keys.front());
        if (code != CKR_OK) return {code, "C_EncryptInit"};
        CK_ULONG size = out.size();
        code = calls_->C_Encrypt(session_, in(text.data()), text.size(), in(out.data()), &size);
        if (code == CKR_OK && size != out.size()) code = CKR_GENERAL_ERROR;
        return {code, "C_Encrypt"};
    }));
    if (!is_there) return no_key(options_, id);
    return out;
}

Result<core::Secret> Token::decrypt(std::string_view id, const Gcm& gcm,
                                    std::span<const std::byte> text) {
    // Some modules want room for the tag, too.
    std::string out(text.size(), '\0');
    enum class Found : std::uint8_t { kOpens, kWrong, kNoKey } found = Found::kOpens;
    CK_ULONG size = 0;
    ZONA_TRY_VOID(run([&]() -> Step {
        std::vector<CK_OBJECT_HANDLE> keys;
        if (const Step step = find_keys(id, keys); step.code != CKR_OK) return step;
        found = keys.empty() ? Found::kNoKey : Found::kOpens;
        if (keys.empty()) return {};
        CK_GCM_PARAMS how = parameters(gcm);
        CK_MECHANISM mechanism{CKM_AES_GCM, &how, sizeof(how)};
        CK_RV code = calls_->C_DecryptInit(session_, &mechanism, keys.front());
        if (code != CKR_OK) return {code, "C_DecryptInit"};
        size = out.size();
        code = calls_->C_Decrypt(session_, in(text.data()), text.size(), in(out.data()), &size);
        // Modules do not agree on the code for a tag that does not fit.
        const bool is_wrong = code == CKR_ENCRYPTED_DATA_INVALID ||
                              code == CKR_ENCRYPTED_DATA_LEN_RANGE || code == CKR_GENERAL_ERROR ||
                              code == CKR_DATA_INVALID || code == CKR_FUNCTION_FAILED;
        if (is_wrong) found = Found::kWrong;
        return {is_wrong ? CK_RV{CKR_OK} : code, "C_Decrypt"};
    }));
    core::Secret secret(std::move(out));
    if (found == Found::kNoKey) return no_key(options_, id);
    if (found == Found::kWrong || size > secret.reveal().size()) {
        return Error(Code::kConflict,
                     fmt::format("a key that was wrapped does not open with root key {}: it was "
                                 "changed, or is of another place",
                                 id));
    }
    return core::Secret(std::string(secret.reveal().substr(0, size)));
}

}  // namespace zona::vault::detail
