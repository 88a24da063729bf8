@testable import Packs
import Testing

@Suite("Live rules against the schema")
struct PackLiveTests {
    private static func rules(entity: String, history: HistoryRule?) throws -> LiveRules {
        var rules = LiveRules()
        rules.states = [
            StateRule(
                name: "mood", entityPath: entity, kind: .object,
                key: try #require(KeyPattern("o:{id}")), history: history)
        ]
        return rules
    }

    private static let entities = [
        Entity(
            path: "owners", schema: "shop", relation: "owners",
            columns: [Column(name: "owner_id", type: "uuid", baseType: "uuid")],
            keyColumn: "owner_id", ownerColumn: "owner_id"),
        Entity(
            path: "moods", schema: "shop", relation: "moods",
            columns: [
                Column(name: "id", type: "uuid", baseType: "uuid"),
                Column(name: "owner_id", type: "uuid", baseType: "uuid"),
                Column(name: "at", type: "timestamptz", baseType: "timestamp with time zone"),
            ], keyColumn: "id", ownerColumn: "owner_id"),
    ]

    @Test("takes what the schema has")
    func right() throws {
        let rules = try Self.rules(
            entity: "owners", history: HistoryRule(entityPath: "moods", timeColumn: "at"))
        let found = PackCompiler.liveProblems(rules, entities: Self.entities, file: "f")
        #expect(found.isEmpty)
    }

    @Test("tells what the schema has not")
    func wrong() throws {
        let rules = try Self.rules(
            entity: "nobody", history: HistoryRule(entityPath: "owners", timeColumn: "at"))
        let found = PackCompiler.liveProblems(rules, entities: Self.entities, file: "f")
        #expect(
            found.map(\.place) == [
                "states.mood.of", "states.mood.history.time", "states.mood.history.entity",
            ])
    }
}
