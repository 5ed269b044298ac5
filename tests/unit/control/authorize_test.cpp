// Who may what: the whole rule as a table.
#include "control/peer.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::control;

namespace {

constexpr unsigned dev = 1000, other = 1001, admins = 50;
const Domain as_root{.own_uid = 0, .group = admins};
const Domain as_dev{.own_uid = dev};
const UnitFacts of_dev{.name = "code.service", .exists = true, .user = "dev", .user_uid = dev};
const UnitFacts of_root{.name = "ssh.service", .exists = true};
const UnitFacts with_plus{.name = "plus.service", .exists = true, .user = "dev", .user_uid = dev, .privileged_commands = true};
const UnitFacts missing{.name = "nope.service"};
const Peer root{.uid = 0}, user{.uid = dev, .gid = dev}, stranger{.uid = other, .gid = other};
const Peer member{.uid = other, .gid = other, .groups = {4, admins}}, member_by_gid{.uid = other, .gid = admins};

bool may(const Peer& peer, Action action, const UnitFacts* unit, const Domain& domain = as_root) {
    return !authorize(peer, action, "restart", unit, domain);
}

} // namespace

TEST_CASE("root and monoinit's own uid may do everything") {
    for (const Action action : {Action::Look, Action::Environment, Action::Operate, Action::Manage, Action::Control}) {
        CHECK(may(root, action, &of_root));
        CHECK(may(root, action, &missing));
        CHECK(may(user, action, &of_root, as_dev));
        CHECK(may(root, action, nullptr, as_dev));
    }
    CHECK_FALSE(may(stranger, Action::Operate, &of_dev, as_dev));
}

TEST_CASE("the user a unit runs as may operate that unit, unless it has privileged commands") {
    CHECK(may(user, Action::Operate, &of_dev));
    CHECK(may(user, Action::Environment, &of_dev));
    CHECK_FALSE(may(user, Action::Operate, &of_root));
    CHECK_FALSE(may(user, Action::Operate, &with_plus));
    CHECK_FALSE(may(user, Action::Operate, &missing));
    CHECK_FALSE(may(user, Action::Manage, nullptr));
    CHECK_FALSE(may(user, Action::Control, nullptr));
    CHECK_FALSE(may(stranger, Action::Operate, &of_dev));
}

TEST_CASE("members of the group may operate all existing units, but not end the container") {
    for (const Peer* peer : {&member, &member_by_gid}) {
        CHECK(may(*peer, Action::Operate, &of_root));
        CHECK(may(*peer, Action::Operate, &with_plus));
        CHECK(may(*peer, Action::Environment, &of_root));
        CHECK(may(*peer, Action::Manage, nullptr));
        CHECK_FALSE(may(*peer, Action::Operate, &missing));
        CHECK_FALSE(may(*peer, Action::Control, nullptr));
        CHECK_FALSE(may(*peer, Action::Operate, &of_root, as_dev)); // no such group there
    }
}

TEST_CASE("everybody may look, but not at environments") {
    CHECK(may(stranger, Action::Look, &of_root));
    CHECK(may(stranger, Action::Look, nullptr));
    CHECK_FALSE(may(stranger, Action::Environment, &of_root));
    CHECK_FALSE(may(stranger, Action::Environment, nullptr));
}

TEST_CASE("a refusal names the uid, the rule and the command that works") {
    CHECK(*authorize(stranger, Action::Operate, "restart", &of_dev, as_root) ==
          "uid 1001 may not restart code.service: only root, members of the group monoinit (gid 50) and the user the unit "
          "runs as may; code.service has User=dev (uid 1000). What works: sudo initctl restart code.service");
    CHECK(*authorize(user, Action::Operate, "stop", &with_plus, Domain{}) ==
          "uid 1000 may not stop plus.service: only root, members of a group called monoinit (there is none) and the "
          "user the unit runs as may; plus.service has User=dev, but also commands with + or ! that run with more rights. "
          "What works: sudo initctl stop plus.service");
    CHECK(*authorize(stranger, Action::Control, "exit", nullptr, as_dev) ==
          "uid 1001 may not exit: only root and monoinit's own uid 1000 may. What works: sudo -u '#1000' initctl exit");
}

TEST_CASE("people run services as themselves, accounts of daemons do not") {
    const Domain domain{.own_uid = 0, .group = std::nullopt};
    const auto may = [&](unsigned uid) { return !authorize(Peer{.uid = uid, .gid = uid}, Action::Run, "run", nullptr, domain); };
    CHECK(may(0));
    CHECK(may(1000));
    CHECK(may(59999));
    for (const unsigned uid : {1U, 33U, 999U, 60000U, 65534U})
        CHECK_FALSE(may(uid));
    CHECK(authorize(Peer{.uid = 33}, Action::Run, "run", nullptr, domain)->find("people (uids 1000 to 59999, each as themselves)") != std::string::npos);
}
