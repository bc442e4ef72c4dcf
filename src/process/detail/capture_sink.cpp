#include "process/detail/capture_sink.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "core/fault.h"

namespace zona::process::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::string_view kDiscard = "/dev/null";
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0755;

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

Result<void> require_regular(const std::string& path, mode_t mode) {
    if (S_ISREG(mode)) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("{} is {}, not a file that can be logged to: name another log file",
                             path, kind_of(mode)));
}

struct OpenLog {
    os::UniqueFd file;
    os::FileStat stat;
};

/// `before` is what has the name. O_NONBLOCK: a FIFO that takes the name's place must not hold us.
/// O_APPEND would refuse splice.
Result<OpenLog> open_log(const std::string& path, const std::optional<os::FileStat>& before) {
    if (before) ZONA_TRY_VOID(require_regular(path, before->mode));
    constexpr int kFlags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY;
    auto file = os::open_file(path, kFlags, kFileMode);
    if (!file && file.error().code() == Code::kNotFound) {
        const std::size_t slash = path.rfind('/');
        if (slash > 0) ZONA_TRY_VOID(os::make_directories(path.substr(0, slash), kDirectoryMode));
        file = os::open_file(path, kFlags, kFileMode);
    }
    if (!file) return file.take_error();
    ZONA_TRY(os::FileStat now, os::stat_fd(file->get()));
    ZONA_TRY_VOID(require_regular(path, now.mode));
    return OpenLog{std::move(*file), now};
}

}  // namespace

CaptureSink::CaptureSink(CaptureContext& context, std::string path)
    : context_(context),
      path_(std::move(path)),
      discards_(path_ == kDiscard),
      index_(log_index_path(context.options.index_directory, path_), context.options.index),
      copies_(context.options.method == CaptureMethod::kCopy) {}

Result<CaptureSink::Identity> CaptureSink::create() {
    if (discards_) return Identity{};
    if (!path_.starts_with('/') || path_.ends_with('/')) {
        return Error(Code::kInvalidArgument,
                     fmt::format("log file '{}' is not an absolute path of a file", path_));
    }
    ZONA_TRY(const auto there, os::stat_path(path_));
    if (there && S_ISREG(there->mode) && os::may_write(path_))
        return Identity{there->device, there->inode};
    ZONA_TRY(const OpenLog opened, open_log(path_, there));
    return Identity{opened.stat.device, opened.stat.inode};
}

void CaptureSink::join(LineMode lines) {
    ++users_;
    always_whole_lines_ = always_whole_lines_ || lines == LineMode::kWholeLines;
    // The only writer so far wrote raw bytes and may be in the middle of a line.
    if (users_ == 2 && last_writer_ && !at_line_start()) {
        leave_line_open(*last_writer_,
                        context_.clock.steady() + context_.options.partial_line_wait);
    }
}

void CaptureSink::leave() {
    --users_;
}

Result<void> CaptureSink::open() {
    ZONA_TRY(const auto before, os::stat_path(path_));
    ZONA_TRY(OpenLog opened, open_log(path_, before));
    const os::FileStat stat = opened.stat;
    file_ = std::move(opened.file);
    last_use_.store(context_.clock.steady(), std::memory_order_relaxed);
    context_.open_files.opened(*this);
    identity_ = {stat.device, stat.inode};
    last_size_ = stat.size;
    next_name_check_ = context_.clock.steady() + context_.options.name_check;
    open_line_.reset();
    report_index(index_.begin(stat.inode, stat.size));
    adopt_open_line(stat.size);
    return {};
}

/// The file may end in the middle of a line: whose, only the index knows.
void CaptureSink::adopt_open_line(std::uint64_t size) {
    if (size == 0 || at_line_start()) return;
    const auto writer = index_.writer();
    if (!writer) return;
    leave_line_open(*writer, context_.clock.steady() + context_.options.partial_line_wait);
}

int CaptureSink::open_or_errno() {
    auto opened = open();
    while (!opened && opened.error().system_error() == EMFILE &&
           context_.open_files.close_one(*this))
        opened = open();
    if (opened) return 0;
    // What open() refuses without an errno is something else in the name's place.
    return opened.error().system_error() != 0 ? opened.error().system_error() : EINVAL;
}

void CaptureSink::follow_name(core::SteadyTime now) {
    if (now < next_name_check_) return;
    next_name_check_ = now + context_.options.name_check;
    const auto looked = os::stat_path(path_);
    if (!looked) return;
    const std::optional<os::FileStat>& named = *looked;
    if (named && Identity{named->device, named->inode} == identity_) return;
    file_.reset();
    context_.open_files.closed(*this);
}

void CaptureSink::note_time(std::uint64_t offset, core::SteadyTime now) {
    if (!index_.due(now)) return;
    report_index(index_.note(offset, now, context_.clock.system()));
    ZONA_FAULT("capture.index");
}

