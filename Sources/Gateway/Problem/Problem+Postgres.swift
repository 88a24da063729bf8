package import Packs
package import Postgres

extension Problem {
    /// What the caller sees of an error of PostgreSQL.
    ///
    /// PostgreSQL's messages and details quote row values, so only states and the names of columns
    /// and constraints are used.
    ///
    /// - Parameters:
    ///   - entity: Whose statement failed; nil for statements of the engine.
    ///   - isDelete: A broken foreign key then means that other rows refer to this one.
    package init(_ error: PostgresError, entity: Entity? = nil, isDelete: Bool = false) {
        let isUnknown = error.mayHaveBeenApplied
        switch error {
        case .unreachable(let delay):
            self = .unavailable(
                .storeUnavailable,
                "PostgreSQL cannot be reached.",
                hint: "Nothing was done. Repeat the request.",
                retryAfter: delay
            )
        case .overloaded:
            self = .unavailable(
                .overloaded,
                "The queue in front of PostgreSQL is full.",
                hint: "Nothing was done. Repeat the request later.",
                retryAfter: .seconds(1)
            )
        case .connectionLost:
            self = .unavailable(
                isUnknown ? .outcomeUnknown : .storeUnavailable,
                isUnknown
                    ? "The connection to PostgreSQL broke; the write may have been applied."
                    : "The connection to PostgreSQL broke; nothing was changed.",
                hint: isUnknown ? Problem.hintToReadBack : "Repeat the request.",
                retryAfter: .seconds(1)
            )
        case .timedOut, .cancelled:
            self.init(
                .deadlineExceeded,
                isUnknown
                    ? "The deadline passed; the write may have been applied."
                    : "The deadline passed; the statement was stopped.",
                hint: isUnknown
                    ? Problem.hintToReadBack
                    : "Ask for less, or allow more time with Request-Timeout."
            )
        case .server(let error):
            self.init(error, entity: entity, isDelete: isDelete)
        }
    }

    /// What the caller sees of an error that the server reported.
    package init(_ error: ServerError, entity: Entity? = nil, isDelete: Bool = false) {
        let state = error.sqlState
        if state.hasPrefix("FF") {
            self = Problem.ofEngine(error)
        } else if state.hasPrefix("23") {
            self = Problem.ofIntegrity(error, entity: entity, isDelete: isDelete)
        } else if state.hasPrefix("22") {
            self = Problem.ofData(error)
        } else {
            self = Problem.ofOtherClasses(error)
        }
    }

    private static let hintToReadBack = "Read the row before repeating."

    // MARK: Integrity (class 23)

    private static func ofIntegrity(
        _ error: ServerError,
        entity: Entity?,
        isDelete: Bool
    ) -> Problem {
        let constraint = error.constraint.map { " (constraint \($0))" } ?? ""
        switch error.sqlState {
        case "23502":
            let column = error.column ?? "?"
            return Problem(
                .missingColumn,
                "\(column) must have a value.",
                errors: [FieldError(column, "must have a value")]
            )
        case "23505":
            let columns = error.uniqueColumns(entity)
            return Problem(
                .uniqueViolation,
                columns.isEmpty
                    ? "A row with these values exists\(constraint)."
                    : "A row with the same \(columns.joined(separator: ", ")) exists\(constraint).",
                hint: "Change the row that exists, or choose another value.",
                errors: columns.map { FieldError($0, "is taken") }
            )
        case "23503" where isDelete || error.isOfAnotherTable(than: entity):
            return Problem(
                .rowInUse,
                "Rows of \(error.table ?? "another table") refer to it\(constraint).",
                hint: "Delete or change those rows first."
            )
        case "23503":
            let columns = error.columnsNamedByConstraint(entity)
            return Problem(
                .foreignKeyViolation,
                "A row that this one refers to does not exist\(constraint).",
                hint: "Create the row it refers to first.",
                errors: columns.map { FieldError($0, "refers to a row that does not exist") }
            )
        case "23001":
            return Problem(.rowInUse, "Other rows refer to it\(constraint).")
        case "23P01":
            return Problem(.exclusionViolation, "Another row stands in its way\(constraint).")
        case "23514":
            let columns = error.columnsNamedByConstraint(entity)
            return Problem(
                .domainRule,
                "The row breaks a rule of the schema\(constraint).",
                errors: columns.map {
                    FieldError($0, "is not allowed by \(error.constraint ?? "")")
                }
            )
        default:
            return Problem(.domainRule, "The row breaks a rule of the schema\(constraint).")
        }
    }

    // MARK: Data (class 22)

    private static func ofData(_ error: ServerError) -> Problem {
        let what =
            switch error.sqlState {
            case "22001": "A text is longer than its column allows."
            case "22003": "A number is out of range."
            case "22007", "22008": "A date or time is not valid."
            case "22021", "22P05": "A text contains a character that the database cannot store."
            case "2201B": "A regular expression is not valid."
            case "22P02": "A value does not have the type of its column."
            case "22023", "22032": "A value is not valid here."
            case "22012": "A division by zero."
            default: "A value is not valid (SQLSTATE \(error.sqlState))."
            }
        let field = error.column.map { [FieldError($0, "is not valid")] } ?? []
        return Problem(.invalidValue, what, errors: field)
    }

