import JSON
import Testing

@testable import Gateway

@Suite struct BodyCheckTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let body: String
        let code: ProblemCode?
        let fields: [String]
        var purpose = BodyCheck.Purpose.create
        var owner: String?

        init(
            _ description: String,
            _ body: String,
            _ code: ProblemCode? = nil,
            _ fields: [String] = [],
            purpose: BodyCheck.Purpose = .create,
            owner: String? = nil
        ) {
            testDescription = description
            self.body = body
            self.code = code
            self.fields = fields
            self.purpose = purpose
            self.owner = owner
        }
    }

    static let owner = "\"owner_id\":\"\(Things.owner)\""
    static let key = Things.key(1)
    static let patch = BodyCheck.Purpose.patch(key: key)

    static let cases: [Case] = [
        Case("an object", "{\(owner),\"name\":\"a\"}"),
        Case("an array", "[{\(owner),\"name\":\"a\"},{\(owner),\"name\":\"b\"}]"),
        Case("an empty array", "[]"),
        Case("a string", "\"a\"", .invalidBody),
        Case("an array in an array", "[[]]", .invalidBody, ["0"]),
        Case(
            "an unknown column",
            "{\(owner),\"name\":\"a\",\"x\":1}",
            .unknownColumn,
            ["x"]
        ),
        Case(
            "several mistakes at once",
            "{\(owner),\"x\":1,\"number\":2,\"tags\":3}",
            .unknownColumn,
            ["x", "number", "tags", "name"]
        ),
        Case(
            "a generated column",
            "{\(owner),\"name\":\"a\",\"length\":1}",
            .generatedColumn,
            ["length"]
        ),
        Case("required columns", "{}", .missingColumn, ["owner_id", "name"]),
        Case("the caller's owner is enough", "{\"name\":\"a\"}", owner: Things.owner),
        Case("null where none may be", "{\(owner),\"name\":null}", .missingColumn, ["name"]),
        Case(
            "place in an array",
            "[{\(owner),\"name\":\"a\"},{\(owner)}]",
            .missingColumn,
            ["1.name"]
        ),
        Case(
            "another owner",
            "{\(owner),\"name\":\"a\"}",
            .ownerMismatch,
            ["owner_id"],
            owner: Things.otherOwner
        ),
        Case(
            "the owner in capitals",
            "{\"owner_id\":\"\(Things.owner.uppercased())\",\"name\":\"a\"}",
            owner: Things.owner
        ),
        Case(
            "an owner that is no text",
            "{\"owner_id\":{},\"name\":\"a\"}",
            .ownerMismatch,
            ["owner_id"],
            owner: Things.owner
        ),
        Case("no array", "{\(owner),\"name\":\"a\",\"tags\":{}}", .invalidValue, ["tags"]),
        Case(
            "a huge exponent",
            "{\(owner),\"name\":\"a\",\"meta\":{\"x\":[1e131071]}}",
            .invalidValue,
            ["meta"]
        ),
        Case(
            "a huge number",
            "{\(owner),\"name\":\"a\",\"count\":1\(String(repeating: "0", count: 1_000))}",
            .invalidValue,
            ["count"]
        ),
        Case(
            "an exponent beyond Int",
            "{\(owner),\"name\":\"a\",\"weight\":1e99999999999999999999}",
            .invalidValue,
            ["weight"]
        ),
        Case("a number at the limit", "{\(owner),\"name\":\"a\",\"meta\":[1e400,-1E-400]}"),
        Case("repeated members, the last counts", "{\(owner),\"name\":null,\"name\":\"a\"}"),
        Case("write-only columns can be written", "{\(owner),\"name\":\"a\",\"secret\":\"x\"}"),
        Case(
            "SQL as a column",
            "{\(owner),\"name\":\"a\",\"x\\\"; DROP TABLE y\":1}",
            .unknownColumn,
            ["x\"; DROP TABLE y"]
        ),
        Case("patch of nothing", "{}", purpose: patch),
        Case("patch with an array", "[{}]", .invalidBody, purpose: patch),
        Case("patch with its key", "{\"id\":\"\(key)\"}", purpose: patch),
        Case(
            "patch with another key",
            "{\"id\":\"\(Things.key(2))\"}",
            .keyMismatch,
            ["id"],
            purpose: patch
        ),
        Case("patch to null", "{\"name\":null}", .missingColumn, ["name"], purpose: patch),
        Case(
            "replace without required columns",
            "{}",
            .missingColumn,
            ["owner_id", "name"],
            purpose: .replace(key: key)
        ),
        Case("replace", "{\"name\":\"a\"}", purpose: .replace(key: key), owner: Things.owner),
    ]

    @Test("bodies", arguments: cases)
    func body(_ each: Case) throws {
        let root = try JSONDocument.parse(each.body).root
        let check = BodyCheck(entity: Things.entity(), purpose: each.purpose, owner: each.owner)
        do throws(Problem) {
            _ = try check.check(root)
            #expect(each.code == nil)
        } catch {
            #expect(error.code == each.code)
            #expect(error.errors.map(\.field) == each.fields)
        }
    }

    @Test func whatIsLearned() throws {
        let text = "[{\"name\":\"a\",\"note\":1},{\"name\":\"b\"}]"
        let check = BodyCheck(entity: Things.entity(), purpose: .create, owner: Things.owner)
        let checked = try check.check(JSONDocument.parse(text).root)
        #expect(checked.rowCount == 2)
        #expect(checked.isArray)
        #expect(checked.names == ["name", "note"])
        #expect(!checked.hasUniformNames)
    }

    @Test func listedColumnsHideTheOthers() throws {
        var check = BodyCheck(entity: Things.entity(), purpose: .createListed, owner: Things.owner)
        check.listed = [Things.entity().column("name")!]
        let checked = try check.check(
            JSONDocument.parse("{\"name\":\"a\",\"x\":1,\"note\":2}").root
        )
        #expect(checked.names == ["name"])
    }

    @Test func tooManyRows() throws {
        let text = "[" + Array(repeating: "{}", count: 1_001).joined(separator: ",") + "]"
        let check = BodyCheck(entity: Things.entity(), purpose: .create)
        #expect { try check.check(JSONDocument.parse(text).root) } throws: {
            ($0 as? Problem)?.code == .tooManyRows
        }
    }
}
