// Tested by tests/unit/log/store_directory_test.cpp.

#include "log/store_directory.hpp"

#include "log/store_map.hpp"
#include "sys/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::uint64_t smallest_file = 64 << 10;
constexpr std::uint64_t smallest_use = 2 * smallest_file;
constexpr std::size_t large_block = sealed_block / 2; ///< of records
constexpr std::size_t written_at_once = 256 << 10; ///< of a file that is being finished
constexpr int tries_to_make_room = 4;
constexpr std::uint64_t disk_block = 512;

std::uint64_t pick(std::uint64_t wanted, std::uint64_t fallback, std::uint64_t share) {
    return wanted != 0 ? wanted : std::min(fallback, share);
}

base::Result<void> make_directories(const std::string& path) {
    for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
        (void)::mkdir(path.substr(0, end).c_str(), 0755); // the last one tells
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
        return base::fail_errno(errno, path);
    return {};
}

/// Errors that fewer old files may cure.
bool is_full(int error) { return error == ENOSPC || error == EDQUOT; }

base::Result<void> write_all(int fd, std::string_view bytes);

/// Head and payload at once: nobody shall see the one without the other for long.
base::Result<void> write_both(int fd, std::string_view head, std::string_view payload) {
    const iovec parts[] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(payload.data()), payload.size()}};
    ssize_t written = 0;
    while ((written = ::writev(fd, parts, 2)) < 0 && errno == EINTR) {
    }
    if (written < 0)
        return base::fail_errno(errno, "writing a log file");
    const auto size = static_cast<std::size_t>(written);
    if (size < head.size())
        TRY(write_all(fd, head.substr(size)));
    return write_all(fd, payload.substr(size - std::min(size, head.size())));
}

base::Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return base::fail_errno(written < 0 ? errno : ENOSPC, "writing a log file");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace

