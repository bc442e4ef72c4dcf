#include "process/app_command.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace zona::process {
namespace {

using core::Code;
using Texts = std::vector<std::string>;

/// A file system of a few entries.
class FakePathProbe final : public PathProbe {
  public:
    FakePathProbe() {
        directory("/srv");
        for (const char* name : {"bash", "python3", "node", "env"})
            program("/usr/bin/" + std::string(name));
    }

    FakePathProbe& directory(const std::string& path) {
        return add(path, {FileType::kDirectory, true, FileContent::kUnknown, ""});
    }
    FakePathProbe& program(const std::string& path) {
        return add(path, {FileType::kRegular, true, FileContent::kElf, ""});
    }
    FakePathProbe& text(const std::string& path) {
        return add(path, {FileType::kRegular, false, FileContent::kText, ""});
    }
    FakePathProbe& script(const std::string& path, const std::string& line) {
        return add(path, {FileType::kRegular, true, FileContent::kShebang, line});
    }
    FakePathProbe& add(const std::string& path, FileFacts facts) {
        entries_[path] = std::move(facts);
        return *this;
    }
    FakePathProbe& remove(const std::string& path) {
        entries_.erase(path);
        return *this;
    }

    FileFacts look(const std::string& path) const override {
        const auto entry = entries_.find(path);
        return entry == entries_.end() ? FileFacts{} : entry->second;
    }

