#pragma once
// Reads a log store, from any process that may read its files, while it is written. Nothing of it is trusted: what is
// damaged is passed over. Blocks that cannot hold what is asked for are not looked into. Tested by tests/unit/log/store_reader_test.cpp.

#include "log/selection.hpp"
#include "log/store_map.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <map>

namespace monoinit::log {

class StoreReader {
  public:
    /// Answers false to stop.
    using Visitor = std::function<bool(const Record&, const BootId&)>;

    static base::Result<StoreReader> open(const std::string& directory);

    /// Looks again at what is there. Lines that are written later are seen after the next refresh() only.
    void refresh();
    void forward(const Selection& selection, const Visitor& visitor);
    void backward(const Selection& selection, const Visitor& visitor);
    /// Where the newest line is that can be seen; nothing when there is none.
    std::optional<Position> end();

    struct Boot {
        BootId id;
        std::uint64_t first_us = 0, last_us = 0;
    };
    std::vector<Boot> boots(); ///< oldest first

    struct FileFacts {
        std::string name;
        std::uint64_t bytes = 0, lines = 0, first_us = 0, last_us = 0, raw_bytes = 0;
        std::size_t blocks = 0;
        BootId boot{};
        bool open = false, indexed = false;
    };
    std::vector<FileFacts> files();
    /// Whether every block of the file is whole.
    bool verify(std::string_view name);
    /// To be watched for changes (inotify).
    const std::string& directory() const { return path_; }

  private:
    struct File {
        std::uint64_t number = 0;
        bool open = false, tried = false, indexed = false;
        std::optional<StoreMap> map;
        FileHead head{};
        FileIndex index;
    };

    explicit StoreReader(std::string path) : path_(std::move(path)) {}
    bool load(File& file);
    bool wanted(const Selection& selection, const File& file) const;
    bool wanted(const Selection& selection, const File& file, const IndexEntry& block, const std::vector<bool>& units) const;
    std::optional<std::string_view> records_of(const Selection& selection, const File& file, const IndexEntry& block);
    bool after(const Selection& selection, const File& file, const Record& record) const;
    void find_start(const Selection& selection);

    std::string path_;
    sys::UniqueFd directory_;
    std::vector<File> files_;
    std::string buffer_;
    bool start_found_ = false;          ///< the boot of Selection::after is there …
    std::uint64_t start_number_ = 0, start_last_ = 0; ///< … in the files from and to these numbers
};

} // namespace monoinit::log
