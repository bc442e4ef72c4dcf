#include "store/mongo/testing/scripted_set.h"

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace zona::store {

using mongo::Bson;

namespace {

constexpr std::int32_t kReply = 1;
constexpr std::int32_t kQuery = 2004;
constexpr std::int32_t kMessage = 2013;
constexpr std::size_t kHeader = 16;

template <class T>
void append(std::string& out, T number) {
    out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::int32_t number_at(const std::string& bytes, std::size_t at) {
    std::int32_t number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

bool read_exactly(int fd, std::string& out, std::size_t size) {
    const std::size_t begin = out.size();
    out.resize(begin + size);
    for (std::size_t at = begin; at < out.size();) {
        const ssize_t count = ::recv(fd, out.data() + at, out.size() - at, 0);
        if (count <= 0) return false;
        at += static_cast<std::size_t>(count);
    }
    return true;
}

std::optional<Bson> document_at(const std::string& message, std::size_t at) {
    bson_t bson;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.data()) + at;
    if (!bson_init_static(&bson, bytes, static_cast<std::size_t>(number_at(message, at))))
        return std::nullopt;
    return Bson(&bson);
}

/// The first document behind the header; what is asked for stands in it. What follows it in
/// sections of their own becomes arrays of it, which is what they stand for.
std::optional<Bson> command_in(const std::string& message) {
    if (number_at(message, 12) == kQuery)
        return document_at(message, message.find('\0', kHeader + 4) + 1 + 8);
    std::size_t at = kHeader + 4 + 1;  // flags and the kind of the section
    auto command = document_at(message, at);
    if (!command) return std::nullopt;
    at += command->size();
    while (at + 5 < message.size() && message[at] == 1) {
        const std::size_t end = at + 1 + static_cast<std::size_t>(number_at(message, at + 1));
        const std::string name(message.c_str() + at + 5);
        std::vector<Bson> documents;
        for (std::size_t part = at + 5 + name.size() + 1; part < end;
             part += documents.back().size()) {
            auto document = document_at(message, part);
            if (!document) return std::nullopt;
            documents.push_back(*std::move(document));
        }
        command->put(name, documents);
        at = end;
    }
    return command;
}

std::string answer_to(const std::string& message, const Bson& reply) {
    const bool query = number_at(message, 12) == kQuery;
    std::string body;
    if (query) {
        append<std::int32_t>(body, 8);
        append<std::int64_t>(body, 0);
        append<std::int32_t>(body, 0);
        append<std::int32_t>(body, 1);
    } else {
        append<std::int32_t>(body, 0);
        body += '\0';
    }
    body.append(reinterpret_cast<const char*>(bson_get_data(reply.get())), reply.size());
    std::string out;
    append<std::int32_t>(out, static_cast<std::int32_t>(kHeader + body.size()));
    append<std::int32_t>(out, 1);
    append<std::int32_t>(out, number_at(message, 4));
    append<std::int32_t>(out, query ? kReply : kMessage);
    return out + body;
}

Bson good() {
    Bson out;
    bson_append_double(out.get(), "ok", 2, 1.0);
    return out;
}

Bson refused(int code, const char* message, const char* label) {
    Bson out;
    bson_append_double(out.get(), "ok", 2, 0.0);
    out.put("code", code).put("errmsg", message);
    if (label == nullptr) return out;
    bson_t labels;
    bson_append_array_begin(out.get(), "errorLabels", -1, &labels);
    bson_append_utf8(&labels, "0", 1, label, -1);
    bson_append_array_end(out.get(), &labels);
    return out;
}

std::vector<Bson> elements(const Bson& array) {
    std::vector<Bson> out;
    bson_iter_t at;
    if (!bson_iter_init(&at, array.get())) return out;
    while (bson_iter_next(&at))
        out.push_back(array.object(bson_iter_key(&at)));
    return out;
}

std::string name_of(const Bson& command) {
    bson_iter_t at;
    if (!bson_iter_init(&at, command.get()) || !bson_iter_next(&at)) return {};
    return bson_iter_key(&at);
}

std::string session_of(const Bson& command) {
    const Bson id = command.object("lsid");
    return std::string(reinterpret_cast<const char*>(bson_get_data(id.get())), id.size()) +
           std::to_string(command.integer("txnNumber"));
}

/// Whether the filter names fields, and each is a text of its range, `$gte` to below `$lt`.
bool lies_in(const Bson& filter, const Bson& document) {
    bson_iter_t condition;
    if (bson_empty(filter.get()) || !bson_iter_init(&condition, filter.get())) return false;
    while (bson_iter_next(&condition)) {
        const char* path = bson_iter_key(&condition);
        bson_iter_t at;
        bson_iter_t field;
        if (!bson_iter_init(&at, document.get()) || !bson_iter_find_descendant(&at, path, &field) ||
            !BSON_ITER_HOLDS_UTF8(&field))
            return false;
        std::uint32_t size = 0;
        const char* bytes = bson_iter_utf8(&field, &size);
        const std::string_view text(bytes, size);
        const Bson range = filter.object(path);
        if (text < range.text("$gte") || text >= range.text("$lt")) return false;
    }
    return true;
}

}  // namespace

ScriptedSet::ScriptedSet(Topology topology)
    : topology_(topology), members_(topology == Topology::kReplicaSet ? 2 : 1) {
    for (Member& member : members_) {
        member.listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof address;
        auto* as_socket = reinterpret_cast<sockaddr*>(&address);
        ::bind(member.listening, as_socket, size);
        ::listen(member.listening, 32);
        ::getsockname(member.listening, as_socket, &size);
        member.port = ntohs(address.sin_port);
    }
    for (std::size_t i = 0; i < members_.size(); ++i)
        members_[i].thread = std::thread([this, i] { serve(i); });
}

ScriptedSet::~ScriptedSet() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        for (const int fd : connections_)
            ::shutdown(fd, SHUT_RDWR);
    }
    for (Member& member : members_) {
        ::shutdown(member.listening, SHUT_RDWR);
        member.thread.join();
        ::close(member.listening);
    }
    for (std::thread& talk : talks_)
        talk.join();
}