  private:
    std::map<std::string, FileFacts> entries_;
};

AppSpec spec(const std::string& script) {
    AppSpec out;
    out.name = "app";
    out.script = script;
    out.cwd = "/srv";
    out.args = {"-x", "1 2"};
    return out;
}

ResolvedCommand resolved(const AppSpec& app, const FakePathProbe& probe,
                         std::string_view path = "/usr/local/bin:/usr/bin") {
    auto result = resolve_command(app, probe, path);
    EXPECT_TRUE(result.has_value()) << result.error().message();
    return result.has_value() ? std::move(*result) : ResolvedCommand{};
}

core::Error refused(const AppSpec& app, const FakePathProbe& probe,
                    std::string_view path = "/usr/local/bin:/usr/bin") {
    auto result = resolve_command(app, probe, path);
    EXPECT_FALSE(result.has_value());
    return result.has_value() ? core::Error(Code::kInternal, "") : result.take_error();
}

TEST(InterpretersFor, FollowTheExtension) {
    const std::map<std::string, std::string> expected = {
        {"a.sh", "bash"}, {"a.py", "python3"},    {"a.rb", "ruby"},       {"a.php", "php"},
        {"a.pl", "perl"}, {"a.js", "node"},       {"a.cjs", "node"},      {"a.mjs", "node"},
        {"a.ts", "bun"},  {"dir.x/a.tsx", "bun"}, {"a.coffee", "coffee"}, {"a.ls", "lsc"}};
    for (const auto& [script, interpreter] : expected)
        EXPECT_EQ(interpreters_for(script).front(), interpreter);
    for (const char* script : {"a", "a.exe", ".py", "dir.py/a", ""})
        EXPECT_TRUE(interpreters_for(script).empty()) << script;
}

TEST(ResolveCommand, RunsAScriptByTheInterpreterOfItsExtension) {
    FakePathProbe probe;
    probe.text("/srv/src/app.py");
    AppSpec app = spec("./src/app.py");
    app.interpreter_args = {"-W", "ignore"};

    const ResolvedCommand command = resolved(app, probe);

    EXPECT_EQ(command.executable, "/usr/bin/python3");
    EXPECT_EQ(command.interpreter, "/usr/bin/python3");
    EXPECT_EQ(command.arguments,
              (Texts{"/usr/bin/python3", "-W", "ignore", "/srv/src/app.py", "-x", "1 2"}));
    EXPECT_EQ(command.default_environment.at("PYTHONUNBUFFERED"), "1");
}

TEST(ResolveCommand, TakesTheNextInterpreterWhenTheFirstIsMissing) {
    FakePathProbe probe;
    probe.remove("/usr/bin/python3")
        .program("/usr/local/bin/python")
        .text("/srv/app.py")
        .text("/srv/app.ts");
    EXPECT_EQ(resolved(spec("app.py"), probe).executable, "/usr/local/bin/python");
    probe.program("/usr/bin/tsx").program("/srv/node_modules/.bin/tsx");
    EXPECT_EQ(resolved(spec("app.ts"), probe).executable, "/srv/node_modules/.bin/tsx");
}

TEST(ResolveCommand, UsesTheInterpreterThatIsGiven) {
    FakePathProbe probe;
    probe.text("/srv/app.py").program("/srv/venv/bin/python");
    AppSpec app = spec("app.py");
    app.interpreter = "./venv/bin/python";
    EXPECT_EQ(resolved(app, probe).executable, "/srv/venv/bin/python");
    app.interpreter = "node";
    EXPECT_EQ(resolved(app, probe).arguments, (Texts{"/usr/bin/node", "/srv/app.py", "-x", "1 2"}));
}

TEST(ResolveCommand, ExecutesProgramsThemselves) {
    FakePathProbe probe;
    probe.program("/srv/server")
        .script("/srv/tool", "/usr/bin/env -S node --x")
        .program("/srv/run.py");
    const ResolvedCommand command = resolved(spec("server"), probe);
    EXPECT_EQ(command.executable, "/srv/server");
    EXPECT_EQ(command.arguments, (Texts{"/srv/server", "-x", "1 2"}));
    EXPECT_EQ(command.interpreter, std::nullopt);
    EXPECT_EQ(resolved(spec("tool"), probe).executable, "/srv/tool");
    probe.add("/srv/jar", {FileType::kRegular, true, FileContent::kBinary, ""});
    EXPECT_EQ(resolved(spec("jar"), probe).executable, "/srv/jar");
    probe.add("/srv/secret", {FileType::kRegular, true, FileContent::kUnknown, ""});
    EXPECT_EQ(resolved(spec("secret"), probe).executable, "/srv/secret");
    AppSpec none = spec("run.py");
    none.interpreter = "none";
    EXPECT_EQ(resolved(none, probe).executable, "/srv/run.py");
}

TEST(ResolveCommand, FindsBareNamesOnThePath) {
    FakePathProbe probe;
    probe.text("/usr/local/bin/npm")
        .script("/usr/bin/npm", "/usr/bin/env node")
        .directory("/srv/npm");
    EXPECT_EQ(resolved(spec("npm"), probe).executable, "/usr/bin/npm");
    probe.directory("/srv/bin").program("/srv/bin/local");
    EXPECT_EQ(resolved(spec("local"), probe, "bin:/usr/bin").executable, "/srv/bin/local");
    probe.program("/srv/here").remove("/srv/bin/local");
    AppSpec by_empty_entry = spec("/srv/tool");
    by_empty_entry.interpreter = "here";
    probe.text("/srv/tool");
    EXPECT_EQ(resolved(by_empty_entry, probe, "/usr/bin:").executable, "/srv/here");
}

TEST(ResolveCommand, RunsCommandLinesByAShell) {
    FakePathProbe probe;
    const ResolvedCommand command = resolved(spec("echo a | wc -l"), probe);
    EXPECT_EQ(command.arguments,
              (Texts{"/usr/bin/bash", "-c", "echo a | wc -l", "app", "-x", "1 2"}));
    probe.remove("/usr/bin/bash").program("/usr/bin/sh");
    EXPECT_EQ(resolved(spec("echo a"), probe).executable, "/usr/bin/sh");
    probe.text("/srv/my app.js");
    EXPECT_EQ(resolved(spec("my app.js"), probe).arguments[1], "/srv/my app.js");
}

struct Refusal {
    const char* name;
    const char* script;
    Code code;
    const char* message;
    const char* hint;
};

class ResolveCommandRefusal : public testing::TestWithParam<Refusal> {};

// PM-62
TEST_P(ResolveCommandRefusal, SaysWhatIsWrongAndWhatToDo) {
    FakePathProbe probe;
    probe.directory("/srv/dir")
        .text("/srv/plain")
        .text("/srv/a.rb")
        .script("/srv/dos", "/bin/bash\r");
    probe.script("/srv/old", "/usr/bin/python2 -u").script("/srv/deno", "/usr/bin/env deno");
    probe.add("/srv/fifo", {FileType::kOther, true, FileContent::kUnknown, ""});
    probe.add("/srv/note", {FileType::kRegular, true, FileContent::kText, ""});
    probe.add("/secret/x", {FileType::kForbidden, false, FileContent::kUnknown, ""});

    const core::Error error = refused(spec(GetParam().script), probe);

    EXPECT_EQ(error.code(), GetParam().code);
    EXPECT_EQ(error.message(), GetParam().message);
    ASSERT_EQ(error.details().size(), 1U);
    EXPECT_EQ(error.details().front().hint, GetParam().hint);
}

INSTANTIATE_TEST_SUITE_P(
    Scripts, ResolveCommandRefusal,
    testing::Values(
        Refusal{"Missing", "./gone.js", Code::kNotFound, "script /srv/gone.js does not exist",
                "correct script, or cwd, from which it is looked for"},
        Refusal{"NotOnPath", "gone", Code::kNotFound,
                "script \"gone\" is neither in /srv nor in PATH (/usr/local/bin:/usr/bin)",
                "correct script, or cwd, from which it is looked for"},
        Refusal{"Directory", "dir", Code::kInvalidArgument, "script /srv/dir is a directory",
                "name the file in it that is to run"},
        Refusal{"Fifo", "fifo", Code::kInvalidArgument, "script /srv/fifo is not a regular file",
                "name a program or a script"},
        Refusal{"Forbidden", "/secret/x", Code::kForbidden, "script /secret/x cannot be looked at",
                "check the rights of the directories above it"},
        Refusal{"NotExecutable", "plain", Code::kInvalidArgument,
                "script /srv/plain is not executable",
                "chmod +x it, or set interpreter to the program that runs it"},
        Refusal{"NoShebang", "note", Code::kInvalidArgument,
                "script /srv/note is text without a \"#!\" line, which Linux cannot execute",
                "begin it with #! and its interpreter, or set interpreter"},
        Refusal{"NoInterpreter", "a.rb", Code::kNotFound,
                "no interpreter for a.rb: ruby not found in PATH (/usr/local/bin:/usr/bin)",
                "install it, or set interpreter to its path"},
        Refusal{"WindowsLines", "dos", Code::kInvalidArgument,
                "the \"#!\" line of /srv/dos ends with a carriage return",
                "save the file with Unix line ends"},
        Refusal{"ShebangMissing", "old", Code::kNotFound,
                "the \"#!\" line of /srv/old names /usr/bin/python2, which does not exist",
                "install it, or correct the line"},
        Refusal{"ShebangSearched", "deno", Code::kNotFound,
                "the \"#!\" line of /srv/deno asks for deno, not found in PATH "
                "(/usr/local/bin:/usr/bin)",
                "install it, or set interpreter to its path"}),
    [](const auto& test) { return std::string(test.param.name); });

// PM-62
TEST(ResolveCommand, RefusesUnusableDirectoriesAndInterpreters) {
    FakePathProbe probe;
    probe.text("/srv/app.py").text("/file");
    AppSpec app = spec("app.py");
    app.cwd = "/gone";
    EXPECT_EQ(refused(app, probe).message(), "the working directory /gone does not exist");
    app.cwd = "/file";
    EXPECT_EQ(refused(app, probe).message(), "the working directory /file is not a directory");
    app.cwd = "/srv";
    app.interpreter = "node@18";
    EXPECT_EQ(refused(app, probe).details().front().hint,
              "zona does not install Node versions: set interpreter to the path of that node");
    app.interpreter = "/opt/python";
    EXPECT_EQ(refused(app, probe).message(),
              "no interpreter for app.py: /opt/python is not an executable file");
    app.interpreter = std::nullopt;
    EXPECT_EQ(refused(app, probe, "").message(),
              "no interpreter for app.py: python3, python not found in PATH, which is empty");
}

TEST(SystemPathProbe, SeesRealFiles) {
    const std::string base = testing::TempDir() + "/app_command_probe";
    std::filesystem::create_directories(base);
    std::ofstream(base + "/script") << "#!/bin/sh -e\necho\n";
    std::ofstream(base + "/text") << "hello";
    std::ofstream(base + "/binary") << std::string("a\0b", 3);
    std::filesystem::permissions(base + "/script", std::filesystem::perms::owner_all);
    const SystemPathProbe probe;

    const FileFacts script = probe.look(base + "/script");
    EXPECT_EQ(script.type, FileType::kRegular);
    EXPECT_TRUE(script.executable);
    EXPECT_EQ(script.content, FileContent::kShebang);
    EXPECT_EQ(script.shebang, "/bin/sh -e");
    EXPECT_EQ(probe.look(base + "/text").content, FileContent::kText);
    EXPECT_FALSE(probe.look(base + "/text").executable);
    EXPECT_EQ(probe.look(base + "/binary").content, FileContent::kBinary);
    EXPECT_EQ(probe.look("/proc/self/exe").content, FileContent::kElf);
    EXPECT_EQ(probe.look(base).type, FileType::kDirectory);
    EXPECT_EQ(probe.look("/dev/null").type, FileType::kOther);
    EXPECT_EQ(probe.look(base + "/none").type, FileType::kMissing);
    EXPECT_EQ(probe.look(base + "/text/none").type, FileType::kMissing);
    std::filesystem::remove_all(base);
}

// PM-62
TEST(CheckExecSize, KnowsTheKernelsLimits) {
    const Texts few = {"a", "b"};
    const Texts long_text = {"a", "NAME=" + std::string(131067, 'x')};
    const Texts many(100, std::string(100'000, 'x'));

    EXPECT_TRUE(check_exec_size(few, few, std::nullopt).has_value());
    EXPECT_EQ(check_exec_size(long_text, few, std::nullopt).error().message(),
              "argument 1 has 131072 bytes; Linux takes at most 131071");
    EXPECT_EQ(check_exec_size(few, long_text, std::nullopt).error().message(),
              "the variable NAME has 131072 bytes; Linux takes at most 131071");
    const auto total = check_exec_size(many, few, 8U << 20U);
    ASSERT_FALSE(total.has_value());
    EXPECT_EQ(total.error().code(), Code::kTooLarge);
    EXPECT_EQ(total.error().message(),
              "arguments (100) and environment (2) have 10000920 bytes together; Linux takes "
              "2097152 here");
    EXPECT_TRUE(check_exec_size(Texts(20, std::string(100'000, 'x')), few, 8U << 20U).has_value());
    EXPECT_FALSE(check_exec_size(Texts(20, std::string(100'000, 'x')), few, 1U << 20U).has_value());
    EXPECT_TRUE(check_exec_size(Texts(1, std::string(100'000, 'x')), few, 1024).has_value());
}

}  // namespace
}  // namespace zona::process
