import JSON
import Testing

@Suite("JSONDocument")
struct JSONDocumentTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let text: String
        let expected: Result<String, JSONError>

        init(_ name: String, _ text: String, _ expected: Result<String, JSONError>) {
            (testDescription, self.text, self.expected) = (name, text, expected)
        }
    }

    static let cases: [Case] = [
        Case("digits survive", #"[1.10,1e400,12345678901234567890123]"#,
            .success(#"[1.10,1e400,12345678901234567890123]"#)),
        Case("space goes", " { \"a\" : [ ] } ", .success(#"{"a":[]}"#)),
        Case("a scalar", "null", .success("null")),
        Case("nothing", "", .failure(.malformed(offset: 0))),
        Case("trailing comma", "[1,]", .failure(.malformed(offset: 2))),
        Case("comment", "[1] // x", .failure(.malformed(offset: 4))),
        Case("two texts", "1 2", .failure(.malformed(offset: 2))),
        Case("lone surrogate", #""\ud800""#, .failure(.malformed(offset: 7))),
        Case(
            "depth at the bound",
            String(repeating: "[", count: 8) + String(repeating: "]", count: 8),
            .success(String(repeating: "[", count: 8) + String(repeating: "]", count: 8))),
        Case("depth beyond it", String(repeating: "[", count: 9) + String(repeating: "]", count: 9),
            .failure(.tooDeep(depthMax: 8))),
        Case("brackets in strings do not nest", #""[[[[[[[[[[[[""#, .success(#""[[[[[[[[[[[[""#)),
        Case("NUL in a value", #"{"a":"x\u0000"}"#, .failure(.containsNUL)),
        Case("NUL in a key", #"{"\u0000":1}"#, .failure(.containsNUL)),
        Case("an escaped backslash before u0000", #"["\\u0000"]"#, .success(#"["\\u0000"]"#)),
    ]

    @Test("parsing", arguments: cases)
    func parse(_ each: Case) {
        let actual = Result { () throws(JSONError) in
            try JSONDocument.parse(each.text, depthMax: 8).root.serialized()
        }
        #expect(actual.map { String(decoding: $0, as: UTF8.self) } == each.expected)
    }

    @Test("invalid UTF-8 is malformed")
    func invalidUTF8() {
        #expect(throws: JSONError.self) { try JSONDocument.parse([0x22, 0xC3, 0x28, 0x22]) }
    }

    @Test("values decode, and only as what they are")
    func decode() throws {
        let root = try JSONDocument.parse(
            #"{"i":9223372036854775807,"d":0.5,"s":"é","b":true,"n":null,"a":[1,2.5],"i":7}"#
        ).root
        #expect(root["i"]?.int == 7)
        #expect(root["d"]?.double == 0.5 && root["d"]?.int == nil)
        #expect(root["s"]?.string == "é" && root["s"]?.int == nil)
        #expect(root["b"]?.bool == true)
        #expect(root["n"]?.isNull == true)
        #expect(root["a"]?.floats == [1, 2.5])
        #expect(root["missing"] == nil)
    }

    @Test("the writer escapes what must be, and reading gives it back")
    func write() throws {
        let awkward = "\"\\\u{1}\u{7F}\n é"
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("a\"", awkward)
        writer.key("list")
        writer.beginArray()
        writer.int(1)
        writer.double(0.1)
        writer.beginObject()
        writer.endObject()
        writer.null()
        writer.endArray()
        writer.field("last", false)
        writer.endObject()
        let root = try JSONDocument.parse(writer.bytes).root
        #expect(root["a\""]?.string == awkward)
        #expect(
            root["list"].map { String(decoding: $0.serialized(), as: UTF8.self) }
                == "[1,0.1,{},null]")
        #expect(root["last"]?.bool == false)
    }
}
