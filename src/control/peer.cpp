// The rule of who may what, and the words of a refusal. Tested by tests/unit/control/authorize_test.cpp.
#include "control/peer.hpp"

#include <algorithm>

namespace monoinit::control {

namespace {

/// Of people, as login.defs(5) has it: an account of a daemon must not outlive the unit that it is for.
constexpr unsigned first_person = 1000, last_person = 59999;

bool is_person(const Peer& peer) { return peer.uid >= first_person && peer.uid <= last_person; }

bool in_group(const Peer& peer, const Domain& domain) {
    return domain.group && (peer.gid == *domain.group ||
                            std::find(peer.groups.begin(), peer.groups.end(), *domain.group) != peer.groups.end());
}

/// What an owner's rights over a unit come to, in words for the refusal.
std::string about_owner(const UnitFacts& unit, unsigned uid) {
    if (unit.user.empty())
        return unit.name + " has no User=";
    if (!unit.user_uid)
        return unit.name + " has User=" + unit.user + ", who does not exist";
    if (*unit.user_uid != uid)
        return unit.name + " has User=" + unit.user + " (uid " + std::to_string(*unit.user_uid) + ")";
    return unit.name + " has User=" + unit.user + ", but also commands with + or ! that run with more rights";
}

/// Who is allowed, when the caller is not: "only root, a and b may; …".
std::string about_rule(Action action, const UnitFacts* unit, const Peer& peer, const Domain& domain) {
    const bool owner_would_do = unit != nullptr && unit->exists && (action == Action::Operate || action == Action::Environment);
    std::vector<std::string> who{"root"};
    if (domain.own_uid != 0)
        who.push_back("monoinit's own uid " + std::to_string(domain.own_uid));
    if (action == Action::Run)
        who.push_back("people (uids " + std::to_string(first_person) + " to " + std::to_string(last_person) + ", each as themselves)");
    else if (action != Action::Control)
        who.push_back(domain.group ? "members of the group monoinit (gid " + std::to_string(*domain.group) + ")"
                                   : "members of a group called monoinit (there is none)");
    if (owner_would_do)
        who.push_back("the user the unit runs as");
    std::string text = "only";
    for (std::size_t i = 0; i < who.size(); i++)
        text += (i == 0 ? " " : i + 1 == who.size() ? " and " : ", ") + who[i];
    text += " may";
    if (owner_would_do)
        text += "; " + about_owner(*unit, peer.uid);
    return text;
}

} // namespace

bool is_privileged(const Peer& peer, const Domain& domain) { return peer.uid == 0 || peer.uid == domain.own_uid; }

std::optional<std::string> authorize(const Peer& peer, Action action, std::string_view verb, const UnitFacts* unit,
                                     const Domain& domain) {
    if (is_privileged(peer, domain))
        return std::nullopt;
    const bool exists = unit == nullptr || unit->exists;
    const bool owns = unit != nullptr && unit->exists && unit->user_uid == peer.uid && !unit->privileged_commands;
    switch (action) {
    case Action::Look:
        return std::nullopt;
    case Action::Operate:
    case Action::Environment:
        if (owns || (in_group(peer, domain) && exists))
            return std::nullopt;
        break;
    case Action::Manage:
        if (in_group(peer, domain))
            return std::nullopt;
        break;
    case Action::Run:
        if (is_person(peer))
            return std::nullopt;
        break;
    case Action::Control:
        break;
    }
    const std::string target = unit == nullptr ? "" : " " + unit->name;
    const std::string user = domain.own_uid == 0 ? "" : "-u '#" + std::to_string(domain.own_uid) + "' ";
    return "uid " + std::to_string(peer.uid) + " may not " + std::string(verb) + target + ": " +
           about_rule(action, unit, peer, domain) + ". What works: sudo " + user + "initctl " + std::string(verb) + target;
}

} // namespace monoinit::control
