/// @file
/// A connection to SQLite for tests: everything by SQL text, errors as codes.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <sqlite3.h>

namespace zona::vault {

/// One connection; closed when it dies.
class TestConnection {
  public:
    /// open() says whether it worked.
    TestConnection() = default;
    TestConnection(TestConnection&& other) noexcept
        : connection_(std::exchange(other.connection_, nullptr)) {}
    TestConnection& operator=(TestConnection&& other) noexcept {
        std::swap(connection_, other.connection_);
        return *this;
    }
    TestConnection(const TestConnection&) = delete;
    TestConnection& operator=(const TestConnection&) = delete;
    ~TestConnection() { close(); }

    int open(const std::string& path, const std::string& vfs) {
        const int code = ::sqlite3_open_v2(path.c_str(), &connection_,
                                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.c_str());
        if (code == SQLITE_OK) {
            ::sqlite3_extended_result_codes(connection_, 1);
            ::sqlite3_busy_timeout(connection_, 10'000);
            return code;
        }
        const int extended = ::sqlite3_extended_errcode(connection_);
        close();
        return extended;
    }
    void close() { ::sqlite3_close(std::exchange(connection_, nullptr)); }
    sqlite3* get() { return connection_; }

    /// The extended code. `answer` gets all values of all rows, each behind a '|'.
    int run(const std::string& sql, std::string* answer = nullptr) {
        const auto keep = [](void* out, int columns, char** values, char**) {
            if (out == nullptr) return 0;
            for (int i = 0; i < columns; ++i)
                static_cast<std::string*>(out)->append("|").append(values[i] ? values[i] : "NULL");
            return 0;
        };
        return ::sqlite3_exec(connection_, sql.c_str(), keep, answer, nullptr);
    }
    /// The answer, or "error N".
    std::string ask(const std::string& sql) {
        std::string answer;
        const int code = run(sql, &answer);
        return code == SQLITE_OK ? answer : "error " + std::to_string(code);
    }

  private:
    sqlite3* connection_ = nullptr;
};

/// A file's bytes; "" when there is none.
inline std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void put_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace zona::vault