    // MARK: The rest

    private static func ofOtherClasses(_ error: ServerError) -> Problem {
        let state = error.sqlState
        switch state {
        case "P0001":
            return Problem(.domainRule, "A trigger of the schema refuses the row.")
        case "21000":
            return Problem(
                .duplicateRows,
                "Two objects of the array address the same row.",
                hint: "Send each row once."
            )
        case "40001", "40P01", "55P03":
            return .unavailable(
                .writeConflict,
                "Other writes to the same rows were in the way, also on repetition.",
                hint: "Nothing was changed. Repeat the request.",
                retryAfter: .seconds(1)
            )
        case "57014":
            return Problem(
                .deadlineExceeded,
                "The statement was stopped in the database.",
                hint: "Ask for less, or allow more time with Request-Timeout."
            )
        case "25006":
            return .unavailable(
                .databaseReadOnly,
                "PostgreSQL takes no writes at the moment.",
                hint: "Reads work. Repeat the write later.",
                retryAfter: .seconds(5)
            )
        case "42501":
            return Problem(.forbidden, "The database does not allow this.")
        case "42883", "42804", "42846", "42809":
            return Problem(
                .invalidFilter,
                "The operator does not apply to the type of the column.",
                hint: "Choose an operator that the type has, or compare another column."
            )
        case "42601" where error.isOfTextQuery:
            return Problem(
                .invalidFilter,
                "The text of a full-text filter is not a query.",
                hint: "Join words with & | !, or use plfts or wfts, which take any text."
            )
        case "42704":
            return Problem(.invalidFilter, "The query names something that does not exist.")
        case "08000", "08001", "08003", "08004", "08006", "57P01", "57P02", "57P03", "57P05":
            return .unavailable(
                .storeUnavailable,
                "PostgreSQL is not available.",
                hint: "Repeat the request.",
                retryAfter: .seconds(1)
            )
        default:
            return ofClass(state)
        }
    }

    private static func ofClass(_ state: String) -> Problem {
        switch state.prefix(2) {
        case "53":
            return .unavailable(
                .storeUnavailable,
                "PostgreSQL is out of resources.",
                hint: "Repeat the request.",
                retryAfter: .seconds(5)
            )
        case "54":
            return Problem(.queryTooComplex, "The request passes a limit of the database.")
        case "44":
            return Problem(.domainRule, "The row would not be seen through the view.")
        default:
            return Problem(
                .internalError,
                "The database refused the statement (SQLSTATE \(state))."
            )
        }
    }

    /// States that the engine's own SQL raises (class FF); see `schemas/fourfold`.
    private static func ofEngine(_ error: ServerError) -> Problem {
        guard let state = EngineState(rawValue: error.sqlState) else {
            return Problem(.domainRule, "A rule of the schema refuses this (\(error.sqlState)).")
        }
        var problem = state.problem(rowCount: Int(error.message))
        if problem.errors.isEmpty, let column = error.column {
            problem.errors = [FieldError(column, "is refused by a rule of the schema")]
        }
        return problem
    }
}

extension Entity {
    fileprivate func visible(_ columns: [String]) -> [String] {
        columns.filter { column($0)?.isWriteOnly == false }
    }
}

extension ServerError {
    /// `to_tsquery` reports its own grammar with the state of SQL's; a syntax error of a statement
    /// would be our fault and reads otherwise.
    fileprivate var isOfTextQuery: Bool {
        ["syntax error in tsquery", "no operand in tsquery", "there is no escaped character"]
            .contains { message.hasPrefix($0) }
    }

    /// A foreign key was broken from a table that is not the entity's own.
    fileprivate func isOfAnotherTable(than entity: Entity?) -> Bool {
        guard let entity, let table else { return false }
        return table != entity.relation || (schema != nil && schema != entity.schema)
    }

    /// The unique key the constraint stands for: `<table>_pkey`, or the key whose columns it names.
    fileprivate func uniqueColumns(_ entity: Entity?) -> [String] {
        guard let entity, let constraint else { return [] }
        if let columns = entity.constraintColumns[constraint] { return entity.visible(columns) }
        if constraint == "\(entity.relation)_pkey" { return [entity.keyColumn] }
        let keys = entity.uniqueKeys.sorted { $0.count > $1.count }
        let name = constraint.lowercased()
        return keys.first { key in
            name.contains(bytesOf: key.joined(separator: "_").lowercased())
        } ?? keys.first { key in key.allSatisfy { name.contains(bytesOf: $0.lowercased()) } } ?? []
    }

    /// The column whose name is in the constraint's, as PostgreSQL names constraints by default.
    fileprivate func columnsNamedByConstraint(_ entity: Entity?) -> [String] {
        guard let entity, let constraint else { return [] }
        if let columns = entity.constraintColumns[constraint] { return entity.visible(columns) }
        let name = constraint.lowercased()
        let named = entity.columns.map(\.name).filter { column in
            name.hasPrefix("\(entity.relation)_\(column)_".lowercased())
        }
        // `user` and `user_id` both match `…_user_id_fkey`: the longer one is meant.
        return named.max { $0.count < $1.count }.map { [$0] } ?? []
    }
}
