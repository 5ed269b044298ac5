#pragma once
// The directory of a log store, from its writer's side: the open file, rotation, and what has to go. There is one writer.
// Old lines make room for new ones: a full disk costs old logs. Everything may block; the writer's thread is the only one
// that calls this. Tested by tests/unit/log/store_directory_test.cpp.

#include "base/time.hpp"
#include "log/store_file.hpp"
#include "log/store_settings.hpp"
#include "log/store_thinning.hpp"
#include "sys/unique_fd.hpp"

namespace monoinit::log {

/// One file of a store, as a listing has it.
struct StoreFileInfo {
    std::uint64_t number = 0;
    bool open = false;
    std::uint64_t bytes = 0; ///< on disk
    base::Duration changed{}; ///< CLOCK_REALTIME
};
/// In order. Of what is there open and finished only the finished file counts. Foreign files are not listed.
std::vector<StoreFileInfo> list_store_files(int directory);

class StoreDirectory {
  public:
    StoreDirectory(std::string path, const StoreLimits& limits, const BootId& boot);

    /// Makes the directory, and finishes what an earlier writer left open. Called again by append() where the directory has gone.
    base::Result<void> open();
    struct Appended {
        std::size_t size = 0;
        std::uint64_t last_cursor = 0;
    };
    /// Writes whole records from the front of `records` as one block, `limit` bytes of them. Size 0: what is there is no record.
    base::Result<Appended> append(std::string_view records, std::size_t limit);
    /// Finishes the open file; the next append() begins another.
    void rotate();
    /// Removes finished files, oldest first, until the limits hold.
    void vacuum(const StoreLimits& limits) { vacuum(limits, 0); }
    /// Rotates and vacuums for age alone. To be called now and then.
    void tend();

    bool ages() const { return limits_.max_age.count() > 0 || limits_.max_file_age.count() > 0; }

  private:
    /// Blocks in the open file that will be one in the finished file.
    struct Run {
        std::uint64_t begin = 0, end = 0; ///< offsets
        bool whole = false; ///< one large block, which is taken over as it is
        Summary summary;
    };
    struct Contents {
        UnitNumbers numbers;
        std::vector<Run> runs;
        void add(std::uint64_t begin, std::uint64_t end, Summary summary);
        void add_whole(std::uint64_t begin, std::uint64_t end, Summary summary);
    };

    base::Result<void> begin_file();
    base::Result<void> write_block(std::string_view records, Summary& summary);
    static Contents contents_of(std::string_view file);
    bool finish(std::uint64_t number, const Contents* contents);
    /// With another file of `extra` bytes.
    void vacuum(const StoreLimits& limits, std::uint64_t extra);
    std::uint64_t excess(const std::vector<StoreFileInfo>& files, std::uint64_t extra) const;
    void thin_out(std::uint64_t extra);
    std::uint64_t thin(const StoreFileInfo* before, const StoreFileInfo& file, const UnitBytes& drop);
    bool remove(const StoreFileInfo& file);
    bool remove_oldest();
    void settle_limits();

    std::string path_;
    StoreLimits wanted_, limits_;
    BootId boot_;
    sys::UniqueFd directory_, file_;
    std::uint64_t number_ = 0, next_number_ = 1;
    std::string packed_; ///< a block on its way, kept so that its memory is
    std::uint64_t size_ = 0; ///< of the open file
    base::Duration begun_{};
    Contents contents_; ///< of the open file
};

} // namespace monoinit::log
