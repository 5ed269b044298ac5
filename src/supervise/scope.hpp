#pragma once
// The state machine of one scope unit, systemd.scope(5): processes that somebody else has started. Pure: the shell knows the
// processes, and says when none is left. enter() is the only writer of the state.
//
//   dead -> running -> dead        stop: -> stop-sigterm -> stop-sigkill -> dead | failed
//
// Tested by tests/unit/supervise/scope_test.cpp.

#include "supervise/types.hpp"

namespace monoinit::supervise {

enum class ScopeState : std::uint8_t { Dead, Running, StopSigterm, StopSigkill, Failed };
std::string_view name(ScopeState state);
ActiveState active_state(ScopeState state);

enum class ScopeResult : std::uint8_t { Success, Timeout };
std::string_view name(ScopeResult result);

class Scope {
  public:
    explicit Scope(std::shared_ptr<const unit::UnitConfig> config) : config_(std::move(config)) {}
    void replace_config(std::shared_ptr<const unit::UnitConfig> config) { config_ = std::move(config); }

    void adopted(Moment now, std::vector<Action>& out); ///< the shell has processes for it
    void emptied(Moment now, std::vector<Action>& out); ///< and none any more
    void stop(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out);
    void kill(int signal, std::vector<Action>& out) const;
    void set_stop_deadline(Instant at) { stop_by_ = at; } ///< from now on SIGTERM gets no longer than this
    void on_deadline(Moment now, std::vector<Action>& out);
    Instant deadline() const { return std::min(data_.state_deadline, data_.runtime_deadline); }

    struct Data {
        ScopeState state = ScopeState::Dead;
        ScopeResult result = ScopeResult::Success;
        Instant state_deadline = base::never, runtime_deadline = base::never;
        std::string last_failure;
        bool operator==(const Data&) const = default;
    };
    const Data& data() const { return data_; }
    void restore(Data data) { data_ = std::move(data); }

  private:
    void enter(ScopeState next, Moment now, std::vector<Action>& out);

    std::shared_ptr<const unit::UnitConfig> config_;
    Data data_;
    Instant stop_by_ = base::never;
};

} // namespace monoinit::supervise
