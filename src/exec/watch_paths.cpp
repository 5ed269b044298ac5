// See watch_paths.hpp. Tested by tests/unit/exec/watch_paths_test.cpp.
#include "exec/watch_paths.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/glob.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <deque>
#include <fcntl.h>
#include <map>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using unit::PathKind;
using unit::WatchedPath;

constexpr std::size_t most_watches = 1024; ///< of one unit: patterns may match many directories
constexpr std::size_t most_links = 40;     ///< as the kernel follows
constexpr std::size_t most_entries = 4096; ///< of a directory, for the mark of what is in it
constexpr std::size_t most_forms = 64;     ///< that the braces of one pattern may stand for

constexpr std::uint32_t self_events = IN_MOVE_SELF | IN_DELETE_SELF | IN_ATTRIB;
/// A directory in which the next part of a path is to come.
constexpr std::uint32_t parent_events = self_events | IN_CREATE | IN_MOVED_TO;

std::uint32_t events_of(PathKind kind) {
    constexpr std::uint32_t changes = self_events | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    switch (kind) {
    case PathKind::Exists:
    case PathKind::ExistsGlob: return self_events;
    case PathKind::Changed: return changes;
    case PathKind::Modified: return changes | IN_MODIFY;
    case PathKind::DirectoryNotEmpty: return parent_events;
    }
    return self_events;
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

std::uint64_t mark_of_file(const struct stat& status) { return mixed(mixed(1, status.st_dev), status.st_ino) | 1U; }

std::uint64_t mark_of_content(const struct stat& status) {
    std::uint64_t hash = mixed(mixed(mark_of_file(status), static_cast<std::uint64_t>(status.st_size)), status.st_mode);
    for (const timespec& time : {status.st_mtim, status.st_ctim})
        hash = mixed(mixed(hash, static_cast<std::uint64_t>(time.tv_sec)), static_cast<std::uint64_t>(time.tv_nsec));
    return hash;
}

/// Of a directory also what its entries are like: their order is the file system's affair.
std::uint64_t mark_of_entries(const std::string& path) {
    std::uint64_t sum = 0;
    sys::DirectoryReader reader(sys::UniqueFd(sys::open_file(path.c_str(), O_RDONLY | O_DIRECTORY)));
    std::size_t entries = 0;
    while (const char* const name = reader.next()) {
        struct stat status {};
        if (++entries > most_entries)
            break;
        if (::lstat((path + "/" + name).c_str(), &status) == 0)
            sum += mark_of_content(status);
    }
    return sum;
}

/// What systemd leaves out when it asks whether a directory is empty.
bool is_hidden_or_backup(std::string_view name) {
    constexpr std::string_view endings[] = {"rpmnew", "rpmsave", "rpmorig", "dpkg-old", "dpkg-new", "dpkg-tmp", "dpkg-dist", "dpkg-bak", "dpkg-backup",
                                            "dpkg-remove", "ucf-new", "ucf-old", "ucf-dist", "swp", "bak", "old", "new"};
    if (name.starts_with('.') || name.ends_with('~') || name == "lost+found" || name == "aquota.user" || name == "aquota.group")
        return true;
    const std::size_t dot = name.rfind('.');
    return dot != name.npos && std::ranges::find(endings, name.substr(dot + 1)) != std::end(endings);
}

bool holds_something(const std::string& path) {
    sys::DirectoryReader reader(sys::UniqueFd(sys::open_file(path.c_str(), O_RDONLY | O_DIRECTORY)));
    while (const char* const name = reader.next())
        if (!is_hidden_or_backup(name))
            return true;
    return false;
}

/// "a{b,c}" stands for "ab" and "ac", as glob(3) with GLOB_BRACE.
void add_forms(const std::string& pattern, std::vector<std::string>& forms) {
    const std::size_t open = pattern.find('{');
    std::size_t depth = 0, close = open;
    std::vector<std::size_t> cuts{open};
    for (; close < pattern.size(); close++) {
        depth += pattern[close] == '{' ? 1 : 0;
        if (pattern[close] == ',' && depth == 1)
            cuts.push_back(close);
        if (pattern[close] == '}' && --depth == 0)
            break;
    }
    if (open == pattern.npos || close >= pattern.size()) {
        if (forms.size() < most_forms)
            forms.push_back(pattern);
        return;
    }
    cuts.push_back(close);
    for (std::size_t i = 0; i + 1 < cuts.size() && forms.size() < most_forms; i++)
        add_forms(pattern.substr(0, open) + pattern.substr(cuts[i] + 1, cuts[i + 1] - cuts[i] - 1) + pattern.substr(close + 1), forms);
}

using Parts = std::deque<std::string>;

Parts parts_of(std::string_view path) {
    Parts parts;
    for (const std::string_view part : base::split(path, '/'))
        if (!part.empty() && part != ".")
            parts.emplace_back(part);
    return parts;
}

class Look {
  public:
    Look(const unit::PathSection& section, int inotify) : section_(section), inotify_(inotify) {}

    PathsAnswer run(bool make_directories, const std::vector<PathMark>& old) {
        if (make_directories && section_.make_directory)
            for (const WatchedPath& each : section_.paths)
                if (each.kind != PathKind::Exists && each.kind != PathKind::ExistsGlob)
                    make_directory(each.path);
        for (std::size_t i = 0; i < section_.paths.size() && answer_.seen.error.empty(); i++)
            watch(i);
        if (!answer_.seen.error.empty())
            return std::move(answer_);
        set_events();
        for (const PathMark& each : old)
            if (!wanted_.contains(each.watch))
                ::inotify_rm_watch(inotify_, each.watch);
        // Only now: what comes after this look is heard of.
        for (const WatchedPath& each : section_.paths)
            look(each);
        return std::move(answer_);
    }

  private:
    void make_directory(const std::string& path) {
        ::umask(0);
        for (std::size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
            ::mkdir(path.substr(0, slash).c_str(), section_.directory_mode);
        if (::mkdir(path.c_str(), section_.directory_mode) != 0 && errno != EEXIST)
            answer_.warning = fmt::format("MakeDirectory=: {}: {}", path, ::strerrordesc_np(errno));
    }

    void watch(std::size_t index) {
        const WatchedPath& each = section_.paths[index];
        if (each.kind != PathKind::ExistsGlob)
            return walk(index, "", parts_of(each.path), 0);
        std::vector<std::string> forms;
        add_forms(each.path, forms);
        for (const std::string& form : forms)
            walk(index, "", parts_of(form), 0);
    }

    /// `at`: a directory without its last slash, that is watched already or is the root; `rest`: what is below it.
    void walk(std::size_t index, std::string at, Parts rest, std::size_t links) {
        if (rest.empty()) { // the root itself
            add(index, "/", events_of(section_.paths[index].kind), true, {});
            return;
        }
        while (answer_.seen.error.empty()) {
            const std::string directory = at.empty() ? "/" : at;
            const std::string part = rest.front();
            rest.pop_front();
            if (part == "..") { // of a link's target
                at = at.substr(0, at.rfind('/'));
                if (rest.empty())
                    return walk(index, at.substr(0, at.rfind('/') == at.npos ? 0 : at.rfind('/')), parts_of(at.substr(at.rfind('/') + 1)), links);
                continue;
            }
            // First the directory closely, then what is in it: what is made in between is heard of.
            const std::string next = at + "/" + part;
            if (!add(index, directory, parent_events, false, part, rest.empty()))
                return;
            if (section_.paths[index].kind == PathKind::ExistsGlob && has_glob(part))
                return walk_matches(index, at, part, rest, links);
            struct stat status {};
            if (::lstat(next.c_str(), &status) != 0)
                return note_shortage(next);
            if (S_ISLNK(status.st_mode)) {
                add(index, next, self_events | IN_DONT_FOLLOW, false, {});
                return follow(index, at, next, rest, links);
            }
            if (rest.empty()) {
                if (add(index, next, events_of(section_.paths[index].kind), true, {}))
                    relax(index, directory, part);
                return;
            }
            if (!add(index, next, IN_MOVE_SELF, false, {}))
                return;
            relax(index, directory, part);
            at = next;
        }
    }

    void walk_matches(std::size_t index, const std::string& at, const std::string& pattern, const Parts& rest, std::size_t links) {
        if (rest.empty())
            return;
        sys::DirectoryReader reader(sys::UniqueFd(sys::open_file(at.empty() ? "/" : at.c_str(), O_RDONLY | O_DIRECTORY)));
        while (const char* const name = reader.next()) {
            struct stat status {};
            const std::string next = at + "/" + name;
            if ((name[0] == '.' && !pattern.starts_with('.')) || !base::glob_match(pattern, name) || ::stat(next.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
                continue;
            if (add(index, next, IN_MOVE_SELF, false, {}))
                walk(index, next, rest, links);
        }
    }

    void follow(std::size_t index, const std::string& at, const std::string& link, const Parts& rest, std::size_t links) {
        char target[PATH_MAX];
        const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
        if (length < 0)
            return note_shortage(link);
        if (length == 0 || links >= most_links)
            return;
        const std::string_view text(target, static_cast<std::size_t>(length));
        Parts all = parts_of(text);
        all.insert(all.end(), rest.begin(), rest.end());
        walk(index, text.starts_with('/') ? std::string() : at, std::move(all), links + 1);
    }

    /// What could not be looked at is not absent.
    void note_shortage(const std::string& path) {
        answer_.seen.shortage = base::is_shortage(errno);
        if (answer_.seen.shortage)
            answer_.seen.error = fmt::format("{} cannot be looked at: {}", path, ::strerrordesc_np(errno));
    }

    /// False where there is nothing (any more) to watch; also when the kernel refuses, which is the end of the look.
    bool add(std::size_t index, const std::string& path, std::uint32_t events, bool primary, std::string child, bool last = false) {
        const std::uint32_t how = (events & IN_DONT_FOLLOW) | IN_MASK_ADD;
        const int watch = ::inotify_add_watch(inotify_, path.c_str(), events | how);
        if (watch < 0) {
            answer_.seen.shortage = errno == ENOSPC || base::is_shortage(errno);
            if (errno == ENOSPC)
                answer_.seen.error = "the kernel allows no more inotify watches (fs.inotify.max_user_watches)";
            else if (errno != ENOENT && errno != EACCES && errno != ENOTDIR && errno != ELOOP)
                answer_.seen.error = fmt::format("{} cannot be watched: {}", path, ::strerrordesc_np(errno));
            return false;
        }
        if (answer_.marks.size() >= most_watches * 2 || wanted_.size() >= most_watches) {
            answer_.seen.error = fmt::format("its paths need more than {} inotify watches", most_watches);
            return false;
        }
        wanted_[watch] = {path, events & IN_DONT_FOLLOW};
        PathMark mark{watch, index, primary, std::move(child), last};
        if (std::ranges::find(answer_.marks, mark) == answer_.marks.end())
            answer_.marks.push_back(std::move(mark));
        return true;
    }

    /// The next part is there, so what else happens in the directory does not matter.
    void relax(std::size_t index, const std::string& directory, const std::string& child) {
        const auto found = std::ranges::find_if(answer_.marks, [&](const PathMark& mark) {
            return mark.path == index && mark.child == child && wanted_.at(mark.watch).path == directory;
        });
        if (found != answer_.marks.end())
            found->child.clear();
    }

    /// Each watch hears of what its marks are for, and no more: those of a former look may have wanted more.
    void set_events() {
        for (auto& [watch, wanted] : wanted_) {
            std::uint32_t events = 0;
            for (const PathMark& mark : answer_.marks)
                if (mark.watch == watch)
                    events |= !mark.child.empty() ? parent_events
                              : mark.primary      ? events_of(section_.paths[mark.path].kind)
                              : wanted.how != 0   ? self_events // a link
                                                  : IN_MOVE_SELF | IN_DELETE_SELF;
            ::inotify_add_watch(inotify_, wanted.path.c_str(), events | wanted.how);
        }
    }

    void look(const WatchedPath& each) {
        struct stat status {};
        const bool there = ::stat(each.path.c_str(), &status) == 0;
        answer_.seen.files.push_back(there ? mark_of_file(status) : 0);
        std::uint64_t content = there ? mark_of_content(status) : 0;
        if (there && !each.is_state() && S_ISDIR(status.st_mode))
            content += mark_of_entries(each.path);
        answer_.seen.contents.push_back(content);
        if (!answer_.seen.good.empty())
            return;
        if (there && (each.kind == PathKind::Exists ||
                      (each.kind == PathKind::DirectoryNotEmpty && S_ISDIR(status.st_mode) && holds_something(each.path)))) {
            answer_.seen.good = each.path;
        } else if (each.kind == PathKind::ExistsGlob) {
            std::vector<std::string> forms;
            add_forms(each.path, forms);
            for (const std::string& form : forms)
                if (const auto found = glob_paths(form); !found.empty() && answer_.seen.good.empty())
                    answer_.seen.good = found.front();
        }
    }

    struct Wanted {
        std::string path;
        std::uint32_t how = 0; ///< IN_DONT_FOLLOW of a link itself
    };
    const unit::PathSection& section_;
    int inotify_;
    PathsAnswer answer_;
    std::map<int, Wanted> wanted_;
};

// ---- the answer's bytes: fields that end with NUL, the first letter says what each is -------------------------------

std::string bytes_of(const PathsAnswer& answer) {
    std::string bytes;
    const auto field = [&](char what, const std::string& text) {
        bytes += what;
        bytes += text;
        bytes += '\0';
    };
    if (!answer.seen.error.empty())
        field(answer.seen.shortage ? 's' : 'e', answer.seen.error);
    if (!answer.warning.empty())
        field('a', answer.warning);
    if (!answer.seen.good.empty())
        field('g', answer.seen.good);
    for (const std::uint64_t mark : answer.seen.files)
        field('f', std::to_string(mark));
    for (const std::uint64_t mark : answer.seen.contents)
        field('c', std::to_string(mark));
    for (const PathMark& mark : answer.marks)
        field('w', fmt::format("{} {} {} {} {}", mark.watch, mark.path, mark.primary ? 1 : 0, mark.last ? 1 : 0, mark.child));
    return bytes + '\n';
}

template <class T> T number(std::string_view& text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(std::min<std::size_t>(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
    return error == std::errc() ? value : T{};
}

} // namespace

PathsAnswer look_at_paths(const unit::PathSection& section, bool make_directories, int inotify, const std::vector<PathMark>& old) {
    return Look(section, inotify).run(make_directories, old);
}

base::Result<Probe> probe_paths(const unit::PathSection& section, bool make_directories, int inotify, const std::vector<PathMark>& old) {
    return Probe::start([&] { return bytes_of(look_at_paths(section, make_directories, inotify, old)); }, inotify);
}

PathsAnswer paths_answer(const std::string& bytes) {
    PathsAnswer answer;
    if (bytes.empty() || bytes.back() != '\n') {
        answer.seen.error = "its paths could not be looked at";
        return answer;
    }
    for (std::string_view field : base::split(std::string_view(bytes).substr(0, bytes.size() - 1), '\0')) {
        if (field.empty())
            continue;
        const char what = field.front();
        field.remove_prefix(1);
        if (what == 'e' || what == 's') {
            answer.seen.error = field;
            answer.seen.shortage = what == 's';
        } else if (what == 'a')
            answer.warning = field;
        else if (what == 'g')
            answer.seen.good = field;
        else if (what == 'f')
            answer.seen.files.push_back(number<std::uint64_t>(field));
        else if (what == 'c')
            answer.seen.contents.push_back(number<std::uint64_t>(field));
        else if (what == 'w') {
            PathMark mark;
            mark.watch = number<int>(field);
            mark.path = number<std::size_t>(field);
            mark.primary = number<int>(field) == 1;
            mark.last = number<int>(field) == 1;
            mark.child = field;
            answer.marks.push_back(std::move(mark));
        }
    }
    return answer;
}

void judge_event(const inotify_event& event, const unit::PathSection& section, const std::vector<PathMark>& marks, PathNews& news) {
    const auto changes = [&](std::size_t path) { news.path = std::min(news.path, path); };
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        news.look = true;
        for (std::size_t i = 0; i < section.paths.size(); i++)
            if (!section.paths[i].is_state())
                changes(i);
        return;
    }
    if ((event.mask & IN_UNMOUNT) != 0) {
        news.look = true;
        return;
    }
    const std::string_view name = event.len > 0 ? std::string_view(event.name) : std::string_view();
    for (const PathMark& mark : marks) {
        if (mark.watch != event.wd || mark.path >= section.paths.size())
            continue;
        const WatchedPath& path = section.paths[mark.path];
        if (!mark.child.empty()) {
            const bool named = path.kind == PathKind::ExistsGlob ? base::glob_match(mark.child, name) : mark.child == name;
            if (named && mark.last && !path.is_state() && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0)
                changes(mark.path); // it has come, even if it should be gone again by now
            news.look = news.look || name.empty() || named;
        } else if (!mark.primary) {
            news.look = news.look || (name.empty() && (event.mask & IN_IGNORED) == 0);
        } else if (path.is_state()) {
            news.look = true;
        } else if ((event.mask & events_of(path.kind)) != 0) {
            changes(mark.path);
        }
    }
}

} // namespace monoinit::exec
