/// SQLSTATEs of class FF: what the statements that are planned here raise to undo themselves.
enum EngineState: String, CaseIterable {
    /// The row belongs to another owner, or the body names another owner than the row has.
    case ownerMismatch = "FFQ01"
    /// The body names another key than the row has.
    case keyMismatch = "FFQ02"
    /// More rows than `Prefer: max-affected` allows; the message is their count.
    case maxAffectedExceeded = "FFQ03"
    /// Exactly one row was asked for; the message is the count.
    case notSingular = "FFQ04"

    func problem(rowCount: Int?) -> Problem {
        switch self {
        case .ownerMismatch:
            Problem(
                .ownerImmutable, "A row of another owner would be touched; nothing was changed.",
                hint: "Leave the owner out, or name the one that the row has.")
        case .keyMismatch:
            Problem(.keyMismatch, hint: "Leave the key out, or create another row.")
        case .maxAffectedExceeded:
            Problem(
                .maxAffectedExceeded,
                "\(rowCount.map(String.init) ?? "More") rows match; nothing was changed.",
                hint: "Narrow the filter or raise max-affected.")
        case .notSingular: .notSingular(rowCount: rowCount ?? 0)
        }
    }
}
