/// SQLSTATEs of class FF: what the engine's triggers raise, and what the statements that are
/// planned here raise to undo themselves. The table of the former is in `schemas/fourfold`.
enum EngineState: String, CaseIterable {
    case appendOnly = "FF405"
    case ownerImmutable = "FF420"
    /// An end of a relationship is missing or belongs to another owner.
    case endMissing = "FF421"
    /// A relationship of this type cannot join these entities.
    case typeRefused = "FF422"
    case installedWrongly = "FF500"
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
        case .appendOnly: .methodNotAllowed(.appendOnly, allowed: ["GET", "HEAD", "POST"])
        case .ownerImmutable:
            Problem(.ownerImmutable, hint: "Leave the owner out, or name the one that the row has.")
        case .endMissing:
            Problem(
                .domainRule,
                "An end of the relationship is missing or belongs to another owner.",
                hint: "Both ends must exist and have the owner of the relationship."
            )
        case .typeRefused:
            Problem(
                .domainRule,
                "A relationship of this type cannot join these entities or cannot be written.",
                hint: "Choose another type or other ends; see the types that the pack declares."
            )
        case .installedWrongly: Problem(.internalError, "The pack is not installed correctly.")
        case .ownerMismatch:
            Problem(
                .ownerImmutable,
                "A row of another owner would be touched; nothing was changed.",
                hint: "Leave the owner out, or name the one that the row has."
            )
        case .keyMismatch:
            Problem(.keyMismatch, hint: "Leave the key out, or create another row.")
        case .maxAffectedExceeded:
            Problem(
                .maxAffectedExceeded,
                "\(rowCount.map(String.init) ?? "More") rows match; nothing was changed.",
                hint: "Narrow the filter or raise max-affected."
            )
        case .notSingular: .notSingular(rowCount: rowCount ?? 0)
        }
    }
}
