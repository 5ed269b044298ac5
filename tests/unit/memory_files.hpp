#pragma once
// A file tree in memory, for tests of everything that reads or changes unit directories through base::FileTree.

#include "base/files.hpp"

#include <map>
#include <string>

namespace monoinit {

class MemoryFiles : public base::FileTree {
  public:
    struct Node {
        base::DirEntry::Kind kind = base::DirEntry::Kind::Regular;
        std::string content; ///< text, or the target of a symlink
        int error = 0;       ///< reading fails with this errno
    };

    /// A file, with the directories above it.
    MemoryFiles& file(const std::string& path, std::string text) {
        return put(path, {base::DirEntry::Kind::Regular, std::move(text)});
    }
    MemoryFiles& link(const std::string& path, std::string target) {
        return put(path, {base::DirEntry::Kind::Symlink, std::move(target)});
    }
    MemoryFiles& directory(const std::string& path) { return put(path, {base::DirEntry::Kind::Directory, {}}); }
    MemoryFiles& fifo(const std::string& path) { return put(path, {base::DirEntry::Kind::Other, {}}); }
    MemoryFiles& unreadable(const std::string& path, int error) {
        return put(path, {base::DirEntry::Kind::Regular, {}, error});
    }
    MemoryFiles& put(const std::string& path, Node node) {
        for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
            nodes_.try_emplace(path.substr(0, slash), Node{base::DirEntry::Kind::Directory, {}});
        nodes_[path] = std::move(node);
        return *this;
    }
    bool exists(const std::string& path) const { return nodes_.contains(path); }
    std::string target(const std::string& path) const {
        const auto found = nodes_.find(path);
        return found != nodes_.end() && found->second.kind == base::DirEntry::Kind::Symlink ? found->second.content : "";
    }
    mutable std::size_t lists = 0, reads = 0; ///< how often each was asked for

    base::Result<std::vector<base::DirEntry>> list(const std::string& directory) const override {
        lists++;
        const std::string real = resolve(directory);
        const auto found = nodes_.find(real);
        if (found == nodes_.end() || found->second.kind != base::DirEntry::Kind::Directory)
            return base::fail(base::Errc::NotFound, "no such directory");
        std::vector<base::DirEntry> entries;
        const std::string prefix = real + "/";
        for (auto at = nodes_.lower_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at)
            if (at->first.find('/', prefix.size()) == std::string::npos)
                entries.push_back({at->first.substr(prefix.size()), at->second.kind});
        return entries;
    }
    std::uint64_t stamp(const std::string& directory) const override {
        const std::string prefix = resolve(directory) + "/";
        std::uint64_t entries = 0;
        for (auto at = nodes_.lower_bound(prefix); at != nodes_.end() && at->first.starts_with(prefix); ++at)
            entries++;
        return entries;
    }
    base::Result<std::string> read(const std::string& path, std::size_t limit) const override {
        reads++;
        const std::string real = resolve(path);
        if (real.empty())
            return base::fail_errno(40, "links that lead in a circle"); // ELOOP
        const auto found = nodes_.find(real);
        if (found == nodes_.end())
            return base::fail(base::Errc::NotFound, "no such file");
        if (found->second.error != 0)
            return base::fail_errno(found->second.error, "cannot be read");
        if (found->second.kind != base::DirEntry::Kind::Regular)
            return base::fail(base::Errc::Invalid, "not a regular file");
        if (found->second.content.size() > limit)
            return base::fail(base::Errc::TooLarge, "too large");
        return found->second.content;
    }
    base::Result<std::string> read_link(const std::string& path) const override {
        const auto found = nodes_.find(parent_resolved(path));
        if (found == nodes_.end() || found->second.kind != base::DirEntry::Kind::Symlink)
            return base::fail(base::Errc::Invalid, "not a link");
        return found->second.content;
    }
    base::Result<base::DirEntry::Kind> kind(const std::string& path) const override {
        const auto found = nodes_.find(parent_resolved(path));
        if (found == nodes_.end())
            return base::fail(base::Errc::NotFound, "nothing there");
        return found->second.kind;
    }
    base::Result<void> make_directory(const std::string& path) override {
        put(path, {base::DirEntry::Kind::Directory, {}});
        return {};
    }
    base::Result<void> symlink(const std::string& target, const std::string& path) override {
        if (nodes_.contains(path))
            return base::fail(base::Errc::Exists, "exists");
        put(path, {base::DirEntry::Kind::Symlink, target});
        return {};
    }
    base::Result<void> remove(const std::string& path) override {
        return nodes_.erase(path) != 0 ? base::Result<void>{} : base::fail(base::Errc::NotFound, "nothing there");
    }
    base::Result<void> remove_directory(const std::string& path) override {
        const auto entries = list(path);
        if (!entries)
            return entries.error();
        if (!entries->empty())
            return base::fail(base::Errc::Exists, "not empty");
        nodes_.erase(path);
        return {};
    }
    base::Result<void> write(const std::string& path, std::string_view text) override {
        nodes_.erase(path);
        put(path, {base::DirEntry::Kind::Regular, std::string(text)});
        return {};
    }
    base::Result<base::Duration> changed_at(const std::string& path) const override {
        return nodes_.contains(parent_resolved(path)) ? base::Result<base::Duration>(base::Duration{}) : base::fail(base::Errc::NotFound, "nothing there");
    }

  private:
    /// Follows links component by component; empty when they lead in a circle.
    std::string resolve(const std::string& path, int depth = 0) const {
        if (depth > 20)
            return {};
        std::string done;
        for (std::size_t at = 1; at <= path.size();) {
            const std::size_t slash = std::min(path.find('/', at), path.size());
            const std::string part = path.substr(at, slash - at);
            at = slash + 1;
            if (part.empty() || part == ".")
                continue;
            if (part == "..") {
                done.resize(std::min(done.rfind('/'), done.size()));
                continue;
            }
            const auto found = nodes_.find(done + "/" + part);
            if (found == nodes_.end() || found->second.kind != base::DirEntry::Kind::Symlink) {
                done += "/" + part;
                continue;
            }
            const std::string& target = found->second.content;
            const std::string rest = slash < path.size() ? path.substr(slash) : "";
            return resolve((target.starts_with('/') ? target : done + "/" + target) + rest, depth + 1);
        }
        return done.empty() ? "/" : done;
    }
    std::string parent_resolved(const std::string& path) const {
        const std::size_t slash = path.rfind('/');
        return slash == 0 || slash == std::string::npos ? path : resolve(path.substr(0, slash)) + path.substr(slash);
    }

    std::map<std::string, Node> nodes_;
};

} // namespace monoinit
