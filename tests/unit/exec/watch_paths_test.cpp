// Looks at paths and the watches made for them, on a real file system: what is waited for where, which events mean what.
#include "../temporary_directory.hpp"
#include "exec/watch_paths.hpp"
#include "sys/unique_fd.hpp"

#include <catch2/catch.hpp>
#include <array>
#include <filesystem>
#include <fstream>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace monoinit;
using unit::PathKind;
namespace fs = std::filesystem;

namespace {

struct Place {
    Place() { inotify.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); }
    std::string at(const std::string& name) const { return root + "/" + name; }
    void touch(const std::string& name) const { std::ofstream(at(name)) << "x"; }
    const unit::PathsSeen& look(bool directories = false) {
        answer = exec::look_at_paths(section, directories, inotify.get(), answer.marks);
        return answer.seen;
    }
    /// What has happened since the last question.
    exec::PathNews news() {
        exec::PathNews found;
        alignas(inotify_event) std::array<char, 65536> buffer;
        for (ssize_t size; (size = ::read(inotify.get(), buffer.data(), buffer.size())) > 0;)
            for (ssize_t offset = 0; offset < size;) {
                const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + offset);
                exec::judge_event(*event, section, answer.marks, found);
                offset += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            }
        return found;
    }

    TemporaryDirectory directory;
    std::string root = fs::canonical(directory.path());
    sys::UniqueFd inotify;
    unit::PathSection section;
    exec::PathsAnswer answer;
};

constexpr std::size_t none = SIZE_MAX;

} // namespace

TEST_CASE("a path that is not there is waited for part by part, and nothing else is heard of") {
    Place place;
    place.section.paths = {{PathKind::Exists, place.at("a/b/c")}};
    CHECK(place.look().good.empty());
    CHECK(place.answer.seen.files == std::vector<std::uint64_t>{0});
    place.touch("noise");
    CHECK_FALSE(place.news().any());
    for (const char* const part : {"a", "a/b"}) {
        fs::create_directory(place.at(part));
        CHECK(place.news().look);
        CHECK(place.look().good.empty());
    }
    place.touch("noise");
    place.touch("a/noise");
    CHECK_FALSE(place.news().any());
    place.touch("a/b/c");
    CHECK(place.news().look);
    CHECK(place.look().good == place.at("a/b/c"));
    fs::remove_all(place.at("a"));
    CHECK(place.news().look);
    CHECK(place.look().files == std::vector<std::uint64_t>{0});
}

TEST_CASE("changed is when it is closed, modified at each write, both when it is replaced or comes") {
    Place place;
    place.touch("f");
    place.section.paths = {{PathKind::Changed, place.at("f")}, {PathKind::Modified, place.at("g")}};
    place.touch("g");
    const auto before = place.look();
    {
        std::ofstream f(place.at("f")), g(place.at("g"));
        place.news();
        f << "more" << std::flush;
        CHECK(place.news().path == none);
        g << "more" << std::flush;
        CHECK(place.news().path == 1);
    }
    CHECK(place.news().path == 0);
    const auto written = place.look();
    CHECK(written.files == before.files);
    CHECK(written.contents != before.contents);
    place.touch("new");
    place.news();
    fs::rename(place.at("new"), place.at("f"));
    CHECK(place.news().path == 0);
    CHECK(place.look().files != before.files);
    fs::remove(place.at("f"));
    CHECK(place.news().path == 0);
    place.look();
    place.touch("f");
    fs::remove(place.at("f")); // it has come, though it is gone
    CHECK(place.news().path == 0);
}

