@testable import Neo4j
import Testing

@Suite("Neo4jRejection")
struct Neo4jRejectionTests {
    static let codes: [(String, Neo4jRejection.Kind)] = [
        ("Neo.TransientError.Transaction.DeadlockDetected", .transient),
        ("Neo.TransientError.Transaction.LockAcquisitionTimeout", .transient),
        ("Neo.TransientError.Transaction.Outdated", .transient),
        ("Neo.TransientError.General.MemoryPoolOutOfMemoryError", .transient),
        ("Neo.TransientError.Request.NoThreadsAvailable", .transient),
        ("Neo.TransientError.Cluster.ReplicationFailure", .transient),
        ("Neo.TransientError.Something.Unheard", .transient),
        ("Neo.ClientError.Cluster.NotALeader", .transient),
        ("Neo.ClientError.General.ForbiddenOnReadOnlyDatabase", .transient),
        ("Neo.ClientError.Security.AuthorizationExpired", .transient),
        ("Neo.ClientError.Transaction.TransactionAccessedConcurrently", .transient),
        ("Neo.ClientError.Security.AuthenticationRateLimit", .rateLimited),
        ("Neo.ClientError.Transaction.Terminated", .terminated),
        ("Neo.TransientError.Transaction.Terminated", .terminated),
        ("Neo.ClientError.Transaction.LockClientStopped", .terminated),
        ("Neo.TransientError.Transaction.LockClientStopped", .terminated),
        ("Neo.TransientError.General.TransactionOutOfMemoryError", .splitBatch),
        ("Neo.ClientError.General.TransactionOutOfMemoryError", .splitBatch),
        ("Neo.TransientError.General.OutOfMemoryError", .splitBatch),
        ("Neo.ClientError.Transaction.TransactionTimedOut", .splitBatch),
        ("Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration", .splitBatch),
        ("Neo.ClientError.Schema.ConstraintValidationFailed", .constraint),
        ("Neo.ClientError.Statement.SyntaxError", .statement),
        ("Neo.ClientError.Statement.TypeError", .statement),
        ("Neo.ClientError.Statement.ParameterMissing", .statement),
        ("Neo.ClientError.Statement.Unheard", .statement),
        ("Neo.ClientError.Request.InvalidFormat", .permanent),
        ("Neo.ClientError.Security.Forbidden", .permanent),
        ("Neo.ClientError.Database.DatabaseNotFound", .permanent),
        ("Neo.ClientError.General.WriteOnReadOnlyAccessDatabase", .permanent),
        ("Neo.ClientError.Transaction.ForbiddenDueToTransactionType", .permanent),
        ("Neo.DatabaseError.Transaction.TransactionCommitFailed", .databaseFault),
        ("Neo.DatabaseError.General.UnknownError", .databaseFault),
        ("50N05", .permanent),
        ("", .permanent),
        ("N/A", .statement),
    ]

    @Test("kinds by code", arguments: codes)
    func kind(_ code: String, _ expected: Neo4jRejection.Kind) {
        #expect(Neo4jRejection.classify(code) == expected)
    }

    struct Policy: CustomTestStringConvertible, Sendable {
        let kind: Neo4jRejection.Kind
        let isRetryable: Bool
        let mustSplit: Bool
        var testDescription: String { "\(kind)" }
    }

    static let policies: [Policy] = [
        Policy(kind: .transient, isRetryable: true, mustSplit: false),
        Policy(kind: .rateLimited, isRetryable: true, mustSplit: false),
        Policy(kind: .databaseFault, isRetryable: true, mustSplit: false),
        Policy(kind: .terminated, isRetryable: false, mustSplit: true),
        Policy(kind: .splitBatch, isRetryable: false, mustSplit: true),
        Policy(kind: .constraint, isRetryable: false, mustSplit: false),
        Policy(kind: .statement, isRetryable: false, mustSplit: false),
        Policy(kind: .permanent, isRetryable: false, mustSplit: false),
    ]

    @Test("policy by kind", arguments: policies)
    func policy(_ each: Policy) {
        #expect(each.kind.isRetryable == each.isRetryable)
        #expect(each.kind.mustSplit == each.mustSplit)
    }

    @Test("a syntax error is told apart from other faults of a statement")
    func syntaxError() {
        #expect(Neo4jRejection(code: "Neo.ClientError.Statement.SyntaxError").isSyntaxError)
        #expect(Neo4jRejection(code: "N/A").isSyntaxError)
        #expect(!Neo4jRejection(code: "Neo.ClientError.Statement.TypeError").isSyntaxError)
    }

    static let names: [(String, Result<String, CypherIdentifierError>)] = [
        ("Concept", .success("`Concept`")),
        ("with space", .success("`with space`")),
        ("a`b", .success("`a``b`")),
        ("`) DETACH DELETE n //", .success("```) DETACH DELETE n //`")),
        ("größe", .success("`größe`")),
        ("a\\u0060b", .failure(.forbiddenCharacter)),
        ("a\0b", .failure(.forbiddenCharacter)),
        ("a\nb", .failure(.forbiddenCharacter)),
        ("", .failure(.empty)),
        (String(repeating: "x", count: 255), .success("`\(String(repeating: "x", count: 255))`")),
        (String(repeating: "x", count: 256), .failure(.tooLong(byteCountMax: 255))),
    ]

    @Test("quoted identifiers", arguments: names)
    func quoting(_ name: String, _ expected: Result<String, CypherIdentifierError>) {
        let actual = Result { () throws(CypherIdentifierError) in
            try CypherIdentifier.quoted(name)
        }
        #expect(actual == expected)
    }
}
