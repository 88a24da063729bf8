import Packs
import Testing

@Suite("Packs check")
struct PackCheckTests {
    private func problems(_ changes: [String: String?]) -> [String] {
        var files: [String: String] = SmallPack.files
        for (file, text) in changes { files[file] = text }
        let folder = PackFolder(files)
        return PackCompiler(files: folder.files).problems("shop").map(\.text)
    }

    @Test("a pack without mistakes is read whole")
    func whole() throws {
        let folder = PackFolder(SmallPack.files)
        let pack = try PackCompiler(files: folder.files).check("shop")
        #expect(folder.files.packNames() == ["shop"])
        #expect(pack.ownerColumn == "owner_id")
        #expect(pack.graph?.nodes.first?.points.first?.longitude == "lng")
        #expect(pack.graph?.edges.first?.types == ["OWNS"])
        #expect(pack.vectors?.classes.first?.ownerProperty == "ownerId")
        #expect(pack.dirtyRules.first?.targetPath == "things")
        #expect(pack.export?.excludedTypes == ["OWNS"])
        #expect(
            pack.cypher == [
                "CREATE CONSTRAINT a IF NOT EXISTS\n  FOR (n:Node) REQUIRE n.id IS UNIQUE",
                "RETURN 1",
            ])
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let file: String
        let text: String?
        /// Pieces that the problems must hold, one problem each.
        let expected: [String]

        init(_ name: String, _ file: String, _ text: String?, _ expected: [String]) {
            (testDescription, self.file, self.text, self.expected) = (name, file, text, expected)
        }
    }

    static let manifestFile = "schemas/shop/pack.json"
    static let cases: [Case] = [
        Case("no JSON", manifestFile, "{", ["not valid JSON"]),
        Case(
            "several mistakes at once", manifestFile,
            #"{"name": "store", "entities": {"Bad Path": {"tabel": "x", "routes": 1}}, "#
                + #""more": {}}"#,
            [
                "$.more: there is no such key", "a path may hold", "tabel: there is no such key",
                "routes: it must be true or false", "name: it differs from the folder",
                "Thing.json: the pack does not name this class",
            ]),
        Case(
            "paths that are taken", manifestFile,
            #"{"name": "shop", "entities": {"events": {}, "channels": {"routes": false}}}"#,
            [
                "entities.events: the path stands for something else",
                "Thing.json: the pack does not name this class",
            ]),
        Case(
            "states with mistakes", manifestFile,
            #"{"name":"shop","owner":{"entity":"owners","column":"owner_id"},"entities":{},"#
                + #""states":{"a":{"of":"owners","kind":"object","key":"o:{id}:a","ttl":"1h","#
                + #""schema":{"properties":{"x":{"pattern":"y"}}},"channel":"o:{id}:a","#
                + #""message":{"p":"$previous","q":"$bodyy"},"#
                + #""history":{"entity":"things","time":"t"}},"#
                + #""b":{"of":"things","kind":"object","key":"t:{id}","message":"$previous","#
                + #""history":{"entity":"things","time":"t"}}}}"#,
            [
                "states.a.schema.properties.x.pattern: this keyword", "$bodyy stands for nothing",
                "states.a.ttl: what has a history", "states.b.message: there is no channel",
                "states.b.message: $previous is for words",
                "states.b.history: only states of the owner",
                "Thing.json: the pack does not name this class",
            ]),
        Case(
            "an edge set without types", manifestFile,
            #"{"name": "shop", "entities": {}, "graph": {"keyLabel": "N", "#
                + #""edges": {"e": {"anchor": "a", "view": "v"}}}}"#,
            [
                "graph.edges.e.types: there are none",
                "Thing.json: the pack does not name this class",
            ]),
        Case(
            "a lane that does not exist", manifestFile,
            #"{"name": "shop", "entities": {}, "dirty": [{"on": ["a"], "of": "b", "#
                + #""keys": "SELECT 1", "lanes": ["mail"]}]}"#,
            ["there is no lane mail", "Thing.json: the pack does not name this class"]),
        Case(
            "a class without a file", "weaviate/shop/Thing.json", nil,
            ["vectors.Thing: the class has no file"]),
        Case(
            "a file that is not named like its class", "weaviate/shop/Other.json",
            #"{"class": "Another"}"#, ["it is no class named like the file"]),
        Case(
            "a class that the pack does not name", "weaviate/shop/Other.json",
            #"{"class": "Other"}"#, ["the pack does not name this class"]),
        Case("a script without a number", "cypher/shop/x.cypher", "RETURN 1;", ["has no number"]),
        Case("SQL without a number", "schemas/shop/x.sql", "SELECT 1;", ["has no number"]),
        Case("no file", manifestFile, nil, ["cannot be read"]),
    ]

    @Test("mistakes", arguments: cases)
    func mistakes(_ each: Case) {
        let found = problems([each.file: each.text])
        #expect(found.count == each.expected.count, "\(found)")
        for piece in each.expected {
            #expect(found.contains { $0.contains(piece) }, "\(piece) in \(found)")
        }
    }

    @Test("a mistake in one file hides none in another")
    func everyFile() {
        let found = problems([
            PackCheckTests.manifestFile: "{", "weaviate/shop/Other.json": "{",
            "cypher/shop/x.cypher": "RETURN 1;", "schemas/shop/x.sql": "SELECT 1;",
        ])
        #expect(found.count == 4, "\(found)")
    }
}
