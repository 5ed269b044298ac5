#pragma once
// The control API's operations (control::Manager): queries answer from the engine's snapshots, requests become engine
// events, and their ends are matched to the tickets that wait. Jobs go on when a client leaves.
// Tested by tests/system.

#include "control/server.hpp"
#include "engine/engine.hpp"

#include <map>
#include <unordered_map>

namespace monoinit::runtime {

class Runtime;

class Operations : public control::Manager {
  public:
    explicit Operations(Runtime& runtime) : runtime_(runtime) {}
    void set_server(control::Server& server) { server_ = &server; }

    // What the engine says.
    void replied(const engine::RequestReply& reply);
    void finished(const engine::JobFinished& finished);
    void unit_changed(const engine::UnitChanged& changed);
    void health_changed(const engine::HealthChanged& changed);
    /// Looks at all waits again; call after a batch of effects.
    void check_waits();
    base::Instant next_deadline() const;
    void expire(base::Instant now);

    // control::Manager
    control::UnitFacts facts(const std::string& unit) override;
    control::ManagerInfo info() override;
    std::vector<control::UnitSummary> list(const control::ListRequest& request) override;
    base::Result<control::UnitDetail> status(const control::StatusRequest& request) override;
    base::Result<control::PropertyList> properties(const control::PropertiesRequest& request, bool with_environment) override;
    base::Result<std::vector<control::Dependency>> dependencies(const control::DependenciesRequest& request) override;
    std::vector<control::JobInfo> jobs() override;
    base::Result<control::HealthReply> health(const control::HealthRequest& request) override;
    void environment(control::Ticket ticket, const control::EnvironmentRequest& request) override;
    void operate(control::Ticket ticket, const control::Peer& peer, const control::OperateRequest& request) override;
    void kill(control::Ticket ticket, const control::KillRequest& request) override;
    void reset_failed(control::Ticket ticket, const control::ResetFailedRequest& request) override;
    void cancel_jobs(control::Ticket ticket, const control::CancelRequest& request) override;
    void daemon_reload(control::Ticket ticket) override;
    void daemon_reexec(control::Ticket ticket) override;
    void exit(control::Ticket ticket, const control::ExitRequest& request) override;
    control::ShutdownPlanReply shutdown_plan() override;
    void put_unit(control::Ticket ticket, const control::Peer& peer, const control::PutUnitRequest& request, std::vector<sys::UniqueFd>& descriptors) override;
    void adopt(control::Ticket ticket, const control::Peer& peer, const control::AdoptRequest& request) override;
    /// A scope is over: its file goes, and it is forgotten unless it has failed.
    void forget_scope(base::UnitId unit);
    void wait(control::Ticket ticket, const control::WaitRequest& request) override;
    void mute(control::Ticket ticket, const control::MuteRequest& request) override;
    base::Result<control::Empty> set_properties(const control::SetPropertiesRequest& request) override; // set_properties.cpp
    void set_environment(control::Ticket ticket, const control::SetEnvironmentRequest& request) override;
    void subscribe(control::Ticket ticket, const control::SubscribeRequest& request) override;
    void abandoned(control::Ticket ticket) override;

  private:
    struct Operation {
        control::OperateReply reply;
        std::size_t open = 0; ///< outcomes still to come
        bool no_block = false, show_transaction = false;
    };
    void spare_caller(control::Ticket ticket, const control::Peer& peer, base::UnitId caller);
    struct Request {
        control::Ticket ticket;
        std::size_t index = 0; ///< of its outcome
        base::Moment before;   ///< when the unit had changed its state last, as the request came
    };
    struct Wait {
        control::WaitRequest request;
        std::vector<base::UnitId> units;
        base::Instant deadline = base::never, since;
    };
    base::UnitId known(const std::string& name);
    base::Result<base::UnitId> make_unit(const control::PutUnitRequest& request, const control::Peer& peer);
    std::optional<std::string> name_is_taken(const std::string& name, const control::Peer& peer);
    base::Result<base::UnitId> load_transient(const control::PutUnitRequest& request, const std::string& path);
    base::Instant over_at(const engine::UnitStatus& status);
    void sweep_later(base::UnitId unit);
    std::optional<std::string> refuse_own(const std::string& name, const control::Peer& peer);
    void sweep_transient_units();
    bool is_transient(base::UnitId unit) const;
    static void explain(control::JobOutcome& outcome, const engine::JobFinished& finished, const engine::UnitStatus& status,
                        const base::Moment& before);
    void settle(std::uint64_t request, control::JobOutcome outcome);
    control::WaitState judge(base::UnitId unit, const control::WaitRequest& request, bool& hopeless) const;
    bool answer_wait(control::Ticket ticket, const Wait& wait);
    std::vector<std::string> expand(const std::vector<std::string>& names);

    Runtime& runtime_;
    control::Server* server_ = nullptr;
    std::map<control::Ticket, Operation> operations_;
    std::unordered_map<std::uint64_t, Request> requests_;
    std::map<control::Ticket, Wait> waits_;
    std::map<control::Ticket, control::SubscribeRequest> subscriptions_;
    std::unordered_map<std::string, base::Instant> put_; ///< transient units that may be swept: when they came
    base::Instant sweep_at_; ///< when one of them may be over; at once in a new image, which knows of none
    std::uint64_t next_request_ = 1;
};

} // namespace monoinit::runtime
