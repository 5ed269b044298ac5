// Messages from strangers, and the contract file against the tables of fields.
#include "control/codec.hpp"

#include "control/fields.hpp"
#include "control/json_writer.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace monoinit;
using namespace monoinit::control;

namespace {

std::string error_of(const std::string& message) {
    const auto decoded = decode_call(message, Limits{});
    const auto* error = std::get_if<WireError>(&decoded);
    return error == nullptr ? "none" : error->name.empty() ? "drop" : error->name + " " + error->parameter_value;
}

template <class T> T decoded(const std::string& message) {
    const auto result = decode_call(message, Limits{});
    REQUIRE(std::holds_alternative<Call>(result));
    const auto& request = std::get<Call>(result).request;
    REQUIRE(std::holds_alternative<Request>(request));
    REQUIRE(std::holds_alternative<T>(std::get<Request>(request)));
    return std::get<T>(std::get<Request>(request));
}

template <std::size_t I = 0, class F> void for_each_request(F&& f) {
    if constexpr (I < std::variant_size_v<Request>) {
        f(std::variant_alternative_t<I, Request>{});
        for_each_request<I + 1>(f);
    }
}

const std::string operate = R"({"method":"io.monoinit.Manager.Operate","parameters":)";

} // namespace

TEST_CASE("every request survives its own encoding") {
    for_each_request([](auto request) {
        const Request wrapped(request);
        CAPTURE(method_name(wrapped));
        const auto result = decode_call(encode_call(wrapped, true), Limits{});
        REQUIRE(std::holds_alternative<Call>(result));
        CHECK(std::get<Call>(result).more);
        CHECK(std::get<Request>(std::get<Call>(result).request).index() == wrapped.index());
    });
}

TEST_CASE("values arrive as they were sent") {
    OperateRequest request{.verb = Verb::TryRestart, .units = {"a.service", "日本.service"}, .mode = "fail", .no_block = true};
    const auto back = decoded<OperateRequest>(encode_call(request, false));
    CHECK(back.verb == Verb::TryRestart);
    CHECK(back.units == request.units);
    CHECK(back.mode == "fail");
    CHECK(back.no_block);

    WaitRequest wait{.condition = "healthy", .timeout = std::chrono::seconds(60)};
    CHECK(decoded<WaitRequest>(encode_call(wait, false)).timeout == std::chrono::seconds(60));
    CHECK_FALSE(decoded<ExitRequest>(encode_call(ExitRequest{}, false)).status.has_value());
    CHECK(decoded<ExitRequest>(encode_call(ExitRequest{.status = 3}, false)).status == 3);
}

TEST_CASE("replies arrive as they were sent") {
    UnitDetail unit;
    unit.summary.name = "web.service";
    unit.summary.next_attempt = std::chrono::milliseconds(1400);
    unit.summary.guards = {7, 9};
    unit.active_enter = Moment{base::Instant{base::Duration(5)}, base::Duration(6)};
    unit.memory = ~std::uint64_t{0};
    unit.dependencies = {{"Requires", "init.service", "active", "exited", "loaded"}};
    unit.why = {"a \"b\" \x01 \xff c"};
    const auto answer = decode_reply(StatusRequest{}, encode_reply(StatusReply{unit}, true));
    REQUIRE(answer.has_value());
    CHECK(answer->continues);
    const UnitDetail& back = std::get<StatusReply>(answer->reply).unit;
    CHECK(back.summary.name == "web.service");
    CHECK(back.summary.next_attempt == unit.summary.next_attempt);
    CHECK(back.summary.guards == unit.summary.guards);
    CHECK(back.active_enter == unit.active_enter);
    CHECK(back.memory == unit.memory);
    CHECK(back.dependencies.at(0).unit == "init.service");
    CHECK(back.why.at(0) == "a \"b\" \x01 \xef\xbf\xbd c");
}

TEST_CASE("properties keep their order") {
    const PropertiesReply reply{{{"Id", "a.service"}, {"Description", ""}, {"Id", "twice"}}};
    const auto answer = decode_reply(PropertiesRequest{}, encode_reply(reply, false));
    REQUIRE(answer.has_value());
    CHECK(std::get<PropertiesReply>(answer->reply).properties == reply.properties);
}

TEST_CASE("errors of the manager keep their kind") {
    for (const auto code : {base::Errc::NotFound, base::Errc::Denied, base::Errc::Invalid, base::Errc::Busy, base::Errc::System}) {
        const auto answer = decode_reply(InfoRequest{}, encode_error(wire_error(base::fail(code, "what it is"))));
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().code == code);
        CHECK(answer.error().what == "what it is");
    }
}

TEST_CASE("what is no message drops the client") {
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("{}"), std::string("{\"method\":3}"),
          std::string("{\"method\":\"a.b\",\"parameters\":[]}"), std::string("{\"method\":\"\xff.\xfe\"}"),
          std::string("{\"method\":\"a.b\",\"more\":1}"), std::string("{\"method\":\"a.b\"} trailing"), std::string(200000, ' ')}) {
        CAPTURE(text.substr(0, 60));
        CHECK(error_of(text) == "drop");
    }
}

