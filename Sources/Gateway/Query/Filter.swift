/// A condition on rows, as the list grammar says it.
indirect enum Filter: Sendable {
    case comparison(ColumnReference, Comparison)
    case all([Filter])
    case any([Filter])
    case not(Filter)
}

/// What is asked of one column. Values are texts, cast in the database to the column's type.
enum Comparison: Sendable, Equatable {
    case compare(Operator, String)
    /// `eq(any).{a,b}`.
    case compareList(Operator, Quantifier, [String])
    case among([String])
    case isState(State)
    case isDistinctFrom(String)
    case fullText(FullTextQuery, configuration: String?, String)
    case relation(Relation, String)

    enum Operator: String, Sendable {
        case eq, neq, gt, gte, lt, lte, like, ilike, match, imatch

        var isPattern: Bool { self == .like || self == .ilike }

        var sql: String {
            switch self {
            case .eq: "="
            case .neq: "<>"
            case .gt: ">"
            case .gte: ">="
            case .lt: "<"
            case .lte: "<="
            case .like: "LIKE"
            case .ilike: "ILIKE"
            case .match: "~"
            case .imatch: "~*"
            }
        }
    }

    enum Quantifier: String, Sendable { case any, all }

    enum State: String, Sendable {
        case null
        case notNull = "not_null"
        case isTrue = "true"
        case isFalse = "false"
        case unknown

        var sql: String {
            switch self {
            case .null: "IS NULL"
            case .notNull: "IS NOT NULL"
            case .isTrue: "IS TRUE"
            case .isFalse: "IS FALSE"
            case .unknown: "IS UNKNOWN"
            }
        }
    }

    enum FullTextQuery: String, Sendable {
        case fts, plfts, phfts, wfts

        var function: String {
            switch self {
            case .fts: "to_tsquery"
            case .plfts: "plainto_tsquery"
            case .phfts: "phraseto_tsquery"
            case .wfts: "websearch_to_tsquery"
            }
        }
    }

    /// Operators of arrays, ranges and JSON.
    enum Relation: String, Sendable {
        case cs, cd, ov, sl, sr, nxr, nxl, adj

        var sql: String {
            switch self {
            case .cs: "@>"
            case .cd: "<@"
            case .ov: "&&"
            case .sl: "<<"
            case .sr: ">>"
            case .nxr: "&<"
            case .nxl: "&>"
            case .adj: "-|-"
            }
        }
    }

    /// Every operator word, for messages.
    static let words =
        "eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, fts, plfts, "
        + "phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj"
}
