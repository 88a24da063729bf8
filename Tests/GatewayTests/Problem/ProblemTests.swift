import JSON
import Packs
import Postgres
import Testing

@testable import Gateway

@Suite struct ProblemTests {
    @Test func bodyHasTheMembersOfBothStandards() throws {
        let problem = Problem(
            .unknownColumn,
            "no \"x\"",
            hint: "Columns: a",
            errors: [FieldError("x", "unknown")]
        )
        let root = try JSONDocument.parse(problem.json(instance: "/v1/a")).root
        #expect(root["type"]?.string == "/docs/errors#unknown_column")
        #expect(root["status"]?.int == 400)
        #expect(root["code"]?.string == "unknown_column")
        #expect(root["detail"]?.string == "no \"x\"")
        #expect(root["details"]?.string == root["detail"]?.string)
        #expect(root["message"]?.string == root["title"]?.string)
        #expect(root["instance"]?.string == "/v1/a")
        #expect(root["hint"]?.string == "Columns: a")
        #expect(root["errors"]?.elements.map { $0["field"]?.string } == ["x"])
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let error: ServerError
        let code: ProblemCode
        var fields: [String] = []

        init(
            _ state: String,
            _ code: ProblemCode,
            constraint: String? = nil,
            column: String? = nil,
            table: String? = nil,
            fields: [String] = []
        ) {
            testDescription = "\(state) \(constraint ?? "")"
            var error = ServerError(sqlState: state, message: "Key (name)=(SECRET) is a value")
            error.constraint = constraint
            error.column = column
            error.table = table
            self.error = error
            self.code = code
            self.fields = fields
        }
    }

    static let cases: [Case] = [
        Case("23505", .uniqueViolation, constraint: "things_pkey", table: "things", fields: ["id"]),
        Case(
            "23505",
            .uniqueViolation,
            constraint: "things_owner_id_name_key",
            table: "things",
            fields: ["owner_id", "name"]
        ),
        Case("23505", .uniqueViolation, constraint: "unusual", table: "things"),
        Case(
            "23503",
            .foreignKeyViolation,
            constraint: "things_owner_id_fkey",
            table: "things",
            fields: ["owner_id"]
        ),
        Case("23503", .rowInUse, constraint: "other_thing_id_fkey", table: "other"),
        Case("23502", .missingColumn, column: "name", fields: ["name"]),
        Case("23514", .domainRule, constraint: "things_status_check", fields: ["status"]),
        Case("23P01", .exclusionViolation, constraint: "things_excl"),
        Case("22001", .invalidValue), Case("22P02", .invalidValue), Case("22003", .invalidValue),
        Case("22P05", .invalidValue), Case("22021", .invalidValue), Case("2201B", .invalidValue),
        Case("P0001", .domainRule), Case("21000", .duplicateRows),
        Case("40001", .writeConflict), Case("40P01", .writeConflict), Case("55P03", .writeConflict),
        Case("57014", .deadlineExceeded), Case("25006", .databaseReadOnly),
        Case("53300", .storeUnavailable), Case("57P01", .storeUnavailable),
        Case("42501", .forbidden), Case("42883", .invalidFilter), Case("54001", .queryTooComplex),
        Case("XX000", .internalError), Case("42601", .internalError),
        Case("FF405", .appendOnly), Case("FF420", .ownerImmutable), Case("FF421", .domainRule),
        Case("FF422", .domainRule), Case("FF500", .internalError), Case("FF999", .domainRule),
        Case("FFQ01", .ownerImmutable), Case("FFQ02", .keyMismatch),
        Case("FFQ03", .maxAffectedExceeded), Case("FFQ04", .notSingular),
    ]

    @Test("states of PostgreSQL", arguments: cases)
    func state(_ each: Case) {
        let problem = Problem(.server(each.error), entity: Things.entity())
        #expect(problem.code == each.code)
        #expect(problem.errors.map(\.field) == each.fields)
        let text = String(decoding: problem.json(), as: UTF8.self)
        #expect(!text.contains("SECRET"), "a value of a row must not appear")
    }

    @Test func deletionOfAReferencedRow() {
        var error = ServerError(sqlState: "23503", message: "")
        error.table = "things"
        let problem = Problem(.server(error), entity: Things.entity(), isDelete: true)
        #expect(problem.code == .rowInUse)
    }

    @Test func unknownOutcomeIsSaid() {
        let lost = Problem(PostgresError.connectionLost(mayHaveBeenApplied: true))
        #expect(lost.status == 503)
        #expect(lost.detail?.contains("may have been applied") == true)
        // Nothing that would send the write again.
        #expect(lost.hint == "Read the row before repeating.")
        let unsent = Problem(PostgresError.connectionLost(mayHaveBeenApplied: false))
        #expect(unsent.code == .storeUnavailable)
        let late = Problem(PostgresError.timedOut(mayHaveBeenApplied: true))
        #expect(late.status == 504)
        #expect(late.detail?.contains("may have been applied") == true)
    }

    @Test(
        "Retry-After is in whole seconds, rounded up",
        arguments: [
            (Duration.milliseconds(1), "1"), (.milliseconds(1_001), "2"), (.seconds(3), "3"),
            (.zero, "1"),
        ]
    )
    func retryAfter(_ delay: Duration, _ expected: String) {
        let problem = Problem(.unreachable(retryAfter: delay))
        #expect(problem.status == 503)
        #expect(problem.headers == [Problem.Header("Retry-After", expected)])
    }

    @Test func documentAndCodesAgree() throws {
        let folders = #filePath.split(separator: "/").dropLast(4)
        let text = try TextFile.read("/\(folders.joined(separator: "/"))/docs/ERRORS.md")
        var documented: [String: Int] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| <a id=") {
            let cells = line.split(separator: "|").map { $0.split(separator: "`") }
            let code = String(cells[0][1])
            #expect(documented[code] == nil, "\(code) is documented twice")
            documented[code] = Int(cells[1].joined().filter(\.isNumber))
            #expect(cells.count == 4, "\(code) needs its status, cause and remedy")
            #expect(line.contains("<a id=\"\(code)\">"))
        }
        for code in ProblemCode.allCases {
            #expect(documented[code.rawValue] == code.status, "\(code.rawValue)")
        }
        #expect(documented.count == ProblemCode.allCases.count)
    }
}
