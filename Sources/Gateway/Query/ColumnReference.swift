internal import Packs

/// A column of the entity, or a place inside its JSON: `metadata->author->>name`.
struct ColumnReference: Sendable {
    enum Step: Sendable, Equatable {
        case key(String)
        case index(Int32)
    }

    let column: Column
    let path: [Step]
    /// The last arrow was `->>`: the value is text, else JSON.
    let isText: Bool

    var isWholeColumn: Bool { path.isEmpty }

    /// The name of the value in an answer where the request gives no alias: the last key.
    var outputName: String {
        for step in path.reversed() {
            if case .key(let name) = step { return name }
        }
        return column.name
    }
}

/// Finds the columns that a request names. Write-only columns are not to be found.
struct ColumnResolver {
    let entity: Entity
    let limits: QueryLimits

    func column(_ name: String) throws(Problem) -> Column {
        if let column = entity.column(name), !column.isWriteOnly { return column }
        throw unknown(name)
    }

    /// Reads a column and its path.
    ///
    /// - Parameter stops: The delimiters that end a name that is not quoted.
    func reference(
        _ scanner: inout GrammarScanner,
        until stops: StaticString
    ) throws(Problem) -> ColumnReference {
        let name = scanner.quoted() ?? scanner.run(until: stops, isPath: true)
        let column = try column(name)
        var path: [ColumnReference.Step] = []
        var isText = false
        while !isText, scanner.skip("->") {
            isText = scanner.skip(">")
            if path.count == limits.pathStepCountMax {
                throw Problem(
                    .queryTooComplex,
                    "A JSON path has more than \(limits.pathStepCountMax) steps."
                )
            }
            path.append(try step(&scanner, until: stops))
        }
        if scanner.isNext("->") {
            throw Problem(
                .invalidParameter,
                "The path of \(column.name) goes on after ->>.",
                hint: "Use ->> only for the last step.",
                errors: [FieldError(column.name, "->> must be the last arrow")]
            )
        }
        return ColumnReference(column: column, path: path, isText: isText)
    }

    private func step(
        _ scanner: inout GrammarScanner,
        until stops: StaticString
    ) throws(Problem) -> ColumnReference.Step {
        if let key = scanner.quoted() { return .key(key) }
        let text = scanner.run(until: stops, isPath: true)
        if text.isEmpty {
            throw Problem(
                .invalidParameter,
                "A JSON path has an empty step.",
                hint: "Write column->key or column->>key."
            )
        }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        if digits.allSatisfy({ $0.isASCII && $0.isNumber }), let index = Int32(text) {
            return .index(index)
        }
        return .key(text)
    }

    private func unknown(_ name: String) -> Problem {
        let names = entity.visibleColumns.map(\.name).joined(separator: ", ")
        let hint =
            name.contains(".")
            ? "Filters on other entities are not supported. Columns: \(names)."
            : "Columns: \(names)."
        return Problem(
            .unknownColumn,
            "\(entity.path) has no column \(quoteForMessage(name)).",
            hint: hint,
            errors: [FieldError(String(name.prefix(60)), "is not a column of \(entity.path)")]
        )
    }
}
