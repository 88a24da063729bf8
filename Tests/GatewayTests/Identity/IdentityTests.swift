import Testing

@testable import Gateway

@Suite("Identity")
struct IdentityTests {
    @Test("UUIDs have version 7 and variant 2, differ, and rise with time")
    func uuid7() {
        let made = (0..<2_000).map { _ in UUID7.make() }
        #expect(Set(made).count == made.count)
        for uuid in made {
            let characters = Array(uuid)
            #expect(characters.count == 36)
            #expect([8, 13, 18, 23].allSatisfy { characters[$0] == "-" })
            #expect(characters[14] == "7")
            #expect("89ab".contains(characters[19]))
        }
        let stamps = made.map { $0.prefix(13) }
        #expect(stamps == stamps.sorted())
    }

    /// SHA-256 of "abc" (FIPS 180-4's example) and of "key two".
    static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test("a key is known by its hash alone")
    func serviceKeys() throws {
        let keys = try #require(ServiceKeys("bff:\(Self.abc)"))
        #expect(keys.name(ofKey: "abc") == "bff")
        #expect(keys.name(ofKey: "abcd") == nil)
        #expect(keys.name(ofKey: "") == nil)
        #expect(try #require(ServiceKeys("")).isEmpty)
    }

    static let badLists = [
        "bff", "bff:", "bff:12", ":\(abc)", "bff:\(abc)0", "bff:\(abc):x",
        "bff:zz\(abc.dropFirst(2))",
    ]

    @Test("bad lists of keys are refused", arguments: badLists)
    func badServiceKeys(_ text: String) {
        #expect(ServiceKeys(text) == nil)
    }
}
