import JSON
import Packs
import Testing

@Suite("MessageTemplate")
struct MessageTemplateTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let template: String
        let body: String
        let value: String?
        let parts: [String]

        init(
            _ name: String, _ template: String, _ body: String, _ value: String?, _ parts: [String]
        ) {
            (testDescription, self.template, self.body) = (name, template, body)
            (self.value, self.parts) = (value, parts)
        }
    }

    static let cases: [Case] = [
        Case("the body", #""$body""#, #"{"a":1}"#, nil, [#"{"a":1}"#]),
        Case(
            "members and holes", #"{"from":"$previous","to":"$value","t":"$body.t","at":"$now"}"#,
            #"{"t":"zoom"}"#, #""graph""#,
            [#"{"from":"#, #","to":"graph","t":"zoom","at":"#, "}"]),
        Case(
            "absent members go with their commas", #"{"a":"$body.a","b":"$body.b","c":"$body.c"}"#,
            #"{"b":null}"#, nil, [#"{"b":null}"#]),
        Case("all absent", #"{"a":"$body.a"}"#, "{}", nil, ["{}"]),
        Case("absent in a list is null", #"["$body.a",1,true]"#, "{}", nil, ["[null,1,true]"]),
        Case("a value that only Redis knows", #"{"n":"$value"}"#, "{}", nil, [#"{"n":"#, "}"]),
        Case("keys are escaped", #"{"a\"b":1.10}"#, "{}", nil, [#"{"a\"b":1.10}"#]),
    ]

    @Test("fills", arguments: cases)
    func fill(_ each: Case) throws {
        let parsed = MessageTemplate.parse(Array(each.template.utf8))
        let template = try #require(parsed.template)
        let parts = template.fill(
            body: try JSONDocument.parse(each.body).root, bodyText: Array(each.body.utf8),
            value: each.value.map { Array($0.utf8) })
        #expect(parts.map { String(decoding: $0, as: UTF8.self) } == each.parts)
        let holes = template.holes.filter { each.value == nil || $0 != .value }
        #expect(parts.count == holes.count + 1)
    }

    @Test("names what stands for nothing")
    func unknown() {
        let text = #"{"a":"$bodies","b":["$body."],"c":"$"}"#
        #expect(MessageTemplate.parse(Array(text.utf8)).unknown == ["$bodies", "$body.", "$"])
    }
}