std::string ScriptedSet::address(const Member& member) {
    return fmt::format("127.0.0.1:{}", member.port);
}

std::string ScriptedSet::uri() const {
    if (topology_ == Topology::kStandalone)
        return fmt::format("mongodb://{}/", address(members_[0]));
    return fmt::format("mongodb://{},{}/?replicaSet=zona&heartbeatFrequencyMS=500",
                       address(members_[0]), address(members_[1]));
}

void ScriptedSet::add(const std::string& command, Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_[command].push_back(fault);
}

void ScriptedSet::lose_primary() {
    const std::lock_guard lock(mutex_);
    primary_ = members_.size();
}

int ScriptedSet::count(const std::string& command) const {
    const std::lock_guard lock(mutex_);
    const auto at = counts_.find(command);
    return at == counts_.end() ? 0 : at->second;
}

int ScriptedSet::answered_by_secondary(const std::string& command) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_secondary_.find(command);
    return found == by_secondary_.end() ? 0 : found->second;
}

int ScriptedSet::faults_left() const {
    const std::lock_guard lock(mutex_);
    int left = 0;
    for (const auto& [command, faults] : faults_)
        left += static_cast<int>(faults.size());
    return left;
}

std::optional<Bson> ScriptedSet::stored(const std::string& collection,
                                        const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto at = documents_.find({collection, key});
    if (at == documents_.end()) return std::nullopt;
    return at->second;
}

void ScriptedSet::serve(std::size_t member) {
    while (true) {
        const int fd = ::accept4(members_[member].listening, nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard lock(mutex_);
        if (fd < 0 || stop_) {
            if (fd >= 0) ::close(fd);
            return;
        }
        connections_.insert(fd);
        talks_.emplace_back([this, member, fd] { talk(member, fd); });
    }
}

void ScriptedSet::talk(std::size_t member, int fd) {
    while (true) {
        std::string message;
        if (!read_exactly(fd, message, kHeader)) break;
        if (!read_exactly(fd, message, static_cast<std::size_t>(number_at(message, 0)) - kHeader))
            break;
        const auto command = command_in(message);
        Bson reply;
        if (!command || !answer(member, *command, reply)) break;
        const std::string bytes = answer_to(message, reply);
        if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) break;
    }
    const std::lock_guard lock(mutex_);
    connections_.erase(fd);
    ::close(fd);
}

Bson ScriptedSet::hello(std::size_t member) const {
    Bson out = good();
    const bool primary = member == primary_;
    out.put("helloOk", true).put("ismaster", primary).put("isWritablePrimary", primary);
    if (topology_ == Topology::kReplicaSet) {
        out.put("secondary", !primary).put("setName", "zona").put("me", address(members_[member]));
        if (primary_ < members_.size()) out.put("primary", address(members_[primary_]));
        out.put("setVersion", 1);
        bson_t array;
        bson_append_array_begin(out.get(), "hosts", -1, &array);
        for (std::size_t i = 0; i < members_.size(); ++i)
            bson_append_utf8(&array, std::to_string(i).c_str(), -1, address(members_[i]).c_str(),
                             -1);
        bson_append_array_end(out.get(), &array);
    }
    for (const auto& [key, number] : std::initializer_list<std::pair<const char*, std::int32_t>>{
             {"maxBsonObjectSize", 16 << 20},
             {"maxMessageSizeBytes", 48 << 20},
             {"maxWriteBatchSize", 100000},
             {"logicalSessionTimeoutMinutes", 30},
             {"minWireVersion", 0},
             {"maxWireVersion", 17}})
        bson_append_int32(out.get(), key, -1, number);
    return out;
}

