// The process behind X-Watch=, on a real tree: what it tells of, when, and that it ends when nobody listens.
#include "../temporary_directory.hpp"
#include "exec/watch_sources.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace monoinit;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Story {
    explicit Story(std::vector<std::string> patterns) {
        for (const std::string& pattern : patterns)
            section.patterns.push_back(root + "/" + pattern);
        section.delay = 50ms;
        auto made = exec::start_source_watcher(section);
        REQUIRE(made);
        watcher = std::move(*made);
    }
    ~Story() {
        watcher.news.reset();
        ::kill(watcher.pid, SIGKILL);
        ::waitpid(watcher.pid, nullptr, 0);
    }
    /// What it says next; nothing when it has ended.
    std::optional<exec::SourceNews> next() {
        for (;;) {
            if (auto all = exec::source_news(bytes); !all.empty())
                return all.front();
            pollfd one{watcher.news.get(), POLLIN, 0};
            if (::poll(&one, 1, 20'000) <= 0)
                return std::nullopt;
            char buffer[4096];
            const ssize_t size = ::read(watcher.news.get(), buffer, sizeof buffer);
            if (size <= 0)
                return std::nullopt;
            bytes.append(buffer, static_cast<std::size_t>(size));
        }
    }
    /// It is ready when it has told of this.
    void ready() {
        for (int i = 0;; i++) {
            directory.write("src/ready.py", std::to_string(i));
            pollfd one{watcher.news.get(), POLLIN, 0};
            if (::poll(&one, 1, 200) > 0)
                break;
            REQUIRE(i < 100);
        }
        REQUIRE(next());
    }

    TemporaryDirectory directory;
    std::string root = fs::canonical(directory.path());
    unit::WatchSection section;
    exec::SourceWatcher watcher;
    std::string bytes;
};

} // namespace

TEST_CASE("changes are told once they have settled, those of a new directory too") {
    Story story({"src/**/*.py"});
    story.ready();
    story.directory.write("src/a.txt", "x");
    story.directory.write("src/deep/er/b.py", "x");
    auto news = story.next();
    REQUIRE(news);
    CHECK(news->path == story.root + "/src/deep/er/b.py");
    CHECK(news->more == 0);
    story.directory.write("src/deep/er/b.py", "y");
    news = story.next();
    REQUIRE(news);
    CHECK(news->path == story.root + "/src/deep/er/b.py");
    fs::rename(story.root + "/src/deep", story.root + "/src/moved");
    news = story.next();
    REQUIRE(news);
    CHECK(news->path == story.root + "/src/moved/er/b.py");
    story.directory.write("src/moved/er/c.py", "y");
    news = story.next();
    REQUIRE(news);
    CHECK(news->path == story.root + "/src/moved/er/c.py");
    fs::remove_all(story.root + "/src");
    REQUIRE(story.next());
    story.directory.write("src/d.py", "y");
    news = story.next();
    REQUIRE(news);
    CHECK(news->path == story.root + "/src/d.py");
}

TEST_CASE("it ends when nobody listens any more") {
    Story story({"src"});
    story.ready();
    story.watcher.news.reset();
    int status = 0;
    REQUIRE(::waitpid(story.watcher.pid, &status, 0) == story.watcher.pid);
    CHECK(WIFEXITED(status));
    story.watcher.pid = ::fork(); // for the destructor
    if (story.watcher.pid == 0)
        ::_exit(0);
}

TEST_CASE("lines: what is cut short waits for the rest") {
    std::string bytes = "c2 /a b\npout of watches\nc0 /x";
    const auto all = exec::source_news(bytes);
    REQUIRE(all.size() == 2);
    CHECK(all[0].path == "/a b");
    CHECK(all[0].more == 2);
    CHECK(all[1].problem == "out of watches");
    CHECK(bytes == "c0 /x");
    bytes = "\n\n";
    CHECK(exec::source_news(bytes).size() == 2);
}
