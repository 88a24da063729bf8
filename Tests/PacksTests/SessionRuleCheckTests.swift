import Testing

@testable import Packs

@Suite("SessionRuleCheck")
struct SessionRuleCheckTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Places of the problems.
        let expected: [String]
        let change: @Sendable (inout SessionRule, inout Entity?) -> Void
        var hasOwner = true

        init(
            _ name: String, _ expected: [String], hasOwner: Bool = true,
            _ change: @escaping @Sendable (inout SessionRule, inout Entity?) -> Void = { _, _ in }
        ) {
            (testDescription, self.expected, self.change) = (name, expected, change)
            self.hasOwner = hasOwner
        }
    }

    static let cases: [Case] = [
        Case("a whole rule", []),
        Case("no address", []) { rule, _ in rule.addressColumn = nil },
        Case("no entity", ["sessions.entity"]) { _, entity in entity = nil },
        Case("a pack without owners", ["sessions.entity"], hasOwner: false),
        Case("rows of nobody", ["sessions.entity"]) { _, entity in entity?.ownerColumn = nil },
        Case("owners themselves", ["sessions.entity"]) { _, entity in
            entity?.ownerColumn = "id"
        },
        Case("a view", ["sessions.entity"]) { _, entity in entity?.isReadOnly = true },
        Case("append-only", ["sessions.entity"]) { _, entity in entity?.isAppendOnly = true },
        Case("a key without a default", ["sessions.entity"]) { _, entity in
            entity?.columns[0].defaultExpression = nil
        },
        Case("a time that nobody fills", ["sessions.entity"]) { _, entity in
            entity?.columns[5].defaultExpression = nil
        },
        Case("a time that may be null", []) { _, entity in
            entity?.columns[5].defaultExpression = nil
            entity?.columns[5].isNotNull = false
        },
        Case("columns that are not there", ["sessions.expires", "sessions.address"]) { rule, _ in
            rule.expiresColumn = "none"
            rule.addressColumn = "none"
        },
        Case("a column that is no time", ["sessions.active"]) { rule, _ in
            rule.activeColumn = "place"
        },
    ]

    @Test("what is wrong with sessions", arguments: cases)
    func check(_ each: Case) throws {
        let time = "timestamp with time zone"
        var rule = SessionRule(
            entityPath: "visits", key: try #require(KeyPattern("a:{x}:visit:{y}")),
            ttlSeconds: 60, expiresColumn: "ends", activeColumn: "seen", addressColumn: "place")
        var entity: Entity? = Entity(
            path: "visits", schema: "shop", relation: "visits",
            columns: [
                Column(
                    name: "id", type: "uuid", baseType: "uuid",
                    defaultExpression: "gen_random_uuid()"),
                Column(name: "owner_id", type: "uuid", baseType: "uuid"),
                Column(name: "ends", type: time, baseType: time),
                Column(name: "seen", type: time, baseType: time),
                Column(name: "place", type: "text", baseType: "text"),
                Column(
                    name: "began", type: "date", baseType: "date", isNotNull: true,
                    defaultExpression: "CURRENT_DATE"),
            ], keyColumn: "id", ownerColumn: "owner_id")
        each.change(&rule, &entity)
        let problems = SessionRuleCheck(
            file: "pack.json", rule: rule, entity: entity, hasOwner: each.hasOwner
        ).problems
        #expect(problems.map(\.place) == each.expected)
    }
}
