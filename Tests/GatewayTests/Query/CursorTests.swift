import Testing

@testable import Gateway

@Suite struct CursorTests {
    @Test(
        "values come back",
        arguments: [
            ["a"], [nil, "b"], ["", nil, "\"\\\n"], [String(repeating: "x", count: 3_000)],
        ] as [[String?]]
    )
    func roundTrip(_ values: [String?]) throws {
        let text = Cursor(values: values).encoded(identity: "list")
        let cursor = try Cursor.decode(
            text,
            identity: "list",
            valueCount: values.count,
            byteCountMax: 8_192
        )
        #expect(cursor.values == values)
    }

    @Test func foreignAndChangedCursorsAreRefused() {
        let text = Cursor(values: ["a", "b"]).encoded(identity: "list")
        var changed = Array(text)
        changed[changed.count / 2] = changed[changed.count / 2] == "A" ? "B" : "A"
        let cases: [(String, String, Int)] = [
            (text, "other", 2), (text, "list", 1), (String(changed), "list", 2),
            ("", "list", 2), ("%%%", "list", 2), ("bnVsbA", "list", 2),
            (Base64URL.encode(Array("[1,2,3]".utf8)), "list", 2),
            (Base64URL.encode(Array("{\"a\":1}".utf8)), "list", 2),
            (String(repeating: "A", count: 9_000), "list", 2),
        ]
        for (text, identity, count) in cases {
            #expect("\(text.prefix(20)) \(identity) \(count)") {
                try Cursor.decode(
                    text,
                    identity: identity,
                    valueCount: count,
                    byteCountMax: 8_192
                )
            } throws: {
                ($0 as? Problem)?.code == .invalidCursor
            }
        }
    }

    @Test(
        "base64url",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"), ("??>", "Pz8-"),
        ]
    )
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64URL.encode(Array(plain.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(plain.utf8))
    }

    @Test("not base64url", arguments: ["A", "Zg==", "Zh", "Z+", "a b"])
    func notBase64(_ text: String) { #expect(Base64URL.decode(text) == nil) }
}