TEST_CASE("depth, size and number of values are checked before parsing") {
    CHECK(error_of(std::string(100000, '[')) == "drop");
    CHECK(error_of("{\"method\":\"a.b\",\"parameters\":" + std::string(20, '[') + std::string(20, ']') + "}") == "drop");
    std::string many = operate + R"({"units":["a")";
    for (int i = 0; i < 30000; i++)
        many += ",1";
    CHECK(error_of(many + "]}}") == "drop");
    CHECK(within_limits(R"({"a":"[[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[["})", Limits{}));
    CHECK_FALSE(within_limits("\"" + std::string(200, 'x') + "\"", Limits{.bytes = 100}));
    CHECK(within_limits("]]]]}}}}", Limits{}));
    CHECK(within_limits("\"\\", Limits{}));
}

TEST_CASE("wrong parameters are named") {
    CHECK(error_of(operate + R"({"units":"a"}})") == "org.varlink.service.InvalidParameter units");
    CHECK(error_of(operate + R"({"units":[1]}})") == "org.varlink.service.InvalidParameter units");
    CHECK(error_of(operate + R"({"verb":"explode"}})") == "org.varlink.service.InvalidParameter verb");
    CHECK(error_of(operate + R"({"units":[],"unit":"a"}})") == "org.varlink.service.InvalidParameter unit");
    CHECK(error_of(R"({"method":"io.monoinit.Manager.Kill","parameters":{"signal":4294967296}})") ==
          "org.varlink.service.InvalidParameter signal");
    CHECK(error_of(R"({"method":"io.monoinit.Manager.Wait","parameters":{"timeout":-1}})") ==
          "org.varlink.service.InvalidParameter timeout");
    CHECK(error_of(R"({"method":"io.monoinit.Manager.Wait","parameters":{"timeout":1e99}})") ==
          "org.varlink.service.InvalidParameter timeout");
    CHECK(error_of(operate + R"({"units":null}})") == "none");
    CHECK(error_of(R"({"method":"io.monoinit.Manager.Explode"})") ==
          "org.varlink.service.MethodNotFound io.monoinit.Manager.Explode");
    CHECK(error_of(R"({"method":"io.systemd.Manager.List"})") == "org.varlink.service.InterfaceNotFound io.systemd.Manager");
    CHECK(error_of(R"({"method":"List"})") == "org.varlink.service.InterfaceNotFound ");
}

TEST_CASE("introspection is understood") {
    const auto info = decode_call(R"({"method":"org.varlink.service.GetInfo"})", Limits{});
    CHECK(std::holds_alternative<GetInfoRequest>(std::get<Call>(info).request));
    CHECK(error_of(R"({"method":"org.varlink.service.GetInterfaceDescription","parameters":{}})") ==
          "org.varlink.service.InvalidParameter interface");
}

TEST_CASE("mutated messages never do harm") {
    std::mt19937 random(7);
    const std::string seed = encode_call(OperateRequest{.verb = Verb::Stop, .units = {"a", "b"}, .no_block = true}, true);
    for (int round = 0; round < 20000; round++) {
        std::string text = seed;
        for (unsigned i = 0; i < 1 + random() % 4; i++)
            text[random() % text.size()] = static_cast<char>(random() % 256);
        (void)decode_call(text, Limits{}); // returns; sanitizers watch
        (void)decode_reply(StatusRequest{}, text);
    }
}

TEST_CASE("JSON for people holds every field, and UTF-8 as it is") {
    const std::string text = to_json(ListReply{{UnitSummary{.name = "日本.service", .note = "tab\there \x1b[31m"}}});
    CHECK(text.find("\"name\": \"日本.service\"") != std::string::npos);
    CHECK(text.find("\"note\": \"tab\\there \\u001b[31m\"") != std::string::npos);
    CHECK(text.find("\"restarts\": 0") != std::string::npos);
    CHECK(text.find("\"next_attempt\": null") != std::string::npos);
}

TEST_CASE("the contract file names every method and field") {
    const std::string text(interface_description());
    const auto has = [&](const std::string& words) { return text.find(words) != std::string::npos; };
    CHECK(has("interface io.monoinit.Manager\n"));
    const auto check_fields = [&]<class T>(const T&) {
        const auto check = [&](std::string_view name) {
            CAPTURE(name);
            CHECK(has(std::string(name) + ": "));
        };
        std::apply([&](const auto&... f) { (check(f.name), ...); }, fields<T>);
    };
    for_each_request([&]<class T>(const T& request) {
        CAPTURE(Method<T>::name);
        CHECK(has("\nmethod " + std::string(Method<T>::name) + "("));
        check_fields(request);
        check_fields(typename Method<T>::Answer{});
    });
    check_fields(UnitSummary{});
    check_fields(UnitDetail{});
    check_fields(Dependency{});
    check_fields(ExecRecord{});
    check_fields(JobInfo{});
    check_fields(JobOutcome{});
    check_fields(WaitState{});
    for (const auto& row : verb_names)
        CHECK(has("\"" + std::string(row.second) + "\""));
    CHECK(encode_interface_description(text).find("interface io.monoinit.Manager") != std::string::npos);
}