void CaptureSink::report_index(const Result<void>& outcome) {
    if (!outcome && !index_failed_) {
        context_.log.report("the times of a log file cannot be noted, its lines have none",
                            outcome.error(), {{"file", path_}});
    }
    index_failed_ = !outcome;
}

os::Transfer CaptureSink::take(int fifo, std::size_t most, StreamKey writer, CapturePeek& peek) {
    if (discards_) return os::splice_to_device(fifo, context_.null_device.get(), most);
    const core::SteadyTime now = context_.clock.steady();
    last_use_.store(now, std::memory_order_relaxed);
    if (file_) follow_name(now);
    if (!file_) {
        if (const int failure = open_or_errno(); failure != 0) return {.error_number = failure};
    }
    const auto stat = os::stat_fd(file_.get());
    if (!stat) return {.error_number = stat.error().system_error()};
    if (stat->size < last_size_) report_index(index_.begin(identity_.inode, stat->size));
    note_time(stat->size, now);
    if (index_.writer() != writer) report_index(index_.set_writer(writer));
    last_writer_ = writer;

    os::Transfer moved;
    ZONA_FAULT("capture.before_splice");
    if (!copies_) {
        moved = os::splice_to_file(fifo, file_.get(), stat->size, most);
        if (moved.error_number == EINVAL) {
            copies_ = true;
            context_.log.info("the file system of a log file does not take splice; it gets copies",
                              {{"file", path_}});
        }
    }
    if (copies_) moved = copy_from(fifo, most, stat->size, peek);
    ZONA_FAULT("capture.after_splice");
    last_size_ = stat->size + moved.bytes;
    return moved;
}

os::Transfer CaptureSink::copy_from(int fifo, std::size_t most, std::uint64_t offset,
                                    CapturePeek& peek) {
    const CapturePeek::View view = peek.copy(fifo, most);
    if (view.bytes == 0) {
        return {.error_number = view.error_number != 0 ? view.error_number : EAGAIN};
    }
    const os::Transfer written =
        os::write_once_at(file_.get(), std::span(peek.data(), view.bytes), offset);
    std::size_t consumed = 0;
    while (consumed < written.bytes) {
        const os::Transfer gone =
            os::splice_to_device(fifo, context_.null_device.get(), written.bytes - consumed);
        if (gone.error_number != 0) return {.error_number = gone.error_number};
        consumed += gone.bytes;
    }
    return written;
}

os::Transfer CaptureSink::append(std::string_view text) {
    if (discards_) return {.bytes = text.size()};
    if (!file_) {
        if (const int failure = open_or_errno(); failure != 0) return {.error_number = failure};
    }
    const auto stat = os::stat_fd(file_.get());
    if (!stat) return {.error_number = stat.error().system_error()};
    note_time(stat->size, context_.clock.steady());
    const os::Transfer written =
        os::write_once_at(file_.get(), std::as_bytes(std::span(text)), stat->size);
    last_size_ = stat->size + written.bytes;
    return written;
}

bool CaptureSink::at_line_start() {
    if (discards_) return true;
    // The descriptor in use is write-only, so that a log file needs no permission to be read.
    const auto file = os::open_file(path_, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return true;
    const auto stat = os::stat_fd(file->get());
    if (!stat || stat->size == 0) return true;
    std::array<std::byte, 1> last{};
    const auto got = os::read_at(file->get(), last, stat->size - 1);
    return !got || *got == 0 || last[0] == std::byte{'\n'};
}

std::uint64_t CaptureSink::size() const {
    if (discards_) return 0;
    if (file_) {
        const auto stat = os::stat_fd(file_.get());
        return stat ? stat->size : 0;
    }
    return os::stat_path(path_).value_or(std::nullopt).value_or(os::FileStat()).size;
}

Result<void> CaptureSink::reopen() {
    if (discards_) return {};
    return open();
}

std::optional<core::SteadyTime> CaptureSink::wait_for_turn(StreamKey writer, core::SteadyTime now) {
    if (!discards_ && !file_) (void)open_or_errno();  // a failure is met again by take()
    if (!open_line_ || open_line_->writer == writer || open_line_->until <= now) {
        return std::nullopt;
    }
    if (std::ranges::find(waiting_, writer) == waiting_.end()) waiting_.push_back(writer);
    return open_line_->until;
}

void CaptureSink::leave_line_open(StreamKey writer, core::SteadyTime until) {
    open_line_ = OpenLine{writer, until};
}

std::vector<StreamKey> CaptureSink::close_line() {
    if (!open_line_) return {};
    open_line_.reset();
    return std::exchange(waiting_, {});
}

}  // namespace zona::process::detail