std::vector<StoreFileInfo> list_store_files(int directory) {
    std::vector<StoreFileInfo> files;
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (stream == nullptr)
        return files;
    while (const dirent* const entry = ::readdir(stream)) {
        const auto name = parse_store_file_name(entry->d_name);
        struct stat info {};
        if (!name || ::fstatat(directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
            continue;
        files.push_back({name->number, name->open, static_cast<std::uint64_t>(info.st_blocks) * disk_block,
                         std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::microseconds(info.st_mtim.tv_nsec / 1000)});
    }
    ::closedir(stream);
    std::ranges::sort(files, [](const auto& a, const auto& b) { return a.number != b.number ? a.number < b.number : a.open < b.open; });
    const auto same = [](const auto& a, const auto& b) { return a.number == b.number; };
    files.erase(std::unique(files.begin(), files.end(), same), files.end()); // the finished one comes first
    return files;
}

StoreDirectory::StoreDirectory(std::string path, const StoreLimits& limits, const BootId& boot)
    : path_(std::move(path)), wanted_(limits), limits_(limits), boot_(boot) {}

base::Result<void> StoreDirectory::open() {
    file_.reset();
    directory_.reset();
    TRY(make_directories(path_));
    directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_)
        return base::fail_errno(errno, path_);
    settle_limits();
    const std::vector<StoreFileInfo> files = list_store_files(directory_.get());
    if (!files.empty())
        next_number_ = std::max(next_number_, files.back().number + 1);
    for (const StoreFileInfo& file : files)
        if (file.open)
            (void)finish(file.number, nullptr); // else it stays as it is: it can be read
        else
            (void)::unlinkat(directory_.get(), store_file_name(file.number, open_suffix).c_str(), 0); // left when we were killed
    vacuum(limits_);
    return {};
}

/// What was not said depends on the file system.
void StoreDirectory::settle_limits() {
    struct statvfs info {};
    const std::uint64_t total = ::fstatvfs(directory_.get(), &info) == 0 ? info.f_frsize * info.f_blocks : 0;
    limits_ = wanted_;
    // No more than there is: files as large as the disk would have to go all at once when it is full.
    const std::uint64_t most = total != 0 ? total : std::numeric_limits<std::uint64_t>::max();
    limits_.max_use = std::max(std::min(pick(wanted_.max_use, default_max_use, total / 10), most), smallest_use);
    limits_.keep_free = pick(wanted_.keep_free, default_keep_free, total / 20);
    limits_.max_file = std::clamp(pick(wanted_.max_file, default_max_file, limits_.max_use / 8), smallest_file, limits_.max_use / 2);
}

base::Result<void> StoreDirectory::begin_file() {
    thin_out(limits_.max_file);
    vacuum(limits_, limits_.max_file);
    number_ = next_number_++;
    file_.reset(::openat(directory_.get(), store_file_name(number_, open_suffix).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file_)
        return base::fail_errno(errno, path_);
    begun_ = sys::wall_now();
    const FileHead head = make_file_head(boot_, number_, static_cast<std::uint64_t>(begun_.count()));
    size_ = sizeof head;
    return write_all(file_.get(), {reinterpret_cast<const char*>(&head), sizeof head});
}

base::Result<void> StoreDirectory::write_block(std::string_view records, Summary& summary) {
    struct stat info {};
    if (file_ && (::fstat(file_.get(), &info) != 0 || info.st_nlink == 0))
        TRY(open()); // somebody has removed it, perhaps with the directory
    if (file_ && size_ + records.size() > limits_.max_file && size_ > sizeof(FileHead))
        rotate();
    if (!file_) {
        TRY(begin_file());
        contents_ = {};
        summary = summarize(records, records.size(), contents_.numbers); // the numbers of units are the file's
    }
    const std::uint64_t begin = size_;
    if (records.size() >= large_block) { // as it will stand in the finished file: written once
        packed_.clear();
        append_block(packed_, records, summary, limits_.compress);
        TRY(write_all(file_.get(), packed_));
        size_ += packed_.size();
        contents_.add_whole(begin, size_, std::move(summary));
        return {};
    }
    const BlockHead head = finished_head(summary, records);
    TRY(write_both(file_.get(), {reinterpret_cast<const char*>(&head), sizeof head}, records));
    size_ += sizeof head + records.size();
    contents_.add(begin, size_, std::move(summary));
    return {};
}

base::Result<StoreDirectory::Appended> StoreDirectory::append(std::string_view records, std::size_t limit) {
    Summary summary = summarize(records, limit, contents_.numbers);
    const Appended appended{summary.head.raw_size, summary.head.last_cursor};
    records = records.substr(0, appended.size);
    if (records.empty())
        return appended;
    if (!directory_)
        TRY(open());
    for (int tries = 0;; tries++) {
        const auto written = write_block(records, summary);
        if (written)
            return appended;
        // What was written of it is not whole, and would hide what follows: the file ends here.
        rotate();
        if (written.error().errnum == ENOENT && tries == 0)
            (void)open(); // the directory itself has gone
        else if (!is_full(written.error().errnum) || tries == tries_to_make_room || !remove_oldest())
            return written.error();
    }
}

void StoreDirectory::rotate() {
    if (!file_)
        return;
    file_.reset();
    (void)finish(number_, &contents_);
}

void StoreDirectory::Contents::add(std::uint64_t begin, std::uint64_t end, Summary summary) {
    if (runs.empty() || runs.back().whole || runs.back().summary.head.raw_size + summary.head.raw_size > sealed_block)
        runs.push_back({begin, end, false, std::move(summary)});
    else {
        runs.back().end = end;
        runs.back().summary.add(summary);
    }
}

void StoreDirectory::Contents::add_whole(std::uint64_t begin, std::uint64_t end, Summary summary) { runs.push_back({begin, end, true, std::move(summary)}); }

/// Of a file that somebody else has written.
StoreDirectory::Contents StoreDirectory::contents_of(std::string_view file) {
    Contents contents;
    std::string buffer;
    std::uint64_t offset = sizeof(FileHead);
    while (const auto block = read_block_head(file, offset)) {
        const auto records = read_block(file, offset, *block, buffer);
        if (!records)
            break;
        const std::uint64_t begin = std::exchange(offset, offset + sizeof(BlockHead) + block->stored_size);
        Summary summary = summarize(*records, records->size(), contents.numbers);
        if (records->size() >= large_block)
            contents.add_whole(begin, offset, std::move(summary));
        else
            contents.add(begin, offset, std::move(summary));
    }
    return contents;
}

/// The open file's records in large blocks, with an index. False: it stays open, and is read all the same.
bool StoreDirectory::finish(std::uint64_t number, const Contents* contents) {
    const std::string from = store_file_name(number, open_suffix), fresh = store_file_name(number, fresh_suffix);
    const auto map = StoreMap::map(directory_.get(), from);
    if (!map)
        return false;
    const std::string_view file = map->bytes();
    const auto head = read_file_head(file);
    if (!head || !read_block_head(file, sizeof(FileHead))) { // nothing is in it
        (void)::unlinkat(directory_.get(), from.c_str(), 0);
        return true;
    }
    const sys::UniqueFd out(::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!out)
        return false;
    const Contents found = contents == nullptr ? contents_of(file) : Contents{};
    if (contents == nullptr)
        contents = &found;
    FileBuilder builder(head->boot, head->number, head->created_wall_us, limits_.compress);
    bool good = true;
    std::string together;
    const auto flush = [&](std::size_t least) {
        if (builder.out().size() < least)
            return;
        good = good && write_all(out.get(), builder.out()).has_value();
        builder.out().clear();
    };
    for (const Run& run : contents->runs) {
        flush(written_at_once);
        if (builder.out().empty())
            map->forget(run.begin);
        if (run.whole) {
            builder.add_whole(file.substr(run.begin, run.end - run.begin), run.summary);
            continue;
        }
        std::string_view records = file.substr(run.begin + sizeof(BlockHead), run.end - run.begin - sizeof(BlockHead));
        if (records.size() != run.summary.head.raw_size) { // of several blocks
            together.clear();
            for (std::uint64_t at = run.begin; at < run.end;) {
                const auto block = read_block_head(file, at);
                if (!block)
                    break;
                together.append(file.substr(at + sizeof(BlockHead), block->stored_size));
                at += sizeof(BlockHead) + block->stored_size;
            }
            records = together;
        }
        builder.add(records, run.summary);
    }
    builder.finish(contents->numbers.names());
    flush(0);
    if (!good || ::renameat(directory_.get(), fresh.c_str(), directory_.get(), store_file_name(number, finished_suffix).c_str()) != 0) {
        (void)::unlinkat(directory_.get(), fresh.c_str(), 0);
        return false;
    }
    (void)::unlinkat(directory_.get(), from.c_str(), 0);
    return true;
}

/// The first that makes room, which a file that was thinned out does not.
bool StoreDirectory::remove_oldest() {
    std::vector<StoreFileInfo> files = list_store_files(directory_.get());
    std::erase_if(files, [this](const StoreFileInfo& file) { return file_ && file.number == number_; });
    if (files.empty())
        return false;
    const auto worth = std::ranges::find_if(files, [this](const StoreFileInfo& file) { return file.bytes >= limits_.max_file / 4; });
    return remove(worth != files.end() ? *worth : files.front());
}

bool StoreDirectory::remove(const StoreFileInfo& file) {
    return ::unlinkat(directory_.get(), store_file_name(file.number, file.open ? open_suffix : finished_suffix).c_str(), 0) == 0;
}

/// How much less the files should have, for another one of `extra` bytes to have room.
std::uint64_t StoreDirectory::excess(const std::vector<StoreFileInfo>& files, std::uint64_t extra) const {
    std::uint64_t used = extra;
    for (const StoreFileInfo& file : files)
        used += file.bytes;
    struct statvfs info {};
    const std::uint64_t needed = limits_.keep_free != 0 ? limits_.keep_free + extra : 0;
    const std::uint64_t available = ::fstatvfs(directory_.get(), &info) == 0 ? info.f_frsize * info.f_bavail : needed;
    return std::max(used - std::min(used, limits_.max_use), needed - std::min(needed, available));
}

/// Makes room for a file of `extra` bytes, oldest files first, and leaves of each what its quiet units said last.
void StoreDirectory::thin_out(std::uint64_t extra) {
    std::vector<StoreFileInfo> files = list_store_files(directory_.get());
    std::uint64_t left = excess(files, extra);
    if (left == 0)
        return;
    std::erase_if(files, [](const StoreFileInfo& file) { return file.open; });
    struct Contained {
        BootId boot{};
        UnitBytes bytes;
    };
    std::vector<Contained> contained(files.size());
    UnitBytes newer;
    for (std::size_t i = 0; i < files.size(); i++)
        if (const auto map = StoreMap::map(directory_.get(), store_file_name(files[i].number, finished_suffix))) {
            contained[i] = {read_file_head(map->bytes()).value_or(FileHead{}).boot, unit_bytes_of(map->bytes())};
            for (const auto& [unit, bytes] : contained[i].bytes)
                newer[unit] += bytes;
        }
    const std::uint64_t share = unit_share(limits_, newer.size());
    const StoreFileInfo* before = nullptr; // what is left of the one before, if this one may take it in
    for (std::size_t i = 0; i < files.size() && left > 0; i++) {
        if (before != nullptr && contained[i].boot != contained[i - 1].boot)
            before = nullptr;
        for (const auto& [unit, bytes] : contained[i].bytes)
            newer[unit] -= bytes;
        UnitBytes& bytes = contained[i].bytes;
        if (before != nullptr)
            for (const auto& [unit, size] : contained[i - 1].bytes)
                bytes[unit] += size;
        const UnitBytes drop = bytes_to_drop(bytes, newer, share);
        if (std::ranges::any_of(drop, [](const auto& each) { return each.second > 0; })) {
            const std::uint64_t had = files[i].bytes + (before != nullptr ? before->bytes : 0);
            files[i].bytes = thin(before, files[i], drop);
            left -= std::min(left, had - std::min(had, files[i].bytes));
            for (auto& [unit, size] : bytes)
                size -= drop.find(unit)->second;
        } else if (before != nullptr) { // all of both stays, as two files
            for (const auto& [unit, size] : contained[i - 1].bytes)
                bytes[unit] -= size;
        }
        before = files[i].bytes > 0 ? &files[i] : nullptr;
    }
}

/// What is left of `file`, and of the one before it, as one file in its place. Returns the bytes it has on the disk, 0 when it is gone.
std::uint64_t StoreDirectory::thin(const StoreFileInfo* before, const StoreFileInfo& file, const UnitBytes& drop) {
    const std::string name = store_file_name(file.number, finished_suffix), fresh = store_file_name(file.number, fresh_suffix);
    const auto map = StoreMap::map(directory_.get(), name);
    const auto former = StoreMap::map(directory_.get(), store_file_name(before != nullptr ? before->number : file.number, finished_suffix));
    const auto head = map ? read_file_head(map->bytes()) : std::nullopt;
    std::vector<std::string_view> parts;
    if (before != nullptr && former)
        parts.push_back(former->bytes());
    if (head)
        parts.push_back(map->bytes());
    const sys::UniqueFd out(::openat(directory_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    struct stat info {};
    bool good = head && out;
    if (good) {
        FileBuilder builder(head->boot, head->number, head->created_wall_us, limits_.compress);
        good = thin_files(parts, drop, builder, [&](std::string& piece) {
            const bool written = write_all(out.get(), piece).has_value();
            piece.clear();
            return written;
        });
    }
    const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(file.changed.count() / 1'000'000), 0}}; // its age is that of its lines
    good = good && ::futimens(out.get(), times) == 0 && ::renameat(directory_.get(), fresh.c_str(), directory_.get(), name.c_str()) == 0;
    if (!good) {
        (void)::unlinkat(directory_.get(), fresh.c_str(), 0);
        (void)remove(file);
    }
    if (before != nullptr)
        (void)remove(*before);
    return good && ::fstat(out.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * disk_block : 0;
}

void StoreDirectory::vacuum(const StoreLimits& limits, std::uint64_t extra) {
    const std::vector<StoreFileInfo> files = list_store_files(directory_.get());
    std::uint64_t used = extra;
    for (const StoreFileInfo& file : files)
        used += file.bytes;
    std::size_t left = files.size() + (extra > 0 ? 1 : 0);
    const base::Duration now = sys::wall_now();
    for (const StoreFileInfo& file : files) {
        if (file_ && file.number == number_)
            break;
        struct statvfs info {};
        const bool short_of_space = limits.keep_free != 0 && ::fstatvfs(directory_.get(), &info) == 0 && info.f_frsize * info.f_bavail < limits.keep_free + extra;
        const bool old = limits.max_age.count() > 0 && file.changed + limits.max_age < now;
        const bool many = limits.max_files != 0 && left > limits.max_files;
        const bool large = limits.max_use != 0 && used > limits.max_use;
        if (!short_of_space && !old && !many && !large)
            break;
        if (!remove(file))
            break;
        used -= file.bytes;
        left--;
    }
}

void StoreDirectory::tend() {
    if (!directory_)
        return;
    if (file_ && limits_.max_file_age.count() > 0 && size_ > sizeof(FileHead) && sys::wall_now() - begun_ > limits_.max_file_age)
        rotate();
    if (limits_.max_age.count() > 0)
        vacuum(limits_);
}

} // namespace monoinit::log