/// False: the connection is cut.
bool ScriptedSet::answer(std::size_t member, const Bson& command, Bson& reply) {
    const std::lock_guard lock(mutex_);
    const std::string name = name_of(command);
    if (name == "isMaster" || name == "ismaster" || name == "hello") {
        reply = hello(member);
        return true;
    }
    ++counts_[name];
    std::vector<Fault>& faults = faults_[name];
    if (!faults.empty()) {
        const Fault fault = faults.front();
        faults.erase(faults.begin());
        if (fault == Fault::kCutBefore) return false;
        if (fault == Fault::kTransient) {
            reply = refused(112, "WriteConflict", "TransientTransactionError");
            return true;
        }
        if (fault == Fault::kNotPrimary) {
            primary_ = 1 - member;
            const bool within = command.find("autocommit").has_value();
            reply = refused(10107, "not primary",
                            within ? "TransientTransactionError" : "RetryableWriteError");
            return true;
        }
        reply = execute(name, command);
        if (fault == Fault::kCutAfter) return false;
        reply = refused(64, "waiting for replication timed out", "UnknownTransactionCommitResult");
        return true;
    }
    const bool may_be_old = name == "find" && command.find("$readPreference") &&
                            command.object("$readPreference").text("mode") != "primary";
    if (member != primary_ && may_be_old) {
        ++by_secondary_[name];
        reply = execute(name, command);
        return true;
    }
    reply = member == primary_ ? execute(name, command)
                               : refused(10107, "not primary", "RetryableWriteError");
    return true;
}

Bson ScriptedSet::execute(const std::string& name, const Bson& command) {
    if (command.find("autocommit")) return in_transaction(name, command);
    if (!command.find("txnNumber")) return change(name, command);
    // One that is sent again is not done again.
    const auto [at, fresh] = replies_.try_emplace(session_of(command));
    if (fresh) at->second = change(name, command);
    return at->second;
}

Bson ScriptedSet::in_transaction(const std::string& name, const Bson& command) {
    const std::string session = session_of(command);
    if (name == "commitTransaction") {
        for (const auto& [what, pending] : pending_[session])
            (void)change(what, pending);
        pending_.erase(session);
        return good();
    }
    if (name == "abortTransaction") {
        pending_.erase(session);
        return good();
    }
    if (name == "find") return find(command);
    pending_[session].emplace_back(name, command);
    const char* parts = name == "insert" ? "documents" : name == "update" ? "updates" : "deletes";
    return good().put("n", static_cast<std::int64_t>(elements(command.object(parts)).size()));
}

Bson ScriptedSet::find(const Bson& command) const {
    const std::string collection(command.text("find"));
    const Bson filter = command.object("filter");
    std::vector<Bson> batch;
    if (filter.find("_id")) {
        const auto at = documents_.find({collection, std::string(filter.text("_id"))});
        if (at != documents_.end()) batch.push_back(at->second);
    } else {
        const auto most = static_cast<std::size_t>(command.integer("limit", 1000));
        for (auto at = documents_.lower_bound({collection, ""});
             at != documents_.end() && at->first.first == collection && batch.size() < most; ++at) {
            if (lies_in(filter, at->second)) batch.push_back(at->second);
        }
    }
    Bson cursor;
    cursor.put("firstBatch", batch).put("id", std::int64_t{0}).put("ns", "x." + collection);
    return good().put("cursor", cursor);
}

Bson ScriptedSet::change(const std::string& name, const Bson& command) {
    if (name == "find") return find(command);
    const std::string collection(command.text(name));
    std::int64_t count = 0;
    for (const Bson& document : elements(command.object("documents"))) {
        documents_.insert_or_assign({collection, std::string(document.text("_id"))}, document);
        ++count;
    }
    for (const char* parts : {"updates", "deletes"}) {
        for (const Bson& part : elements(command.object(parts))) {
            const Bson filter = part.object("q");
            const std::pair place(collection, std::string(filter.text("_id")));
            const auto at = documents_.find(place);
            const bool meets = at != documents_.end() &&
                               (!filter.find("w") || filter.text("w") == at->second.text("w"));
            if (!meets && !part.flag("upsert")) continue;
            ++count;
            if (parts[0] == 'd') {
                documents_.erase(at);
            } else {
                documents_.insert_or_assign(place, part.object("u"));
            }
        }
    }
    return good().put("n", count).put("nModified", count);
}

}  // namespace zona::store
