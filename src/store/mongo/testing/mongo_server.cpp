#include "store/mongo/testing/mongo_server.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/testing/temporary_directory.h"
#include "store/testing/contract.h"

namespace zona::store {
namespace {

constexpr const char* kFerretDb = ZONA_SOURCE_DIR "/build/peers/ferretdb/ferretdb";

/// The password of our user, where one is needed.
constexpr const char* kRoot = "of-the-root";

/// As a URI writes a path.
std::string encoded(const std::string& path) {
    std::string out;
    for (const char c : path)
        out += c == '/' ? "%2F" : std::string(1, c);
    return out;
}

std::string on_path(const char* name) {
    const char* path = std::getenv("PATH");
    std::string directory;
    for (const char* at = path == nullptr ? "" : path;; ++at) {
        if (*at != ':' && *at != '\0') {
            directory += *at;
            continue;
        }
        const std::string file = directory + "/" + name;
        if (::access(file.c_str(), X_OK) == 0) return file;
        if (*at == '\0') return {};
        directory.clear();
    }
}

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* as_socket = reinterpret_cast<sockaddr*>(&address);
    int port = 0;
    if (::bind(fd, as_socket, size) == 0 && ::getsockname(fd, as_socket, &size) == 0)
        port = ntohs(address.sin_port);
    ::close(fd);
    return port;
}

bool answers(const MongoServer& server) {
    const auto factory = server.factory("admin");
    return mongo::Client(*factory).ping().has_value();
}

void command(const MongoServer& server, const mongo::Bson& wanted) {
    const auto factory = server.factory("admin");
    const auto done = mongo::Client(*factory).write(wanted);
    EXPECT_TRUE(done.has_value()) << done.error().message();
}

}  // namespace

struct MongoServer::Process {
    core::TemporaryDirectory directory;
    std::vector<std::string> arguments;
    pid_t pid = 0;

    void start() {
        std::vector<char*> argv;
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        const pid_t parent = ::getpid();
        pid = ::fork();
        if (pid != 0) return;
        // It must not outlive the test, however that ends.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(nothing, 2);
        ::execv(argv.front(), argv.data());
        ::_exit(127);
    }
    bool has_ended() {
        if (pid != 0 && ::waitpid(pid, nullptr, WNOHANG) == pid) pid = 0;
        return pid == 0;
    }
    void kill() {
        if (pid == 0) return;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        pid = 0;
    }
    ~Process() { kill(); }
};

MongoServer::MongoServer() = default;
MongoServer::~MongoServer() = default;

MongoServer& MongoServer::shared() {
    static MongoServer server;
    static const bool kReady = [] {
        if (const char* given = std::getenv("ZONA_TEST_MONGO_URI"); given != nullptr) {
            server.uri_ = given;
        } else if (!server.use_mongod()) {
            server.use_ferretdb();
        }
        return true;
    }();
    (void)kReady;
    return server;
}

std::unique_ptr<MongoServer> MongoServer::own_ferretdb() {
    std::unique_ptr<MongoServer> server(new MongoServer);
    server->use_ferretdb();
    return server;
}

std::unique_ptr<MongoServer> MongoServer::ferretdb_with_users() {
    std::unique_ptr<MongoServer> server(new MongoServer);
    server->username_ = "root";
    server->use_ferretdb({"--test-enable-new-auth", "--setup-database=admin",
                          "--setup-username=root", fmt::format("--setup-password={}", kRoot)});
    return server;
}

void MongoServer::set_user(const std::string& name, const std::string& password) const {
    const auto factory = this->factory("admin");
    const auto known = mongo::Client(*factory).read(mongo::Bson().put("usersInfo", name));
    const bool is_new = !known.has_value() || !known->object("users").find("0");
    mongo::Bson wanted;
    wanted.put(is_new ? "createUser" : "updateUser", name).put("pwd", password);
    if (is_new) wanted.put("roles", std::vector<mongo::Bson>());
    command(*this, wanted);
}

void MongoServer::drop_user(const std::string& name) const {
    command(*this, mongo::Bson().put("dropUser", name));
}

bool MongoServer::use_mongod() {
    const std::string program = on_path("mongod");
    if (program.empty()) return false;
    process_ = std::make_unique<Process>();
    const int port = free_port();
    process_->arguments = {program,     "--dbpath", process_->directory.path(), "--bind_ip",
                           "127.0.0.1", "--port",   std::to_string(port),       "--nounixsocket"};
    uri_ = fmt::format("mongodb://127.0.0.1:{}/", port);
    start_again();
    return !uri_.empty();
}

void MongoServer::use_ferretdb(const std::vector<std::string>& more) {
    if (::access(kFerretDb, X_OK) != 0) {
        why_not_ =
            "no MongoDB: ZONA_TEST_MONGO_URI is not set, there is no mongod on PATH, and "
            "scripts/install-deps test could not build FerretDB";
        return;
    }
    process_ = std::make_unique<Process>();
    const std::string& home = process_->directory.path();
    std::filesystem::create_directories(home + "/data");
    process_->arguments = {kFerretDb,
                           "--handler=sqlite",
                           fmt::format("--sqlite-url=file:{}/data/", home),
                           "--state-dir=" + home,
                           "--telemetry=disable",
                           "--listen-addr=",
                           fmt::format("--listen-unix={}/ferretdb.sock", home),
                           "--debug-addr=-",
                           "--log-level=ERROR"};
    process_->arguments.insert(process_->arguments.end(), more.begin(), more.end());
    uri_ = fmt::format("mongodb://{}/", encoded(home + "/ferretdb.sock"));
    start_again();
}

void MongoServer::kill() {
    process_->kill();
}

void MongoServer::start_again() {
    // One that was killed leaves its socket, and does not start beside it.
    ::unlink((process_->directory.path() + "/ferretdb.sock").c_str());
    process_->start();
    while (!answers(*this)) {
        if (process_->has_ended()) {
            why_not_ = process_->arguments.front() + " ends as soon as it is started";
            uri_.clear();
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

std::string MongoServer::new_database_name() {
    static std::atomic<int> last = 0;
    return fmt::format("zona_test_{}_{}", ::getpid(), ++last);
}

MongoOptions MongoServer::options(const std::string& database) const {
    return {.uri = uri_,
            .database = database,
            .username = username_,
            .password = core::Secret(username_.empty() ? "" : kRoot),
            .collections = test_specs(),
            .page_token_key = core::Secret(std::string(32, 'k')),
            .connect_timeout = std::chrono::seconds(2),
            .selection_timeout = std::chrono::seconds(2)};
}

std::unique_ptr<mongo::ClientFactory> MongoServer::factory(const std::string& database) const {
    return mongo::ClientFactory::make(options(database)).value();
}

void MongoServer::drop(const std::string& database) const {
    const auto factory = this->factory(database);
    (void)mongo::Client(*factory).write(mongo::Bson().put("dropDatabase", 1));
}

}  // namespace zona::store