TEST_CASE("links are followed and watched themselves, rings end") {
    Place place;
    for (const char* const name : {"v1", "v2"}) {
        fs::create_directory(place.at(name));
        place.touch(std::string(name) + "/f");
    }
    fs::create_directory_symlink("v1", place.at("current"));
    fs::create_symlink(place.at("ring"), place.at("ring"));
    place.section.paths = {{PathKind::Changed, place.at("current/f")}, {PathKind::Exists, place.at("ring")}};
    const auto before = place.look();
    CHECK(before.error.empty());
    place.news();
    fs::create_directory_symlink("v2", place.at("next"));
    fs::rename(place.at("next"), place.at("current"));
    CHECK(place.news().any());
    CHECK(place.look().files[0] != before.files[0]);
    place.news();
    place.touch("v1/f");
    CHECK_FALSE(place.news().any());
    place.touch("v2/f");
    CHECK(place.news().path == 0);
    fs::create_symlink("../" + fs::path(place.root).filename().string() + "/far/end", place.at("far.link"));
    place.section.paths = {{PathKind::Exists, place.at("far.link")}};
    place.look();
    place.news();
    fs::create_directory(place.at("far"));
    CHECK(place.news().look);
    place.look();
    place.touch("far/end");
    CHECK(place.news().look);
    CHECK(place.look().good == place.at("far.link"));
}

TEST_CASE("directories: hidden files and backups do not count, and they are made on demand") {
    Place place;
    place.section.paths = {{PathKind::DirectoryNotEmpty, place.at("deep/spool")}, {PathKind::Exists, place.at("no/file")}};
    place.section.make_directory = true;
    place.section.directory_mode = 0710;
    CHECK(place.look().good.empty());
    CHECK_FALSE(fs::exists(place.at("deep")));
    CHECK(place.look(true).good.empty());
    struct stat status {};
    REQUIRE(::stat(place.at("deep/spool").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0710);
    CHECK_FALSE(fs::exists(place.at("no")));
    for (const char* const name : {".hidden", "a~", "b.dpkg-old", "c.bak"})
        place.touch(std::string("deep/spool/") + name);
    CHECK(place.news().look);
    CHECK(place.look().good.empty());
    place.touch("deep/spool/job");
    CHECK(place.news().look);
    CHECK(place.look().good == place.at("deep/spool"));
    place.section.paths[0].path = "/proc/self/nothing";
    place.look(true);
    CHECK(place.answer.warning.find("MakeDirectory=: /proc/self/nothing") == 0);
}

TEST_CASE("patterns: each directory that may hold a match is watched") {
    Place place;
    place.section.paths = {{PathKind::ExistsGlob, place.at("in*/*.{csv,txt}")}};
    CHECK(place.look().good.empty());
    fs::create_directory(place.at("out"));
    CHECK_FALSE(place.news().any());
    fs::create_directory(place.at("inbox"));
    CHECK(place.news().look);
    place.look();
    place.news();
    place.touch("inbox/a.png");
    CHECK_FALSE(place.news().any());
    place.touch("inbox/a.txt");
    CHECK(place.news().look);
    CHECK(place.look().good == place.at("inbox/a.txt"));
}

TEST_CASE("an overflow means that everything may have changed") {
    Place place;
    place.section.paths = {{PathKind::Exists, "/x"}, {PathKind::Modified, "/y"}};
    inotify_event overflow{};
    overflow.wd = -1;
    overflow.mask = IN_Q_OVERFLOW;
    exec::PathNews news;
    exec::judge_event(overflow, place.section, {}, news);
    CHECK(news.look);
    CHECK(news.path == 1);
}

TEST_CASE("an answer is read back as it was; one that is cut short is none") {
    Place place;
    place.touch("f\nwith 1 2 odd name");
    place.section.paths = {{PathKind::Exists, place.at("f\nwith 1 2 odd name")}, {PathKind::Changed, place.at("not here/f")}};
    auto probe = exec::probe_paths(place.section, false, place.inotify.get(), {});
    REQUIRE(probe);
    while (!probe->take_answer())
        ::usleep(1000);
    const exec::PathsAnswer here = exec::look_at_paths(place.section, false, place.inotify.get(), {});
    const exec::PathsAnswer told = exec::paths_answer(*probe->answer());
    CHECK(told.seen.good == place.at("f\nwith 1 2 odd name"));
    CHECK(told.seen.files == here.seen.files);
    CHECK(told.seen.contents == here.seen.contents);
    CHECK(told.marks == here.marks);
    CHECK_FALSE(exec::paths_answer("").seen.error.empty());
    CHECK_FALSE(exec::paths_answer(probe->answer()->substr(0, 20)).seen.error.empty());
}
