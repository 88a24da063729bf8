import JSON
import Testing

@Suite("JSONSchema")
struct JSONSchemaTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let schema: String
        let value: String
        /// Paths of the errors.
        let expected: [String]

        init(_ name: String, _ schema: String, _ value: String, _ expected: [String] = []) {
            (testDescription, self.schema, self.value, self.expected) =
                (name, schema, value, expected)
        }
    }

    static let nested = #"""
        {"type":"object","additionalProperties":false,"required":["a"],"properties":{
        "a":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"object",
        "required":["id"],"properties":{"id":{"type":"string","minLength":1}}}},
        "b":{"type":["string","null"],"maxLength":2}}}
        """#

    static let cases: [Case] = [
        Case("everything", "{}", "[1]"),
        Case("nested", nested, #"{"a":[{"id":"x"}],"b":null}"#),
        Case("nested errors", nested, #"{"a":[{"id":""},{}],"b":7}"#, ["a.0.id", "a.1.id", "b"]),
        Case("unknown and missing members", nested, #"{"c":1}"#, ["c", "a"]),
        Case("too few and too many elements", nested, #"{"a":[]}"#, ["a"]),
        Case("a wrong root", nested, "7", [""]),
        Case("a repeated member is checked each time", nested, #"{"a":[{"id":"x"}],"a":1}"#, ["a"]),
        Case(
            "a repeated member does not stand for another", #"{"required":["a","b"]}"#,
            #"{"a":1,"a":2}"#, ["b"]),
        Case("characters, not bytes", #"{"maxLength":2}"#, #""é😀""#),
        Case("too many characters", #"{"maxLength":2}"#, #""abc""#, [""]),
        Case("inclusive", #"{"minimum":0,"maximum":1}"#, "1.0"),
        Case("above", #"{"minimum":0,"maximum":1}"#, "1.0000001", [""]),
        Case("exclusive", #"{"exclusiveMinimum":0}"#, "0", [""]),
        Case("the sharper bound", #"{"minimum":1,"exclusiveMinimum":0}"#, "1"),
        Case("a number beyond doubles", #"{"maximum":1}"#, "1e999", [""]),
        Case("an integer with a fraction of zero", #"{"type":"integer"}"#, "2.0"),
        Case("no integer", #"{"type":"integer"}"#, "2.5", [""]),
        Case("an integer is a number", #"{"type":"number"}"#, "2"),
        Case("enum", #"{"enum":["a",1,null]}"#, "1.0"),
        Case("not in enum", #"{"enum":["a",1,null]}"#, #""b""#, [""]),
        Case("const", #"{"const":true}"#, "false", [""]),
        Case(
            "a schema for further members", #"{"additionalProperties":{"type":"string"}}"#,
            #"{"a":"x","b":1}"#, ["b"]),
        Case("too few members", #"{"minProperties":1}"#, "{}", [""]),
        Case("too many members", #"{"maxProperties":1}"#, #"{"a":1,"b":2}"#, [""]),
    ]

    @Test("checks values", arguments: cases)
    func validate(_ each: Case) throws {
        let compiled = JSONSchema.compile(try JSONDocument.parse(each.schema).root)
        let schema = try #require(compiled.schema, "\(compiled.errors)")
        let errors = schema.errors(in: try JSONDocument.parse(each.value).root)
        #expect(errors.map(\.path) == each.expected)
    }

    static let mistakes: [Case] = [
        Case("an unknown keyword", #"{"pattern":"^a"}"#, "", ["pattern"]),
        Case("one below", #"{"properties":{"a":{"oneOf":[]}}}"#, "", ["properties.a.oneOf"]),
        Case("an unknown type", #"{"type":"text"}"#, "", ["type"]),
        Case(
            "a bound that is none", #"{"maxLength":-1,"minimum":"0"}"#, "",
            ["maxLength", "minimum"]),
        Case("no schema", "[]", "", [""]),
        Case("an enum of objects", #"{"enum":[{}]}"#, "", ["enum"]),
        Case("required that are no names", #"{"required":[1]}"#, "", ["required"]),
    ]

    @Test("refuses schemas", arguments: mistakes)
    func compile(_ each: Case) throws {
        let errors = JSONSchema.compile(try JSONDocument.parse(each.schema).root).errors
        #expect(errors.map(\.path) == each.expected)
    }

    @Test("tells a bounded number of errors, and no value")
    func bounded() throws {
        let schema = try #require(
            JSONSchema.compile(
                try JSONDocument.parse(#"{"items":{"type":"string"}}"#).root).schema)
        let text = "[" + Array(repeating: "987", count: 1_000).joined(separator: ",") + "]"
        let errors = schema.errors(in: try JSONDocument.parse(text).root)
        #expect(errors.count == JSONSchema.errorCountMax)
        #expect(!errors.contains { $0.message.contains("987") })
    }
}
